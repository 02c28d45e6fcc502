/**
 * Beam search with a Marian of 3 + 3 layers, width 256, vocabulary 8000 and random weights: 64 sources of 24 tokens, 4 beams,
 * exactly 32 new tokens. `node bench/beamSearch.ts [REPETITIONS]` prints sentences per second of each repetition.
 */
import { deriveSeed, normal, RandomStream } from '../src/base/random.ts';
import { float32, type HostTensor } from '../src/base/tensor.ts';
import { generate } from '../src/generate/generate.ts';
import { GenerationSession } from '../src/generate/session.ts';
import { parseModel } from '../src/models/registry.ts';
import { Trace } from '../src/nn/scope.ts';
import { input } from '../src/ops/leaf.ts';
import { createNodeRuntime } from '../src/runtime/node/node.ts';

const [vocabSize, sentences, sourceLength, newTokens, numBeams] = [8000, 64, 24, 32, 4];
const model = parseModel({
  model_type: 'marian',
  vocab_size: vocabSize,
  d_model: 256,
  encoder_layers: 3,
  decoder_layers: 3,
  encoder_attention_heads: 8,
  decoder_attention_heads: 8,
  encoder_ffn_dim: 1024,
  decoder_ffn_dim: 1024,
  max_position_embeddings: 128,
  pad_token_id: vocabSize - 1,
  decoder_start_token_id: vocabSize - 1,
  eos_token_id: 0,
  activation_function: 'relu',
  scale_embedding: true,
});
if (model.kind !== 'encoder-decoder') throw new Error('not an encoder-decoder model');

const trace = new Trace();
const ids = input('ids', 'int32', [1, 2]);
model.logits(trace.root, model.decode(trace.root, { ids, memory: model.encode(trace.root, { ids }) }).rows);
const parameters: Record<string, HostTensor> = {};
for (const { path, shape, init } of trace.declarations) {
  const size = shape.reduce((a, b) => a * b, 1);
  const values = normal(deriveSeed(0, path), size).map((x) =>
    init.kind === 'ones' ? 1 : init.kind === 'zeros' ? 0 : 0.1 * x,
  );
  parameters[path] = float32(shape, Float32Array.from(values));
}

const stream = new RandomStream(deriveSeed(1, 'sources'));
const sources = Array.from({ length: sentences }, () =>
  Array.from({ length: sourceLength }, () => 3 + stream.below(vocabSize - 4)),
);
const options = {
  numBeams,
  maxNewTokens: newTokens,
  minNewTokens: newTokens,
  earlyStopping: true,
  badWordsIds: [[vocabSize - 1]],
};

await using runtime = await createNodeRuntime({ threads: 2 });
using session = new GenerationSession(runtime, model, parameters);
await generate(session, sources, options); // compiles
for (let i = 0; i < Number(process.argv[2] ?? 5); i++) {
  const start = performance.now();
  await generate(session, sources, options);
  const seconds = (performance.now() - start) / 1000;
  console.log(`${(sentences / seconds).toFixed(1)} sentences/s`);
}
