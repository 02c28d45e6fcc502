import { IGNORED_LABEL } from '../data/bucketBatches.ts';
import { requireAtLeast, requireKnown } from './requireOptions.ts';

export interface PackDocumentsOptions {
  /** T, tokens of a block. */
  readonly blockSize: number;
  /** Put behind every document. */
  readonly endId: number;
  /**
   * Whether a token sees the documents before its own in the block (true: as GPT-2 and GPT-3 were trained: Brown et al. 2020,
   * appendix B, arXiv:2005.14165). With false a document is as if it stood alone.
   */
  readonly seesOthers?: boolean;
}

/** T tokens of running text for a causal language model. */
export interface PackedBlock {
  /** [T] */
  readonly inputs: Int32Array;
  /** [T]: the token behind; −100 where it is of another document and none is seen but one's own. */
  readonly labels: Int32Array;
  /** [T]: from 0, starts again with each document that does not see the others. */
  readonly positions: Int32Array;
  /** [T]: number of the token's document in the block, from 0; all 0 where documents see each other. See `documentMask`. */
  readonly documents: Int32Array;
}

/**
 * Documents one behind the other, each with an end token, in full blocks: each token but the first is a label once, except
 * first tokens of documents that see no other; the remainder of fewer than T at the end is left out. Nothing is random:
 * give the documents in the order of the epoch.
 *
 * @throws QkvError `usage` for options that are unknown or impossible
 */
export function* packDocuments(
  documents: Iterable<ArrayLike<number>>,
  options: PackDocumentsOptions,
): Generator<PackedBlock> {
  const { blockSize, endId, seesOthers = true } = options;
  requireKnown('packDocuments', options, ['blockSize', 'endId', 'seesOthers']);
  requireAtLeast('packDocuments: blockSize', blockSize, 1);
  // T + 1 tokens make a block; its last is the first of the next.
  let tokens: number[] = [];
  let owners: number[] = [];
  let owner = 0;
  for (const document of documents) {
    for (let i = 0; i <= document.length; i++) {
      tokens.push(i < document.length ? document[i]! : endId);
      owners.push(owner);
      if (tokens.length <= blockSize) continue;
      yield packedBlock(tokens, owners);
      tokens = tokens.slice(-1);
      owners = owners.slice(-1);
    }
    if (!seesOthers) owner++;
  }
}

/** A block of T + 1 tokens, of which each sees those alone that have the same owner. */
export function packedBlock(tokens: ArrayLike<number>, owners: ArrayLike<number>): PackedBlock {
  const size = tokens.length - 1;
  const positions = new Int32Array(size);
  const documents = new Int32Array(size);
  for (let t = 1; t < size; t++) {
    const isNew = owners[t] !== owners[t - 1];
    positions[t] = isNew ? 0 : positions[t - 1]! + 1;
    documents[t] = documents[t - 1]! + (isNew ? 1 : 0);
  }
  const labels = Int32Array.from({ length: size }, (_, t) =>
    owners[t + 1] === owners[t] ? tokens[t + 1]! : IGNORED_LABEL,
  );
  const inputs = Int32Array.from({ length: size }, (_, t) => tokens[t]!);
  return { inputs, labels, positions, documents };
}

/** int32 [T, T]: 1 where query t sees key s, which is not behind it and of the same document. */
export function documentMask(documents: ArrayLike<number>): Int32Array {
  const size = documents.length;
  return Int32Array.from({ length: size * size }, (_, i) => {
    const [t, s] = [Math.floor(i / size), i % size];
    return s <= t && documents[s] === documents[t] ? 1 : 0;
  });
}
