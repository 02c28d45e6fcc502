import { readFileSync } from 'node:fs';
import type { ErrorCode } from '../../src/base/errors.ts';
import { sizeOf } from '../../src/base/tensor.ts';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { openGguf } from '../../src/checkpoint/gguf.ts';
import { openSafetensors, type StoredTensor, safetensorsChunks } from '../../src/checkpoint/safetensors.ts';
import { verifySnapshot } from '../../src/checkpoint/snapshot.node.ts';
import { openTorchPickle } from '../../src/checkpoint/torchPickle.ts';
import { openZip } from '../../src/checkpoint/zipDirectory.ts';
import { readCsv } from '../../src/data/delimited.ts';
import { linesOf } from '../../src/data/lines.ts';
import { readJsonl } from '../../src/data/readJsonl.ts';
import { parquetRecords } from '../../src/data/readParquet.node.ts';
import { datasetFiles } from '../../src/hub/datasetFiles.ts';
import { declarationsOf } from '../../src/models/declarations.ts';
import { parseModel } from '../../src/models/registry.ts';
import { generationDefaults } from '../../src/pretrained/generationDefaults.ts';
import { openTokenizer } from '../../src/pretrained/openTokenizer.ts';
import { loadPretrained } from '../../src/pretrained/pretrained.ts';
import { openSentenceEncoder } from '../../src/pretrained/sentenceEncoder.ts';
import { parseRecipe } from '../../src/recipe/parseRecipe.ts';
import type { Tokenizer } from '../../src/tokenizer/tokenizer.ts';
import { trainBpe } from '../../src/tokenizer/trainBpe.ts';
import { parseRunState } from '../../src/train/runState.ts';
import { gguf } from '../checkpoint/ggufFile.ts';
import { collect, type MemoryStorage, memoryStorage } from '../checkpoint/memoryStorage.ts';
import { refusedOr } from './refusal.ts';

/** A valid file, and those beside it that its parser needs. */
export interface Seed {
  /** The file that is damaged. */
  readonly file: string;
  readonly files: Readonly<Record<string, Uint8Array>>;
  /** Bytes from its begin that most changes are made in; all by default. */
  readonly focus?: number;
}

export interface Parser {
  readonly seeds: readonly Seed[];
  /** What a refusal's code may be. */
  readonly codes: readonly ErrorCode[];
  /**
   * Parses the damaged file and uses what came of it. Throws a QkvError for a refusal; any other error is a defect, of the parser
   * or of what it made.
   */
  run(storage: MemoryStorage, file: string): Promise<void>;
  /** How many bytes one array may have for a byte of the files; 16 by default, for a byte that is read as a number of 8. */
  readonly widening?: number;
}

const fixtures = new URL('../../fixtures/', import.meta.url);

function bytesOf(path: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(readFileSync(new URL(path, fixtures)));
}

function textOf(storage: MemoryStorage, file: string): string {
  return Buffer.from(storage.files.get(file)!).toString('utf8');
}

function json(value: unknown): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(typeof value === 'string' ? value : JSON.stringify(value));
}

/** A seed of files of a folder of `fixtures`: the damaged one first. */
function seedOf(folder: string, file: string, ...others: string[]): Seed {
  return { file, files: Object.fromEntries([file, ...others].map((name) => [name, bytesOf(`${folder}/${name}`)])) };
}

function single(path: string, focus?: number): Seed {
  return { file: 'f', files: { f: bytesOf(path) }, ...(focus !== undefined && { focus }) };
}

/** Reads every tensor as all that it can be read as. */
async function readAll(tensors: ReadonlyMap<string, StoredTensor>): Promise<void> {
  for (const [name, tensor] of tensors) {
    for (const as of ['bytes', 'float32', 'int32', 'int64', 'bool'] as const) {
      const values = await refusedOr(['checkpoint'], () => tensor.read(as));
      if (values && as !== 'bytes' && values.length !== sizeOf(tensor.shape)) {
        throw new Error(`${name}: ${values.length} values of shape [${tensor.shape.join(', ')}]`);
      }
    }
  }
}

