import { QkvError } from '../base/errors.ts';
import { deriveSeed, RandomStream } from '../base/random.ts';

/** Token ids of a whole text, one behind the other. */
export type TokenStream = Int32Array | Uint32Array | Uint16Array;

/** B blocks of T tokens for a causal language model; `labels[b, t]` is the token behind `inputs[b, t]`. */
export interface BlockBatch {
  readonly size: number;
  readonly blockSize: number;
  /** [B, T] */
  readonly inputs: Int32Array;
  /** [B, T] */
  readonly labels: Int32Array;
}

export interface RandomBlocksOptions {
  readonly seed: number;
  /** Optimizer step, from 0: with the seed it names the batch, so a run that is resumed needs no position. */
  readonly step: number;
  /** Which of the micro-batches of the step (0). */
  readonly microBatch?: number;
  readonly batchSize: number;
  readonly blockSize: number;
}

/** Blocks at independent offsets, uniform on [0, N − T), a function of (seed, step, microBatch). */
export function randomBlocks(tokens: TokenStream, options: RandomBlocksOptions): BlockBatch {
  const { seed, step, microBatch = 0, batchSize, blockSize } = options;
  requireEnough(tokens, blockSize);
  requireWhole('batchSize', batchSize);
  const stream = new RandomStream(deriveSeed(seed, 'blocks', step, microBatch));
  const offsets = Array.from({ length: batchSize }, () => stream.below(tokens.length - blockSize));
  return collate(tokens, offsets, blockSize);
}

/**
 * The text in blocks that follow each other without overlap: each token but the first is a label once, apart from the
 * remainder of fewer than T at the end, which is left out. The last batch may be smaller.
 */
export function* consecutiveBlocks(
  tokens: TokenStream,
  options: { readonly batchSize: number; readonly blockSize: number },
): Generator<BlockBatch> {
  const { batchSize, blockSize } = options;
  requireEnough(tokens, blockSize);
  requireWhole('batchSize', batchSize);
  const blocks = Math.floor((tokens.length - 1) / blockSize);
  for (let start = 0; start < blocks; start += batchSize) {
    const size = Math.min(batchSize, blocks - start);
    yield collate(
      tokens,
      Array.from({ length: size }, (_, i) => (start + i) * blockSize),
      blockSize,
    );
  }
}

function collate(tokens: TokenStream, offsets: readonly number[], blockSize: number): BlockBatch {
  const inputs = new Int32Array(offsets.length * blockSize);
  const labels = new Int32Array(offsets.length * blockSize);
  for (const [row, offset] of offsets.entries()) {
    inputs.set(tokens.subarray(offset, offset + blockSize), row * blockSize);
    labels.set(tokens.subarray(offset + 1, offset + 1 + blockSize), row * blockSize);
  }
  return { size: offsets.length, blockSize, inputs, labels };
}

function requireEnough(tokens: TokenStream, blockSize: number): void {
  requireWhole('blockSize', blockSize);
  if (tokens.length > blockSize) return;
  throw new QkvError('data', {
    where: 'text',
    got: `${tokens.length} tokens`,
    expected: `more than blockSize = ${blockSize}`,
    hint: 'Give more text or a smaller blockSize',
  });
}

function requireWhole(where: string, value: number): void {
  if (!Number.isInteger(value) || value < 1) {
    throw new QkvError('data', { where, got: String(value), expected: 'a whole number from 1' });
  }
}
