import { once } from 'node:events';
import { createWriteStream, mkdtempSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseRecipe } from '../src/recipe/parseRecipe.ts';
import { createNodeRuntime } from '../src/runtime/node/node.ts';
import { trainRecipe } from '../src/train/trainRecipe.node.ts';
import { peakRssMib } from './measure.ts';

const MODELS = {
  'language-model': `
model: { family: gpt2, width: 64, layers: 2, heads: 2, maxLength: 128 }
evaluate: { sampleTokens: 0, blocks: 50 }
`,
  'masked-language-model': `
model:
  family: bert
  config: { hidden_size: 64, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 128, max_position_embeddings: 128 }
evaluate: { sequences: 50 }
`,
};
const LENGTHS = { 'language-model': 'blockSize', 'masked-language-model': 'maxLength' };

/**
 * What a corpus of a given size takes in memory: a tiny model is trained for some steps on a few MB, then on the corpus, in the
 * same process; the growth of the peak between the two is that of the corpus. The text is that of `data`, paragraph by
 * paragraph with a number, again and again.
 */
export async function benchCorpus(task: string, mib: number, data: string, objective: string): Promise<object> {
  if (!(task === 'language-model' || task === 'masked-language-model')) throw new Error(`corpus: unknown task ${task}`);
  const folder = mkdtempSync(join(tmpdir(), 'qkv-corpus-'));
  process.env['XDG_CACHE_HOME'] = join(folder, 'cache');
  const train = async (text: string, output: string): Promise<number> => {
    const recipe = `
name: corpus
task: ${task}
seed: 1
output: ${join(folder, output)}
data: { format: documents, train: ${text}, validation: { fraction: 0.001 } }
tokenizer: { kind: byte-bpe, vocabSize: 4000 }
${task === 'language-model' ? '' : `objective: { sentences: ${objective} }`}
train:
  steps: 50
  batchSize: 8
  ${LENGTHS[task]}: 128
  schedule: { name: constant, peak: 1e-3 }
  validateEvery: 50
${MODELS[task]}`;
    await using runtime = await createNodeRuntime({});
    const start = performance.now();
    await trainRecipe(runtime, parseRecipe(recipe, 'corpus.yaml'));
    return Number(((performance.now() - start) / 1000).toFixed(1));
  };
  try {
    const [small, large] = [join(folder, 'small.txt'), join(folder, 'large.txt')];
    await writeCorpus(small, 4, data);
    await writeCorpus(large, mib, data);
    await train(small, 'first');
    const before = peakRssMib();
    const seconds = await train(large, 'second');
    const after = peakRssMib();
    const again = await train(large, 'third');
    return {
      task,
      mib,
      seconds,
      seconds_when_cached: again,
      peak_rss_mib: after,
      growth_mib: after - before,
      growth_when_cached_mib: peakRssMib() - before,
    };
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function writeCorpus(path: string, mib: number, data: string): Promise<void> {
  const paragraphs = readFileSync(data, 'utf8').split('\n\n');
  const file = createWriteStream(path);
  let number = 0;
  for (let bytes = 0; bytes < mib * 2 ** 20; ) {
    const part = paragraphs.map((paragraph) => `${number++} ${paragraph}`).join('\n\n');
    bytes += Buffer.byteLength(part) + 2;
    if (!file.write(`${part}\n\n`)) await once(file, 'drain');
  }
  file.end();
  await once(file, 'close');
}
