import { QkvError } from '../base/errors.ts';
import { type Key, RandomStream } from '../base/random.ts';
import { IGNORED_LABEL } from '../data/bucketBatches.ts';
import { requireAtLeast, requireKnown, requireShare } from './requireOptions.ts';
import { roundHalfEven } from './roundHalfEven.ts';
import type { WordStarts } from './wordStarts.ts';

export interface MaskedLmOptions {
  /** Random tokens are drawn from the ids below, special ones left out. */
  readonly vocabSize: number;
  readonly maskId: number;
  /** [CLS], [SEP], [MASK], padding, …: never chosen, never drawn. */
  readonly specialIds: ReadonlySet<number>;
  /** Tokens that are predicted, as a share of all T of the sequence (0.15). */
  readonly rate?: number;
  /** Share of the chosen tokens that become [MASK] (0.8). */
  readonly maskShare?: number;
  /** Share of the chosen tokens that become a random token (0.1); the rest stays as it is. */
  readonly randomShare?: number;
  /** At most so many predictions; BERT: 20 in 128 tokens, 77 in 512. None by default. */
  readonly maxPredictions?: number;
  /** Choose whole words; without it each token is one. */
  readonly wordStarts?: WordStarts;
  /** Choose up to so many words in a row, n of them with probability ∝ 1/n (1; ALBERT: 3). */
  readonly maxNgram?: number;
}

export interface MaskedText {
  /** [T] */
  readonly inputs: Int32Array;
  /** [T]: the token where it is to be predicted, else −100. */
  readonly labels: Int32Array;
}

/**
 * Masked language modelling: Devlin et al. 2019 §3.1 and A.1 (doi:10.18653/v1/N19-1423), Lan et al. 2020 §4.1 for n-grams
 * (arXiv:1909.11942). As in their released `create_pretraining_data.py`, n = min(maxPredictions, max(1, round(rate · T)))
 * tokens are chosen, words in random order, and a word that would exceed n is passed over; each chosen token is replaced
 * on its own. Unlike there, neither a word nor an n-gram crosses a special token, and random tokens are never special.
 *
 * @throws QkvError `usage` for options that are unknown or impossible
 */
export function maskedLm(ids: ArrayLike<number>, options: MaskedLmOptions, key: Key): MaskedText {
  const { rate = 0.15, maskShare = 0.8, randomShare = 0.1, maxPredictions, maxNgram = 1 } = options;
  checkOptions(options);
  const { vocabSize, maskId, specialIds } = options;
  const inputs = Int32Array.from(ids);
  const labels = new Int32Array(inputs.length).fill(IGNORED_LABEL);
  if (rate === 0) return { inputs, labels };
  const wanted = Math.max(1, roundHalfEven(inputs.length * rate));
  const stream = new RandomStream(key);
  const words = wordsOf(inputs, specialIds, options.wordStarts);
  for (const at of choose(words, Math.min(wanted, maxPredictions ?? wanted), maxNgram, stream)) {
    labels[at] = inputs[at]!;
    const u = stream.uniform();
    if (u < maskShare) inputs[at] = maskId;
    else if (u < maskShare + randomShare) inputs[at] = ordinaryToken(vocabSize, specialIds, stream);
  }
  return { inputs, labels };
}

/**
 * The epoch whose randomness an epoch uses, of data prepared once in `copies` versions (BERT's static masking, with
 * `dupe_factor` copies: 10): epoch e sees version e mod copies. Without it masking is dynamic, new in every epoch (RoBERTa,
 * Liu et al. 2019 §4.1, arXiv:1907.11692). So the key of an example is
 * `deriveSeed(seed, 'mask', maskingEpoch(epoch, copies), example)`.
 */
export function maskingEpoch(epoch: number, copies?: number): number {
  if (copies === undefined) return epoch;
  requireAtLeast('maskingEpoch: copies', copies, 1);
  return epoch % copies;
}

/** Positions [start, end). */
interface Word {
  readonly start: number;
  readonly end: number;
}

function wordsOf(ids: Int32Array, specialIds: ReadonlySet<number>, wordStarts: WordStarts | undefined): Word[] {
  const starts = wordStarts?.(ids);
  const words: { start: number; end: number }[] = [];
  for (const [at, id] of ids.entries()) {
    if (specialIds.has(id)) continue;
    const last = words.at(-1);
    if (last?.end === at && starts?.[at] === 0) last.end = at + 1;
    else words.push({ start: at, end: at + 1 });
  }
  return words;
}

/** Positions of whole words in random order, `wanted` in all or fewer where no other word fits. */
function choose(words: readonly Word[], wanted: number, maxNgram: number, stream: RandomStream): Set<number> {
  const chosen = new Set<number>();
  for (const first of stream.permutation(words.length)) {
    const left = wanted - chosen.size;
    if (left === 0) break;
    const { start } = words[first]!;
    let neighbours = 1;
    while (neighbours < maxNgram && words[first + neighbours]?.start === words[first + neighbours - 1]!.end)
      neighbours++;
    let n = ngramLength(neighbours, stream);
    while (n > 0 && words[first + n - 1]!.end - start > left) n--;
    if (n === 0) continue;
    const positions = Array.from({ length: words[first + n - 1]!.end - start }, (_, i) => start + i);
    if (positions.some((at) => chosen.has(at))) continue;
    for (const at of positions) chosen.add(at);
  }
  return chosen;
}

/** 1 … most, p(n) = (1/n) / Σ (1/k). */
function ngramLength(most: number, stream: RandomStream): number {
  if (most === 1) return 1;
  let total = 0;
  for (let n = 1; n <= most; n++) total += 1 / n;
  let u = stream.uniform() * total;
  let n = 1;
  while (n < most && u >= 1 / n) u -= 1 / n++;
  return n;
}

function ordinaryToken(vocabSize: number, specialIds: ReadonlySet<number>, stream: RandomStream): number {
  for (;;) {
    const id = stream.below(vocabSize);
    if (!specialIds.has(id)) return id;
  }
}

const optionNames = [
  'vocabSize',
  'maskId',
  'specialIds',
  'rate',
  'maskShare',
  'randomShare',
  'maxPredictions',
  'wordStarts',
  'maxNgram',
] as const satisfies (keyof MaskedLmOptions)[];

function checkOptions(options: MaskedLmOptions): void {
  requireKnown('maskedLm', options, optionNames);
  const { vocabSize, specialIds, rate = 0.15, maskShare = 0.8, randomShare = 0.1, maxPredictions, maxNgram } = options;
  requireShare('maskedLm: rate', rate);
  requireShare('maskedLm: maskShare', maskShare);
  requireShare('maskedLm: randomShare', randomShare);
  requireShare('maskedLm: maskShare + randomShare', maskShare + randomShare);
  if (maxPredictions !== undefined) requireAtLeast('maskedLm: maxPredictions', maxPredictions, 1);
  if (maxNgram !== undefined) requireAtLeast('maskedLm: maxNgram', maxNgram, 1);
  let special = 0;
  for (const id of specialIds) if (id < vocabSize) special++;
  if (!(vocabSize > special)) {
    const expected = 'more tokens than the special ones';
    throw new QkvError('usage', { where: 'maskedLm: vocabSize', got: String(vocabSize), expected });
  }
}