/** An independent reading of a file that was not refused: JSON.parse, which agrees wherever no key stands twice. */
async function compareSafetensors(bytes: Uint8Array, tensors: ReadonlyMap<string, StoredTensor>): Promise<void> {
  const headerBytes = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(Buffer.from(bytes.subarray(8, 8 + headerBytes)).toString('utf8'));
  delete header.__metadata__;
  if (tensors.size !== Object.keys(header).length) throw new Error('the number of tensors differs');
  for (const [name, tensor] of tensors) {
    const { dtype, shape, data_offsets: offsets } = header[name];
    if (tensor.dtype !== dtype || `${tensor.shape}` !== `${shape}`) throw new Error(`${name}: type or shape differs`);
    const slice = bytes.subarray(8 + headerBytes + offsets[0], 8 + headerBytes + offsets[1]);
    if (!Buffer.from(await tensor.read('bytes')).equals(slice)) throw new Error(`${name}: data differ`);
  }
}

/** The configurations of the parity cases, by family. */
const configs: Readonly<Record<string, readonly string[]>> = {
  bert: ['bert-pretraining', 'bert-sequence-classification', 'bert-token-classification'],
  roberta: ['roberta-masked-lm', 'roberta-sequence-classification'],
  albert: ['albert-masked-lm', 'albert-pretraining'],
  distilbert: ['distilbert-masked-lm'],
  t5: ['t5-v1.0'],
  bart: ['bart'],
  marian: ['marian'],
  gpt2: ['gpt2'],
  llama: ['llama', 'llama-older-config'],
  transformer: ['transformer'],
};

function configParser(cases: readonly string[]): Parser {
  return {
    seeds: cases.map((name) => seedOf(`parity/${name}`, 'config.json')),
    codes: ['config'],
    run: async (storage, file) => {
      const text = textOf(storage, file);
      let value: unknown;
      try {
        value = JSON.parse(text);
      } catch {
        value = text; // as wrong as what is no JSON; files are read by openCheckpoint, which has a parser of its own here
      }
      declarationsOf(parseModel(value));
    },
    widening: 1 << 18, // for some hundred bytes the 64 MiB that sinusoidal positions, which no checkpoint holds, may take
  };
}

function generationConfigParser(): Parser {
  const cases = ['bart', 'gpt2', 'marian', 't5-v1.0'];
  return {
    seeds: cases.map((name) => seedOf(`parity/${name}`, 'generation_config.json', 'config.json', 'model.safetensors')),
    codes: ['checkpoint', 'config'],
    run: async (storage) => {
      const { config, generationConfig } = await openCheckpoint(storage);
      generationDefaults(parseModel(config), generationConfig);
    },
  };
}

