import { QkvError } from '../base/errors.ts';
import { deriveSeed, type Key, permutation } from '../base/random.ts';
import { int32 } from '../base/tensor.ts';
import { type BlockBatch, consecutiveBlocks, randomBlocks } from '../data/blockBatches.ts';
import { IGNORED_LABEL } from '../data/bucketBatches.ts';
import { documentMask, type PackedBlock, packDocuments } from '../objectives/packDocuments.ts';
import { prefixLm, prefixMask } from '../objectives/prefixLm.ts';
import type { LanguageModelRecipe } from '../recipe/recipe.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { EpochCache } from './epochCache.ts';
import { Fingerprint } from './fingerprint.ts';
import type { Micro, TrainingTask } from './task.ts';

/** Blocks, and who may see whom where that is not the order from left to right alone. */
interface Blocks extends BlockBatch {
  /** [B, T, T] */
  readonly visible?: Int32Array;
  /** [B, T] */
  readonly positions?: Int32Array;
}

/** The blocks of a language model's text, in the order in which a run takes them. */
export interface BlockSource extends Pick<TrainingTask, 'fingerprint' | 'batchAt' | 'after'> {
  /** Whether batches say who may see whom. */
  readonly visible: boolean;
  /** Those of the validation part from its start, `most` at most. */
  validation(most: number): Iterable<Micro>;
}

export function blockSource(
  recipe: LanguageModelRecipe,
  parts: { readonly train: string; readonly validation: string },
  tokenizer: Tokenizer,
  blockSize: number,
): BlockSource {
  const { seed, objective } = recipe;
  const { packing, batchSize } = recipe.train;
  const source =
    packing === 'random-blocks'
      ? runningText(recipe, parts, tokenizer, blockSize)
      : packedDocuments(recipe, parts, tokenizer, blockSize);
  const toMicro = (blocks: Blocks, site: string, ...at: number[]): Micro => {
    const key = (row: number): Key => deriveSeed(seed, `${site} prefix`, ...at, row);
    return blocksMicro(objective.prefix ? withPrefixes(blocks, key) : blocks);
  };
  return {
    fingerprint: source.fingerprint,
    visible: objective.prefix || packing === 'separate-documents',
    batchAt: ({ epoch, batchIndex }) => toMicro(source.at(epoch, batchIndex), 'train', epoch, batchIndex),
    after: ({ epoch, batchIndex }) =>
      batchIndex + 1 < source.count(epoch)
        ? { epoch, batchIndex: batchIndex + 1 }
        : { epoch: epoch + 1, batchIndex: 0 },
    *validation(most) {
      let first = 0;
      for (const blocks of source.validation(batchSize)) {
        const size = Math.min(blocks.size, most - first);
        if (size <= 0) return;
        yield toMicro(firstRows(blocks, size), 'validation', first);
        first += size;
      }
    },
  };
}

interface Source {
  readonly fingerprint: string;
  /** Batches of an epoch. */
  count(epoch: number): number;
  at(epoch: number, batchIndex: number): Blocks;
  validation(batchSize: number): Iterable<Blocks>;
}

type Parts = Parameters<typeof blockSource>[1];

/** A run is one epoch without end: batch n is micro-batch n mod `accumulate` of step ⌊n / accumulate⌋. */
function runningText(recipe: LanguageModelRecipe, parts: Parts, tokenizer: Tokenizer, blockSize: number): Source {
  const { seed } = recipe;
  const { batchSize, accumulate } = recipe.train;
  const encode = (text: string): Int32Array => Int32Array.from(tokenizer.encode(text, { addSpecialTokens: false }).ids);
  const [train, validation] = [encode(parts.train), encode(parts.validation)];
  return {
    fingerprint: new Fingerprint().add(train).text,
    count: () => Number.POSITIVE_INFINITY,
    at: (_, batchIndex) => {
      const at = { step: Math.floor(batchIndex / accumulate), microBatch: batchIndex % accumulate };
      return randomBlocks(train, { seed, ...at, batchSize, blockSize });
    },
    validation: (size) => consecutiveBlocks(validation, { batchSize: size, blockSize }),
  };
}

