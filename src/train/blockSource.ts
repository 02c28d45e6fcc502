import { QkvError } from '../base/errors.ts';
import { deriveSeed, type Key, RandomStream } from '../base/random.ts';
import { int32 } from '../base/tensor.ts';
import { type BlockBatch, randomBlocks } from '../data/blockBatches.ts';
import { type BatchPosition, IGNORED_LABEL } from '../data/bucketBatches.ts';
import { type Corpus, exampleOrder } from '../data/corpus.ts';
import { DocumentBlocks } from '../data/documentBlocks.ts';
import { documentMask, type PackedBlock, packedBlock } from '../objectives/packDocuments.ts';
import { prefixLm, prefixMask } from '../objectives/prefixLm.ts';
import type { LanguageModelRecipe } from '../recipe/recipe.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { Epochs } from './epochs.ts';
import type { Micro, TextTaskParts, TrainingTask } from './task.ts';

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

/**
 * Of one `text`: random blocks, an epoch without end. Of documents: blocks that follow each other from a random offset, in a new
 * order in each epoch; or, of separate ones, blocks that no document sees another in.
 */
export function blockSource(
  recipe: LanguageModelRecipe,
  corpora: TextTaskParts['corpora'],
  tokenizer: Tokenizer,
  blockSize: number,
): BlockSource {
  const { seed, objective, train, data } = recipe;
  const isSeparate = train.packing === 'separate-documents';
  const documents = (corpus: Corpus): Source =>
    isSeparate
      ? separateDocuments(recipe, corpus, tokenizer, blockSize)
      : continuousDocuments(recipe, corpus, blockSize);
  const training = data.format === 'text' ? randomText(recipe, corpora.train, blockSize) : documents(corpora.train);
  const validation = documents(corpora.validation);
  const toMicro = (blocks: Blocks, site: string, ...at: number[]): Micro => {
    const key = (row: number): Key => deriveSeed(seed, `${site} prefix`, ...at, row);
    return blocksMicro(objective.prefix ? withPrefixes(blocks, key) : blocks);
  };
  return {
    fingerprint: corpora.train.store.fingerprint,
    visible: objective.prefix || isSeparate,
    batchAt: (position) => toMicro(training.at(position), 'train', position.epoch, position.batchIndex),
    after: (position) => training.after(position),
    *validation(most) {
      const { count, batch } = validation.inOrder();
      for (let first = 0; first < Math.min(count, most); first += train.batchSize) {
        const size = Math.min(train.batchSize, Math.min(count, most) - first);
        yield toMicro(batch(Array.from({ length: size }, (_, i) => first + i)), 'validation', first);
      }
    },
  };
}

/** All blocks of an epoch, by their number. */
interface EpochBlocks {
  readonly count: number;
  batch(blocks: readonly number[]): Blocks;
}

interface Source {
  at(position: BatchPosition): Blocks;
  after(position: BatchPosition): BatchPosition;
  /** The blocks in the order of the text, without an offset. */
  inOrder(): EpochBlocks;
}

/** A run is one epoch without end: batch n is micro-batch n mod `accumulate` of step ⌊n / accumulate⌋. */
function randomText(
  { seed, train }: LanguageModelRecipe,
  { store }: Corpus,
  blockSize: number,
): Omit<Source, 'inOrder'> {
  const tokens = store.read(0, store.tokens);
  const { batchSize, accumulate } = train;
  return {
    at: ({ batchIndex }) => {
      const at = { step: Math.floor(batchIndex / accumulate), microBatch: batchIndex % accumulate };
      return randomBlocks(tokens, { seed, ...at, batchSize, blockSize });
    },
    after: ({ epoch, batchIndex }) => ({ epoch, batchIndex: batchIndex + 1 }),
  };
}

/** Documents one behind the other, read when they are needed. */
function continuousDocuments(recipe: LanguageModelRecipe, corpus: Corpus, blockSize: number): Source {
  const blocksOf = (epoch: number, offset?: (tokens: number) => number): EpochBlocks => {
    const blocks = new DocumentBlocks(corpus.store, corpus.draw(epoch), blockSize, offset);
    return { count: blocks.count, batch: (rows) => blocks.batch(rows) };
  };
  return inEpochs(
    recipe,
    (epoch) =>
      blocksOf(epoch, (tokens) =>
        new RandomStream(deriveSeed(recipe.seed, 'block offset', epoch)).below(
          Math.max(1, Math.min(blockSize, tokens - blockSize)),
        ),
      ),
    () => blocksOf(0),
  );
}

/** Documents in a new order in every epoch, each with an end token behind it, as the store has it; none of them sees another. */
function separateDocuments(
  recipe: LanguageModelRecipe,
  corpus: Corpus,
  tokenizer: Tokenizer,
  blockSize: number,
): Source {
  if (tokenizer.specialIds.eos === undefined) {
    const expected = 'an end token, which stands behind every document';
    throw new QkvError('tokenizer', { where: 'tokenizer_config.json', got: 'no eos_token', expected });
  }
  const pack = (documents: Uint32Array): EpochBlocks => {
    const blocks = new DocumentBlocks(corpus.store, documents, blockSize);
    const packed = (block: number): PackedBlock => {
      const { tokens, owners } = blocks.at(block);
      return packedBlock(tokens, owners);
    };
    return { count: blocks.count, batch: (rows) => collate(rows.map(packed)) };
  };
  return inEpochs(
    recipe,
    (epoch) => {
      const drawn = corpus.draw(epoch);
      return pack(exampleOrder(recipe.seed, epoch, drawn.length).map((i) => drawn[i]!));
    },
    () => pack(corpus.draw(0)),
  );
}

function inEpochs(
  { seed, train, data }: LanguageModelRecipe,
  make: (epoch: number) => EpochBlocks,
  inOrder: () => EpochBlocks,
): Source {
  const buffer = (data.format === 'documents' && data.shuffle?.buffer) || null;
  const epochs = new Epochs({ seed, batchSize: train.batchSize, buffer, make });
  return {
    at: (position) => epochs.examples(position.epoch).batch(epochs.rows(position)),
    after: (position) => epochs.after(position),
    inOrder,
  };
}

function collate(blocks: readonly PackedBlock[]): Blocks {
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
    visible: join(blocks.map(({ documents }) => documentMask(documents))),
    positions: join(blocks.map(({ positions }) => positions)),
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