/** Embedding, one layer, a SentencePiece-like or byte-level vocabulary: all that a small Llama has. */
function smallLlama(kind: 'llama' | 'gpt2'): Uint8Array {
  const width = 8;
  const dims: Record<string, number[]> = {
    'token_embd.weight': [width, 8],
    'output_norm.weight': [width],
    'blk.0.attn_norm.weight': [width],
    'blk.0.ffn_norm.weight': [width],
    'blk.0.attn_q.weight': [width, width],
    'blk.0.attn_k.weight': [width, width / 2],
    'blk.0.attn_v.weight': [width, width / 2],
    'blk.0.attn_output.weight': [width, width],
    'blk.0.ffn_gate.weight': [width, width],
    'blk.0.ffn_up.weight': [width, width],
    'blk.0.ffn_down.weight': [width, width],
  };
  let at = 0;
  const tensors = Object.entries(dims).map(([name, shape]) => {
    const tensor = gguf.tensor(name, shape, 0, at);
    at += Math.ceil((4 * sizeOf(shape)) / 32) * 32;
    return tensor;
  });
  const tokens = kind === 'llama' ? ['<unk>', '<s>', '</s>', '▁', 'a', 'b', 'ab', '▁ab'] : [...'abcdef', 'ab', 'abc'];
  const vocabulary =
    kind === 'llama'
      ? [gguf.array('tokenizer.ggml.scores', 'float', [0, 0, 0, -1, -2, -3, -4, -5])]
      : [gguf.array('tokenizer.ggml.merges', 'string', ['a b', 'ab c']), gguf.string('tokenizer.ggml.pre', 'smollm')];
  const types = kind === 'llama' ? [2, 3, 3, 1, 1, 1, 1, 1] : [1, 1, 1, 1, 1, 3, 1, 1];
  const metadata = [
    gguf.string('general.architecture', 'llama'),
    gguf.int('llama.context_length', 32),
    gguf.int('llama.embedding_length', width),
    gguf.int('llama.block_count', 1),
    gguf.int('llama.feed_forward_length', width),
    gguf.int('llama.attention.head_count', 2),
    gguf.int('llama.attention.head_count_kv', 1),
    gguf.float('llama.attention.layer_norm_rms_epsilon', 1e-6),
    gguf.float('llama.rope.freq_base', 10000),
    gguf.string('tokenizer.ggml.model', kind),
    gguf.array('tokenizer.ggml.tokens', 'string', tokens),
    gguf.array('tokenizer.ggml.token_type', 'int', types),
    gguf.int('tokenizer.ggml.bos_token_id', 1),
    gguf.int('tokenizer.ggml.eos_token_id', 2),
    gguf.string('tokenizer.chat_template', '{{ messages }}'),
    ...vocabulary,
  ];
  return gguf.file(metadata, tensors, new Uint8Array(at));
}

const texts = ['', 'Hello, wörld 世界 👍\n\t x </s> [MASK] 12', 'a'.repeat(100)];

function checkUse(tokenizer: Tokenizer, text: string): void {
  const { ids, offsets } = tokenizer.encodeWithOffsets(text, { pair: 'b' });
  if (ids.length > 10 * text.length + 20) throw new Error(`${ids.length} ids of ${text.length} characters`);
  for (const id of ids)
    if (!(id >= 0 && id < tokenizer.vocabSize)) throw new Error(`id ${id} of ${tokenizer.vocabSize}`);
  for (const [start, end] of offsets) {
    if (!(0 <= start && start <= end && end <= Math.max(1, text.length))) throw new Error(`span ${start} to ${end}`);
  }
  tokenizer.decode(ids, { skipSpecialTokens: true });
}

/** Opens the tokenizer of a folder and encodes with it. */
async function useTokenizer(storage: MemoryStorage): Promise<void> {
  const config = storage.files.has('config.json') ? JSON.parse(textOf(storage, 'config.json')) : {};
  const tokenizer = await openTokenizer(storage, config);
  for (const text of tokenizer ? texts : []) checkUse(tokenizer!, text);
}

function tokenizerParser(...seeds: readonly Seed[]): Parser {
  return { seeds, codes: ['tokenizer'], run: useTokenizer, widening: 64 };
}

/** Of a SentencePiece model every eighth piece and the first ones, the special and the short: as many paths, fewer bytes. */
function thinned(bytes: Uint8Array): Uint8Array {
  const kept: Uint8Array[] = [];
  for (let at = 0, piece = 0; at < bytes.length; ) {
    const isPiece = bytes[at] === 0x0a; // field 1, of one byte of length
    const end = isPiece ? at + 2 + bytes[at + 1]! : bytes.length;
    if (!isPiece || piece < 20 || piece % 8 === 0) kept.push(bytes.subarray(at, end));
    if (isPiece) piece++;
    at = end;
  }
  return new Uint8Array(Buffer.concat(kept));
}

/** Of a text the lines at the begin. */
function firstLines(bytes: Uint8Array, count: number): Uint8Array {
  const lines = Buffer.from(bytes).toString('utf8').split('\n');
  return json(lines.slice(0, count).join('\n'));
}

