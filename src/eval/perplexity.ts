import { QkvError } from '../base/errors.ts';
import { checkNumbers } from './checkPaired.ts';
import { checkOptions } from './segments.ts';

/**
 * e to the mean of the tokens' negative log-likelihoods, which are in nats. Only comparable between models that share a
 * tokenizer; {@link bitsPerByte} is free of that.
 *
 * @throws QkvError `data` on no losses and on NaN
 */
export function perplexity(tokenLosses: ArrayLike<number>): number {
  return Math.exp(sumOfLosses('perplexity', tokenLosses) / tokenLosses.length);
}

/**
 * Bits that a model needs for a byte of the text, Σ losses / (ln 2 · bytes) (Gao et al. 2020, section 3.1,
 * https://arxiv.org/abs/2101.00027).
 *
 * @param tokenLosses negative log-likelihood of each token, in nats
 * @param bytes length of the text in UTF-8, the part that the losses are of
 * @throws QkvError `data` on no losses and on NaN, `usage` on another number of bytes than a positive integer
 */
export function bitsPerByte(tokenLosses: ArrayLike<number>, bytes: number): number {
  checkCount('bitsPerByte: bytes', bytes, Number.MAX_SAFE_INTEGER);
  return sumOfLosses('bitsPerByte', tokenLosses) / (Math.LN2 * bytes);
}

function sumOfLosses(where: string, tokenLosses: ArrayLike<number>): number {
  if (tokenLosses.length === 0) throw new QkvError('data', { where, got: 'no losses', expected: 'at least one' });
  checkNumbers(where, tokenLosses);
  let sum = 0;
  for (let i = 0; i < tokenLosses.length; i++) sum += tokenLosses[i]!;
  return sum;
}

export interface StridedWindow {
  /** The model reads the tokens from `start` to before `end`; its output at place i is about token i + 1. */
  readonly start: number;
  readonly end: number;
  /** Of what it says, that about the tokens from `firstTarget` to `end`, `end` included, counts. */
  readonly firstTarget: number;
}

export interface StridedWindowsOptions {
  /** Tokens that the model can read. */
  readonly maxLength: number;
  /**
   * Targets of each window after the first, 1 to maxLength. They see more than maxLength − stride tokens before them, and the
   * cost grows with maxLength / stride.
   */
  readonly stride: number;
}

/**
 * Windows over a text that is longer than a model can read, such that every token but the first is a target exactly once.
 * Put a begin-of-text token in front for the first one to be a target too. They are those of the rolling log-likelihood of
 * lm-evaluation-harness (https://github.com/EleutherAI/lm-evaluation-harness) with stride = max_seq_len − context_len + 1.
 *
 * @param length number of tokens, at least 2
 * @throws QkvError `data` on a shorter text, `usage` on options out of range
 */
export function stridedWindows(length: number, options: StridedWindowsOptions): StridedWindow[] {
  checkOptions('stridedWindows', options, ['maxLength', 'stride']);
  const { maxLength, stride } = options;
  checkCount('stridedWindows: maxLength', maxLength, Number.MAX_SAFE_INTEGER);
  checkCount('stridedWindows: stride', stride, maxLength);
  if (!(Number.isInteger(length) && length >= 2)) {
    throw new QkvError('data', { where: 'stridedWindows: length', got: String(length), expected: 'at least 2 tokens' });
  }
  const windows: StridedWindow[] = [];
  for (let firstTarget = 1; firstTarget < length; ) {
    const end = Math.min(firstTarget === 1 ? maxLength : firstTarget + stride - 1, length - 1);
    windows.push({ start: Math.max(0, end - maxLength), end, firstTarget });
    firstTarget = end + 1;
  }
  return windows;
}

function checkCount(where: string, value: number, most: number): void {
  if (Number.isInteger(value) && value >= 1 && value <= most) return;
  const expected = most === Number.MAX_SAFE_INTEGER ? 'a positive integer' : `an integer from 1 to ${most}`;
  throw new QkvError('usage', { where, got: String(value), expected });
}
