import { readFileSync } from 'node:fs';
import { deriveSeed, normal, RandomStream } from '../src/base/random.ts';
import { generate } from '../src/generate/generate.ts';
import type { GenerateOptions } from '../src/generate/options.ts';
import { GenerationSession } from '../src/generate/session.ts';
import { declarationsOf } from '../src/models/declarations.ts';
import { parseModel } from '../src/models/registry.ts';
import { ParameterArena } from '../src/nn/parameterArena.ts';
import { openModel } from '../src/pretrained/openModel.node.ts';
import type { Runtime } from '../src/runtime/runtime.ts';
import { cpuTimed, peakRssMib, rssMib, statistics } from './measure.ts';

const [promptLength, newTokens] = [64, 128];

/**
 * Greedy decoding, batch of 1: a prompt of 64 tokens, then exactly 128 new ones. Prefill is the time to the first token;
 * decoding is what the 127 others take.
 */
export async function benchDecoding(runtime: Runtime, folder: string): Promise<object> {
  const { model, arena, tokenizer } = await openModel(folder);
  using session = new GenerationSession(runtime, model, arena.tensors);
  const text = readFileSync(new URL('../data/tinyshakespeare/input.txt', import.meta.url), 'utf8').slice(0, 2000);
  const prompt = tokenizer!.encode(text, { addSpecialTokens: false }).ids.slice(0, promptLength);
  const run = async (maxNewTokens: number): Promise<readonly number[]> => {
    const [results] = await generate(session, [prompt], { maxNewTokens, eosId: null });
    return results![0]!.ids;
  };
  let ids: readonly number[] = [];
  const first = await cpuTimed(9, 2, () => run(1));
  const all = await cpuTimed(5, 1, async () => {
    ids = await run(newTokens);
  });
  const prefill = statistics(
    first.map(({ wall }) => wall),
    4,
  ).median;
  const rest = all.map(({ wall }) => wall - prefill);
  return {
    decode_tokens_per_s: statistics(rest.map((s) => (newTokens - 1) / s)),
    decode_cpu_ms_per_token: statistics(all.map(({ cpu }) => (1000 * (cpu - first[0]!.cpu)) / (newTokens - 1))),
    prefill_tokens_per_s: statistics(first.map(({ wall }) => promptLength / wall)),
    prefill_cpu_ms: statistics(first.map(({ cpu }) => 1000 * cpu)),
    weights_mib: Math.round(arena.data.byteLength / 2 ** 20),
    rss_mib: rssMib(),
    peak_rss_mib: peakRssMib(),
    ids,
  };
}

/**
 * Beam search with a Marian of 3 + 3 layers, width 256, vocabulary 8000 and random weights: 64 sources of 24 tokens, 4 beams,
 * exactly 32 new tokens.
 */
export async function benchBeamSearch(runtime: Runtime): Promise<object> {
  const [vocabSize, sentences, sourceLength] = [8000, 64, 24];
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
  const arena = new ParameterArena(declarationsOf(model));
  arena.initialise(0);
  for (const { path, init } of arena.placements) {
    const data = arena.tensors[path]!.data as Float32Array;
    if (init.kind === 'normal') data.set(normal(deriveSeed(0, path), data.length).map((x) => 0.1 * x));
  }
  const stream = new RandomStream(deriveSeed(1, 'sources'));
  const sources = Array.from({ length: sentences }, () =>
    Array.from({ length: sourceLength }, () => 3 + stream.below(vocabSize - 4)),
  );
  const options: GenerateOptions = {
    numBeams: 4,
    maxNewTokens: 32,
    minNewTokens: 32,
    earlyStopping: true,
    badWordsIds: [[vocabSize - 1]],
  };
  using session = new GenerationSession(runtime, model, arena.tensors);
  const times = await cpuTimed(9, 2, () => generate(session, sources, options));
  return {
    sentences_per_s: statistics(times.map(({ wall }) => sentences / wall)),
    cpu_ms_per_sentence: statistics(times.map(({ cpu }) => (1000 * cpu) / sentences)),
    peak_rss_mib: peakRssMib(),
  };
}