/** Documents, which blank lines part, in a new order in every epoch, each with an end token behind it. */
function packedDocuments(recipe: LanguageModelRecipe, parts: Parts, tokenizer: Tokenizer, blockSize: number): Source {
  const { seed } = recipe;
  const { batchSize, packing } = recipe.train;
  const endId = tokenizer.specialIds.eos;
  if (endId === undefined) {
    const expected = 'an end token, which stands behind every document';
    throw new QkvError('tokenizer', { where: 'tokenizer_config.json', got: 'no eos_token', expected });
  }
  const documentsOf = (text: string): Int32Array[] =>
    text
      .split(/\n\s*\n/)
      .map((one) => Int32Array.from(tokenizer.encode(one.trim(), { addSpecialTokens: false }).ids))
      .filter(({ length }) => length > 0);
  const seesOthers = packing === 'documents';
  const pack = (documents: Iterable<Int32Array>): readonly PackedBlock[] => {
    const blocks = [...packDocuments(documents, { blockSize, endId, seesOthers })];
    if (blocks.length > 0) return blocks;
    throw new QkvError('data', {
      where: 'text',
      got: 'too few tokens for a block',
      expected: `${blockSize + 1} at least`,
    });
  };
  const train = documentsOf(parts.train);
  const validation = pack(documentsOf(parts.validation));
  const epochs = new EpochCache((epoch) => {
    const order = permutation(deriveSeed(seed, 'documents'), epoch, train.length);
    return pack(Array.from(order, (i) => train[i]!));
  });
  const fingerprint = new Fingerprint();
  for (const document of train) fingerprint.add(document);
  return {
    fingerprint: fingerprint.text,
    count: (epoch) => Math.ceil(epochs.at(epoch).length / batchSize),
    at: (epoch, batchIndex) => {
      const blocks = epochs.at(epoch);
      // the last batch of an epoch is filled up with its first blocks: all batches have one shape
      const rows = Array.from({ length: batchSize }, (_, i) => blocks[(batchIndex * batchSize + i) % blocks.length]!);
      return collate(rows, !seesOthers);
    },
    *validation(size) {
      for (let first = 0; first < validation.length; first += size) {
        yield collate(validation.slice(first, first + size), !seesOthers);
      }
    },
  };
}

function collate(blocks: readonly PackedBlock[], apart: boolean): Blocks {
  const [size, blockSize] = [blocks.length, blocks[0]!.inputs.length];
  const join = (rows: readonly Int32Array[]): Int32Array => {
    const all = new Int32Array(rows.reduce((sum, { length }) => sum + length, 0));
    for (const [i, row] of rows.entries()) all.set(row, i * row.length);
    return all;
  };
  return {
    size,
    blockSize,
    inputs: join(blocks.map(({ inputs }) => inputs)),
    labels: join(blocks.map(({ labels }) => labels)),
    ...(apart && {
      visible: join(blocks.map(({ documents }) => documentMask(documents))),
      positions: join(blocks.map(({ positions }) => positions)),
    }),
  };
}

/** A beginning of each block is given and sees itself; the rest is predicted. */
function withPrefixes({ size, blockSize, inputs, labels }: Blocks, key: (row: number) => Key): Blocks {
  const visible = new Int32Array(size * blockSize * blockSize);
  const positions = new Int32Array(size * blockSize);
  const kept = Int32Array.from(labels);
  for (let row = 0; row < size; row++) {
    const [start, end] = [row * blockSize, (row + 1) * blockSize];
    const text = prefixLm(Int32Array.of(...inputs.subarray(start, end), labels[end - 1]!), key(row));
    kept.set(text.labels, start);
    visible.set(prefixMask(blockSize, text.prefix), start * blockSize);
    for (let t = 0; t < blockSize; t++) positions[start + t] = t;
  }
  return { size, blockSize, inputs, labels: kept, visible, positions };
}

function firstRows({ blockSize, inputs, labels, visible, positions }: Blocks, size: number): Blocks {
  const end = size * blockSize;
  return {
    size,
    blockSize,
    inputs: inputs.slice(0, end),
    labels: labels.slice(0, end),
    ...(visible && { visible: visible.slice(0, end * blockSize) }),
    ...(positions && { positions: positions.slice(0, end) }),
  };
}

function blocksMicro({ size, blockSize, inputs, labels, visible, positions }: Blocks): Micro {
  const shape = [size, blockSize];
  return {
    inputs: {
      inputIds: int32(shape, inputs),
      labels: int32(shape, labels),
      ...(visible && { visible: int32([...shape, blockSize], visible) }),
      ...(positions && { positions: int32(shape, positions) }),
    },
    targetTokens: labels.reduce((sum, label) => sum + (label === IGNORED_LABEL ? 0 : 1), 0),
    tokens: size * blockSize,
  };
}
