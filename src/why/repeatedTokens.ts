import { type Key, RandomStream } from '../base/random.ts';
import { IGNORED_LABEL } from '../data/bucketBatches.ts';
import { type Batch, batchOf } from './smallLoss.ts';

export interface TokenTaskSizes {
  readonly batch: number;
  readonly length: number;
  readonly vocabSize: number;
}

/** Sequences of independent tokens, each uniform. */
export function randomTokens(key: Key, { batch, length, vocabSize }: TokenTaskSizes): number[][] {
  const stream = new RandomStream(key);
  return Array.from({ length: batch }, () => Array.from({ length }, () => stream.below(vocabSize)));
}

/** The token after the last earlier occurrence of token t; −100 where there is none, or where that is token t itself. */
export function afterEarlier(tokens: readonly number[], t: number): number {
  const earlier = t === 0 ? -1 : tokens.lastIndexOf(tokens[t]!, t - 1);
  return earlier === -1 || earlier === t - 1 ? IGNORED_LABEL : tokens[earlier + 1]!;
}

/** Random tokens, each asked for what `afterEarlier` gives. */
export function repeatedTokens(key: Key, sizes: TokenTaskSizes): Batch {
  const ids = randomTokens(key, sizes);
  return batchOf(
    ids,
    ids.map((tokens) => tokens.map((_, t) => afterEarlier(tokens, t))),
  );
}
