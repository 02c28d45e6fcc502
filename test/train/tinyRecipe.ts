import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { loadRecipe } from '../../src/recipe/loadRecipe.node.ts';
import type { Recipe } from '../../src/recipe/recipe.ts';

export type TinyTask = 'translation' | 'language-model' | 'masked-language-model' | 'denoising' | 'instruction';

export interface TinyMetrics {
  readonly step: number;
  readonly loss?: number;
  readonly losses?: Readonly<Record<string, number>>;
  readonly validation?: {
    readonly loss: number;
    readonly losses?: Readonly<Record<string, number>>;
    readonly accuracies?: Readonly<Record<string, number>>;
  };
  readonly test?: unknown;
}

/** A folder for one test, with some of the Tatoeba pairs and recipes that take a second. */
export class TinyRecipe {
  readonly folder: string = mkdtempSync(join(tmpdir(), 'qkv-train-'));
  readonly output: string = join(this.folder, 'run');

  constructor(pairs = 24) {
    const lines = readFileSync(new URL('../../data/tatoeba-en-zh/train.tsv', import.meta.url), 'utf8').split('\n');
    writeFileSync(join(this.folder, 'pairs.tsv'), `${lines.slice(0, pairs).join('\n')}\n`);
    writeFileSync(join(this.folder, 'text.txt'), lines.slice(0, 200).join('\n'));
    mkdirSync(join(this.folder, 'other'));
    writeFileSync(join(this.folder, 'translation.yaml'), TRANSLATION);
    writeFileSync(join(this.folder, 'language-model.yaml'), LANGUAGE_MODEL);
    const documents = lines.slice(0, 200).map((line, i) => (i % 8 === 7 ? `${line}\n` : line));
    writeFileSync(join(this.folder, 'documents.txt'), documents.join('\n'));
    writeFileSync(join(this.folder, 'masked-language-model.yaml'), MASKED_LANGUAGE_MODEL);
    writeFileSync(join(this.folder, 'denoising.yaml'), DENOISING);
  }

  file(task: TinyTask): string {
    return join(this.folder, `${task}.yaml`);
  }

  load(task: TinyTask, ...overrides: string[]): Recipe {
    return loadRecipe(this.file(task), [`output=${this.output}`, ...overrides]);
  }

  metrics(output: string = this.output): TinyMetrics[] {
    const text = readFileSync(join(output, 'metrics.jsonl'), 'utf8');
    return text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as TinyMetrics);
  }

  [Symbol.dispose](): void {
    rmSync(this.folder, { recursive: true, force: true });
  }
}

const TRANSLATION = `
name: tiny
task: translation
seed: 3
output: run
data: { format: tsv, train: pairs.tsv, validation: pairs.tsv, test: null }
tokenizer: { kind: char, limitAlphabet: 150 }
model:
  { family: marian, width: 32, encoderLayers: 1, decoderLayers: 1, heads: 2, hidden: 64, dropout: 0.1, maxLength: 64, init: { std: 0.1 } }
objective: { labelSmoothing: 0.1 }
train:
  steps: 24
  batchTokens: 400
  accumulate: 2
  optimizer: { name: adamw, beta2: 0.98 }
  schedule: { name: cosine, peak: 3e-3, warmup: 4, final: 1e-4 }
  clipNorm: 1
  saveEvery: 5
  validateEvery: 8
  logEvery: 3
evaluate: { metric: bleu, tokenize: zh, beam: 2, maxLength: 20, sentences: 4 }
`;

const LANGUAGE_MODEL = `
name: tiny
task: language-model
seed: 3
output: run
data: { format: text, file: text.txt, validationFraction: 0.2 }
tokenizer: { kind: byte-bpe, vocabSize: 300 }
model: { family: gpt2, width: 32, layers: 2, heads: 2, dropout: 0.1, maxLength: 16 }
train:
  steps: 20
  batchSize: 4
  blockSize: 16
  schedule: { name: linear, peak: 3e-3, warmup: 2 }
  clipNorm: 1
  saveEvery: 6
  validateEvery: 10
  logEvery: 2
evaluate: { prompt: Tom, sampleTokens: 20, blocks: 10 }
`;

const MASKED_LANGUAGE_MODEL = `
name: tiny
task: masked-language-model
seed: 3
output: run
data: { format: text, file: documents.txt, validationFraction: 0.2 }
tokenizer: { kind: char, limitAlphabet: 150 }
model: { family: bert, config: { hidden_size: 32, num_hidden_layers: 1, num_attention_heads: 2, intermediate_size: 64, max_position_embeddings: 48 } }
objective: { sentences: next-sentence, words: chinese }
train:
  steps: 20
  batchSize: 4
  maxLength: 48
  accumulate: 2
  schedule: { name: linear, peak: 3e-3, warmup: 2 }
  clipNorm: 1
  saveEvery: 6
  validateEvery: 10
  logEvery: 2
evaluate: { sequences: 10, fill: ["我[MASK]去。"] }
`;

const DENOISING = `
name: tiny
task: denoising
seed: 3
output: run
data: { format: text, file: documents.txt, validationFraction: 0.2 }
tokenizer: { kind: char, limitAlphabet: 150 }
model: { family: t5, config: { d_model: 32, d_kv: 8, d_ff: 64, num_layers: 1, num_heads: 4, dropout_rate: 0.1 } }
objective: { kind: span-corruption }
train:
  steps: 20
  batchTokens: 300
  maxLength: 40
  accumulate: 2
  schedule: { name: linear, peak: 1e-2, warmup: 2 }
  clipNorm: 1
  saveEvery: 6
  validateEvery: 10
  logEvery: 2
evaluate: { sequences: 10, fill: ["我<extra_id_0>去。"] }
`;
