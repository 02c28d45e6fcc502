import { QkvError } from '../base/errors.ts';
import { type Key, RandomStream } from '../base/random.ts';
import { requireAtLeast, requireKnown, requireShare } from './requireOptions.ts';
import { requireSentences, type Sentences } from './sentences.ts';

export interface SentencePairsOptions {
  /**
   * `next-sentence`: B follows A, or comes from another document (Devlin et al. 2019 §3.1, doi:10.18653/v1/N19-1423).
   * `sentence-order`: B follows A, or A and B are swapped (Lan et al. 2020 §3.1, arXiv:1909.11942).
   */
  readonly objective: 'next-sentence' | 'sentence-order';
  /** Tokens of a pair at most, [CLS] and twice [SEP] included; from 5. */
  readonly maxLength: number;
  readonly clsId: number;
  readonly sepId: number;
  /** Share of pairs that are random or swapped (0.5). */
  readonly negativeShare?: number;
  /** Share of documents that are cut to a shorter length, uniform on 2 … maxLength − 3 (0.1). */
  readonly shortShare?: number;
}

/** An array of documents, or something that reads them when they are needed. */
export interface Documents extends Pick<readonly Sentences[], 'length' | 'at'> {
  /**
   * Indices of the documents, `index` among them, that another one beside it is drawn from, such as those of the same
   * corpus: a text of another kind would give itself away. All when left out, undefined or without another one.
   */
  peers?(index: number): ArrayLike<number> | undefined;
}

/** [CLS] A [SEP] B [SEP] */
export interface SentencePair {
  /** [T], T ≤ maxLength */
  readonly ids: Int32Array;
  /** [T]: 0 for [CLS] A [SEP], 1 for B [SEP]. */
  readonly segments: Int32Array;
  /** 0: B follows A; 1: it is of another document, or the two are swapped. */
  readonly label: 0 | 1;
}

/**
 * The pairs of `documents[index]`, packed as google-research/bert's `create_pretraining_data.py` does: sentences are gathered
 * until they fill a pair and cut between two of them at random; where B is drawn from another document, the sentences that
 * it displaces begin the next pair; a pair that is too long loses tokens of its longer side, at either end alike.
 *
 * Unlike there, another document is never the same one, and sentence order is asked of two parts of the same text only: a
 * pair is filled with two sentences at least, and a last sentence that is left alone gives none.
 *
 * The order of pairs follows the text: shuffle them, and the documents' pairs among each other, before batching.
 *
 * @throws QkvError `usage` for options that are unknown or impossible, `data` for an empty document and for next-sentence
 * pairs of a single document
 */
export function sentencePairs(
  documents: Documents,
  index: number,
  options: SentencePairsOptions,
  key: Key,
): SentencePair[] {
  const { objective, negativeShare = 0.5, shortShare = 0.1 } = options;
  checkOptions(options, documents);
  const document = documents.at(index);
  if (document === undefined) {
    const expected = `0 to ${documents.length - 1}`;
    throw new QkvError('usage', { where: 'sentencePairs: index', got: String(index), expected });
  }
  requireSentences(document, `document ${index}`);
  const stream = new RandomStream(key);
  const longest = options.maxLength - 3;
  const target = stream.uniform() < shortShare ? 2 + stream.below(longest - 1) : longest;
  const pairs: SentencePair[] = [];
  for (let first = 0; first < document.length; ) {
    let end = first;
    let length = 0;
    const least = objective === 'sentence-order' ? 2 : 1;
    while (end < document.length && (length < target || end - first < least)) length += document[end++]!.length;
    if (end - first < least) break;
    const isAlone = end - first === 1;
    const cut = isAlone ? end : first + 1 + stream.below(end - first - 1);
    const a = document.slice(first, cut).flatMap((sentence) => Array.from(sentence));
    const isNegative = isAlone || stream.uniform() < negativeShare;
    if (isNegative && objective === 'next-sentence') {
      pairs.push(toPair(a, fromAnother(documents, index, target - a.length, stream), 1, options, stream));
      first = cut;
      continue;
    }
    const b = document.slice(cut, end).flatMap((sentence) => Array.from(sentence));
    pairs.push(isNegative ? toPair(b, a, 1, options, stream) : toPair(a, b, 0, options, stream));
    first = end;
  }
  return pairs;
}

/** Sentences from a random place of a random other document: at least one, until there are `wanted` tokens. */
function fromAnother(documents: Documents, index: number, wanted: number, stream: RandomStream): number[] {
  const other = otherThan(index, documents, stream);
  const document = documents.at(other)!;
  requireSentences(document, `document ${other}`);
  const tokens: number[] = [];
  for (let at = stream.below(document.length); at < document.length; at++) {
    tokens.push(...Array.from(document[at]!));
    if (tokens.length >= wanted) break;
  }
  return tokens;
}

function otherThan(index: number, documents: Documents, stream: RandomStream): number {
  const peers = documents.peers?.(index);
  if (peers && peers.length > 1) {
    const drawn = peers[stream.below(peers.length - 1)]!;
    return drawn === index ? peers[peers.length - 1]! : drawn;
  }
  const drawn = stream.below(documents.length - 1);
  return drawn < index ? drawn : drawn + 1;
}

function toPair(
  a: readonly number[],
  b: readonly number[],
  label: 0 | 1,
  { maxLength, clsId, sepId }: SentencePairsOptions,
  stream: RandomStream,
): SentencePair {
  const left = { start: 0, end: a.length };
  const right = { start: 0, end: b.length };
  const size = (part: typeof left): number => part.end - part.start;
  while (size(left) + size(right) > maxLength - 3) {
    const longer = size(left) > size(right) ? left : right;
    if (stream.uniform() < 0.5) longer.start++;
    else longer.end--;
  }
  const ids = [clsId, ...a.slice(left.start, left.end), sepId, ...b.slice(right.start, right.end), sepId];
  const segments = new Int32Array(ids.length).fill(1, size(left) + 2);
  return { ids: Int32Array.from(ids), segments, label };
}

const optionNames = [
  'objective',
  'maxLength',
  'clsId',
  'sepId',
  'negativeShare',
  'shortShare',
] as const satisfies (keyof SentencePairsOptions)[];

function checkOptions(options: SentencePairsOptions, documents: Documents): void {
  requireKnown('sentencePairs', options, optionNames);
  const { objective, maxLength, negativeShare = 0.5, shortShare = 0.1 } = options;
  if (objective !== 'next-sentence' && objective !== 'sentence-order') {
    const expected = 'next-sentence or sentence-order';
    throw new QkvError('usage', { where: 'sentencePairs: objective', got: String(objective), expected });
  }
  requireAtLeast('sentencePairs: maxLength', maxLength, 5);
  requireShare('sentencePairs: negativeShare', negativeShare);
  requireShare('sentencePairs: shortShare', shortShare);
  if (objective === 'next-sentence' && documents.length < 2) {
    throw new QkvError('data', {
      where: 'sentencePairs: documents',
      got: String(documents.length),
      expected: 'at least 2: half of the second sentences come from another document',
    });
  }
}