function firstTokens(bytes: Uint8Array): Uint8Array {
  const tokens = Object.entries(JSON.parse(Buffer.from(bytes).toString('utf8')) as Record<string, number>);
  return json(Object.fromEntries(tokens.filter(([, id]) => id < 100)));
}

function change(seed: Seed, file: string, by: (bytes: Uint8Array) => Uint8Array): Seed {
  return { ...seed, files: { ...seed.files, [file]: by(seed.files[file]!) } };
}

const tokenizerModels = 'tokenizer/models';
const wordpiece = (file: string, ...others: string[]): Seed =>
  change(seedOf(`${tokenizerModels}/wordpiece`, file, ...others), 'vocab.txt', (bytes) => firstLines(bytes, 100));
const sentencePiece = (name: string, model: string, file: string = model): Seed =>
  change(seedOf(`${tokenizerModels}/${name}`, file, ...new Set([model, 'config.json'])), model, thinned);
const smallText = ['the dog and the cat', 'Hello, wörld 12'];
const tokenizerJsons: Seed[] = [
  trainBpe(smallText, { kind: 'byte', vocabSize: 262, specialTokens: ['</s>'] }),
  trainBpe(smallText, { kind: 'word', vocabSize: 30, specialTokens: ['</s>', '<unk>'], unk: '<unk>' }),
  JSON.parse(Buffer.from(bytesOf('tokenizer/char.tokenizer.json')).toString('utf8')),
].map((value) => ({
  file: 'tokenizer.json',
  files: { 'tokenizer.json': json(value), 'tokenizer_config.json': json({ eos_token: '</s>' }) },
}));

function recipe(name: string): Seed {
  return single(`../recipes/${name}.yaml`);
}

const runState = {
  ...{ format: 1, seed: 1, step: 20, position: { epoch: 1, batchIndex: 2 }, plannedSteps: 100, revisions: 0 },
  ...{ seconds: 12.5, validated: 20, best: { step: 20, value: 3.5, snapshot: 'step-000020' }, stale: 0 },
  ...{ fingerprint: 'abc', lanes: 2 },
};
const manifest = {
  format: 1,
  step: 3,
  files: { a: { bytes: 1, sha256: 'ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb' } },
};

/** A sentence-transformers folder; the files of a folder inside have its name and a colon before theirs. */
const sentenceFiles: Readonly<Record<string, Uint8Array>> = {
  'modules.json': json(
    ['Transformer', 'Pooling', 'Dense', 'Normalize'].map((kind, i) => ({
      idx: i,
      name: `${i}`,
      path: kind === 'Transformer' ? '' : `${i}_${kind}`,
      type: `sentence_transformers.models.${kind}`,
    })),
  ),
  'sentence_bert_config.json': json({ max_seq_length: 128, do_lower_case: true }),
  'config_sentence_transformers.json': json({ prompts: { query: 'query: ' }, default_prompt_name: 'query' }),
  '1_Pooling:config.json': json({ word_embedding_dimension: 4, pooling_mode_mean_tokens: true }),
  '2_Dense:config.json': json({
    ...{ in_features: 4, out_features: 2, bias: true },
    activation_function: 'torch.nn.modules.activation.Tanh',
  }),
  '2_Dense:model.safetensors': await collect(
    safetensorsChunks([
      { name: 'linear.weight', dtype: 'F32', shape: [2, 4], data: new Float32Array(8) },
      { name: 'linear.bias', dtype: 'F32', shape: [2], data: new Float32Array(2) },
    ]),
  ),
};

async function openSentences(storage: MemoryStorage): Promise<void> {
  const within = (folder: string): MemoryStorage => {
    const inside = [...storage.files].filter(([name]) => name.startsWith(`${folder}:`));
    return memoryStorage(Object.fromEntries(inside.map(([name, bytes]) => [name.slice(folder.length + 1), bytes])));
  };
  await openSentenceEncoder(storage, within);
}

