import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { float32 } from '../../src/base/tensor.ts';
import { nodeStorage } from '../../src/checkpoint/storage.node.ts';
import { saveTunedLens, type TunedLens, tunedLensFile } from '../../src/inspect/tunedLens.ts';
import { makeModels } from '../cli/models.ts';

const root = resolve(import.meta.dirname, '../..');

/** A folder like `models/` beside the page: one model of each kind, and the list of them. */
export interface PageModels extends Disposable {
  readonly folder: string;
}

export async function makePageModels(): Promise<PageModels> {
  const folder = mkdtempSync(join(tmpdir(), 'qkv-page-models-'));
  {
    using made = makeModels();
    cpSync(made.marian, join(folder, 'marian'), { recursive: true });
    cpSync(made.gpt2, join(folder, 'gpt2'), { recursive: true });
  }
  for (const [name, model] of [
    ['bert', 'bert-pretraining'],
    ['roberta', 'roberta-masked-lm'],
  ] as const) {
    cpSync(join(root, 'fixtures/parity', model), join(folder, name), { recursive: true });
    cpSync(join(root, 'fixtures/encoders', name), join(folder, name), { recursive: true });
  }
  await saveTunedLens(nodeStorage(join(folder, 'bert')), tunedLensFile, lensOfBert());
  makeArabic(join(folder, 'bert'), join(folder, 'arabic'));
  cpSync(join(root, 'models/stories260K'), join(folder, 'stories260K'), { recursive: true });
  const wanted =
    /^(config|generation_config|tokenizer|tokenizer_config|examples)\.json$|^(model|tuned-lens)\.safetensors$/;
  const list = readdirSync(folder).map((name) => ({
    name,
    files: readdirSync(join(folder, name)).filter((file) => wanted.test(file)),
  }));
  writeFileSync(join(folder, 'index.json'), JSON.stringify(list));
  return { folder, [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
}

/** Words and pieces of WordPiece, whose pieces inside a word begin with ##. */
const arabic = [
  'القطة',
  'تجلس',
  'على',
  'ال',
  '##سجادة',
  'في',
  'البيت',
  '،',
  '.',
  '؟',
  'مرحبا',
  '##ها',
  'بيت',
  'كبير',
  '٣',
];

/** A lens that nobody fitted: its translators are some numbers. */
function lensOfBert(): TunedLens {
  const width = 32;
  const numbers = (count: number): Float32Array => Float32Array.from({ length: count }, (_, i) => 0.1 * Math.sin(i));
  const translator = { weight: float32([width, width], numbers(width ** 2)), bias: float32([width], numbers(width)) };
  return new Map([
    ['layers.0.residualPre', translator],
    ['layers.0.residualPost', translator],
  ]);
}

/** The same weights under a vocabulary of Arabic words. */
function makeArabic(from: string, to: string): void {
  cpSync(from, to, { recursive: true });
  const file = join(to, 'tokenizer.json');
  const json = JSON.parse(readFileSync(file, 'utf8')) as {
    normalizer: object;
    model: { vocab: Readonly<Record<string, number>> };
  };
  const specials = Object.keys(json.model.vocab).slice(0, 5);
  const vocab = Object.fromEntries([...specials, ...arabic].map((token, id) => [token, id]));
  // letters keep their marks, which are part of them in Arabic
  const changed = {
    ...json,
    normalizer: { ...json.normalizer, strip_accents: false },
    model: { ...json.model, vocab },
  };
  writeFileSync(file, JSON.stringify(changed));
}