const DATASET_CARD = `---
configs:
- config_name: cola
  data_files:
  - split: train
    path: cola/tr*.jsonl
  - { split: validation, path: [cola/dev.jsonl] }
- { config_name: sst2, data_dir: sst2, data_files: "**/*.jsonl", default: true }
---
`;

/** Every parser of files from elsewhere, by the name that `npm run fuzz` knows it by. */
export const parsers: Readonly<Record<string, Parser>> = {
  csv: {
    seeds: [single('data/table.csv')],
    codes: ['data'],
    run: async (storage, file) => void (await Array.fromAsync(readCsv(linesOf(textOf(storage, file), file), true))),
  },
  jsonl: {
    seeds: [{ file: 'f', files: { f: json('{"a": "x", "b": [1, 2.5]}\n\n{"a": null}\n'.repeat(3)) } }],
    codes: ['data'],
    run: async (storage, file) => void (await Array.fromAsync(readJsonl(linesOf(textOf(storage, file), file)))),
  },
  parquet: {
    seeds: ['v1', 'v2', 'plain', 'lz4'].map((name) => single(`data/small-${name}.parquet`)),
    codes: ['data'],
    run: async (storage, file) => {
      const bytes = storage.files.get(file)!;
      await Array.fromAsync(parquetRecords(file, bytes.length, (start, end) => bytes.slice(start, end)));
    },
  },
  'dataset-card': {
    seeds: [{ file: 'README.md', files: { 'README.md': json(DATASET_CARD) } }],
    codes: ['data'],
    run: async (storage, file) => {
      const names = ['cola/train.jsonl', 'cola/dev.jsonl', 'sst2/a/b.jsonl', file];
      const read = async (): Promise<string> => textOf(storage, file);
      for (const split of ['train', 'validation']) await datasetFiles('f', names, read, { config: 'cola', split });
    },
  },
  safetensors: {
    seeds: [single('checkpoint/dtypes.safetensors', 1300)],
    codes: ['checkpoint'],
    run: async (storage, file) => {
      const { tensors } = await openSafetensors(storage, file);
      await compareSafetensors(storage.files.get(file)!, tensors);
      await readAll(tensors);
    },
  },
  'torch-zip': {
    seeds: [single('checkpoint/torch/zip.pt'), single('checkpoint/torch/protocol4.pt')],
    codes: ['checkpoint'],
    run: async (storage, file) => readAll(await openTorchPickle(storage, file)),
  },
  'torch-legacy': {
    seeds: [single('checkpoint/torch/legacy.pt', 2300)],
    codes: ['checkpoint'],
    run: async (storage, file) => readAll(await openTorchPickle(storage, file)),
  },
  zip: {
    seeds: [single('checkpoint/torch/zip.pt'), single('checkpoint/torch/wrapped.pt')],
    codes: ['checkpoint'],
    run: async (storage, file) => {
      for (const entry of (await openZip(storage, file)).values()) await refusedOr(['checkpoint'], () => entry.read());
    },
  },
  gguf: {
    seeds: [single('checkpoint/gguf/types.gguf', 2000)],
    codes: ['checkpoint'],
    run: async (storage, file) => readAll((await openGguf(storage, file)).tensors),
    widening: 104, // Q2_K is 13 times as many bytes in float32; read as numbers of 8
  },
  'gguf-model': {
    seeds: (['llama', 'gpt2'] as const).map((kind) => ({
      file: 'f.gguf',
      files: { 'f.gguf': smallLlama(kind) },
      focus: 1600,
    })),
    codes: ['checkpoint', 'config', 'tokenizer'],
    run: async (storage) => {
      const { tokenizer, model } = await loadPretrained(storage);
      if (tokenizer) checkUse(tokenizer, 'abcab');
      if (model.family !== 'llama') throw new Error(model.family);
    },
    widening: 64,
  },
  'shard-index': {
    seeds: [
      {
        ...seedOf('checkpoint/torch/sharded', 'pytorch_model.bin.index.json', 'config.json'),
        ...seedOf(
          'checkpoint/torch/sharded',
          ...([
            'pytorch_model.bin.index.json',
            'config.json',
            'pytorch_model-00001-of-00002.bin',
            'pytorch_model-00002-of-00002.bin',
          ] as const),
        ),
      },
      seedOf(
        'checkpoint/gpt2-sharded',
        'model.safetensors.index.json',
        'config.json',
        ...[1, 2, 3].map((i) => `model-0000${i}-of-00003.safetensors`),
      ),
    ],
    codes: ['checkpoint'],
    run: async (storage) => void (await openCheckpoint(storage)),
  },
  model: {
    seeds: [
      seedOf('checkpoint/gpt2', 'config.json', 'model.safetensors', 'generation_config.json'),
      { ...seedOf('checkpoint/gpt2', 'model.safetensors', 'config.json'), focus: 2500 },
    ],
    codes: ['checkpoint', 'config'],
    run: async (storage) => {
      const { model, arena } = await loadPretrained(storage);
      if (arena.placements.length !== declarationsOf(model).length) throw new Error('parameters are missing');
    },
  },
  ...Object.fromEntries(Object.entries(configs).map(([family, cases]) => [`config-${family}`, configParser(cases)])),
  'generation-config': generationConfigParser(),
  'sentence-encoder': {
    seeds: Object.keys(sentenceFiles).map((file) => ({ file, files: sentenceFiles })),
    codes: ['checkpoint', 'config', 'io'],
    run: openSentences,
  },
  'tokenizer-json': tokenizerParser(...tokenizerJsons),
  'tokenizer-config': tokenizerParser(
    { ...tokenizerJsons[0]!, file: 'tokenizer_config.json' },
    seedOf(`${tokenizerModels}/roberta`, 'tokenizer_config.json', 'vocab.json', 'merges.txt'),
    wordpiece('tokenizer_config.json', 'vocab.txt'),
    sentencePiece('t5', 'spiece.model', 'tokenizer_config.json'),
    sentencePiece('albert', 'spiece.model', 'tokenizer_config.json'),
  ),
  wordpiece: tokenizerParser(wordpiece('vocab.txt')),
  'byte-level': tokenizerParser(
    seedOf(`${tokenizerModels}/gpt2`, 'vocab.json', 'merges.txt', 'config.json'),
    seedOf(`${tokenizerModels}/roberta`, 'merges.txt', 'vocab.json', 'config.json'),
  ),
  'sentencepiece-unigram': tokenizerParser(
    sentencePiece('t5', 'spiece.model'),
    sentencePiece('albert', 'spiece.model'),
  ),
  'sentencepiece-bpe': tokenizerParser(sentencePiece('llama', 'tokenizer.model')),
  'marian-vocabulary': tokenizerParser(
    change(sentencePiece('marian', 'source.spm', 'vocab.json'), 'vocab.json', firstTokens),
    { ...change(sentencePiece('marian', 'source.spm', 'vocab.json'), 'vocab.json', firstTokens), file: 'source.spm' },
  ),
  recipe: {
    seeds: [recipe('multi30k-en-de'), recipe('shakespeare'), recipe('tatoeba-en-zh')],
    codes: ['recipe'],
    run: async (storage, file) => void parseRecipe(textOf(storage, file), file),
  },
  'run-state': {
    seeds: [{ file: 'state.json', files: { 'state.json': json(runState) } }],
    codes: ['run'],
    run: async (storage, file) => void parseRunState(textOf(storage, file), file),
  },
  snapshot: {
    seeds: [{ file: 'manifest.json', files: { 'manifest.json': json(manifest), a: json('a') } }],
    codes: [], // problems are returned
    run: async (storage) => void (await verifySnapshot(storage, 3)),
  },
};
