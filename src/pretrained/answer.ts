import { QkvError } from '../base/errors.ts';
import { headTask, requireHead } from '../predict/headTasks.ts';
import type { EncoderRunOptions, EncoderSession, EncoderText } from '../predict/session.ts';
import type { AlignedEncoding } from '../tokenizer/encode.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { segmentsFor } from './encodeTexts.ts';
import { softmax } from './probabilities.ts';
import { trimmed } from './tag.ts';

export interface Question {
  readonly question: string;
  readonly context: string;
}

export interface AnswerOptions extends EncoderRunOptions {
  /** Answers to each question; 1 when left out. */
  readonly top?: number;
  /** Tokens of an answer at most; 15 when left out. */
  readonly maxAnswerLength?: number;
  /** Tokens that the model reads at once, those of the question and special ones included; 384 when left out, or its positions. */
  readonly maxLength?: number;
  /** Tokens of the context that one piece has in common with the next; 128 when left out, or half of what fits. */
  readonly stride?: number;
  /** Whether "no answer" may be one: an empty text. */
  readonly allowNone?: boolean;
}

export interface Answer {
  readonly text: string;
  /** p(start) · p(end) within its piece of the context. */
  readonly score: number;
  /** Where it stands in the context, in UTF-16 units; 0 and 0 of "no answer". */
  readonly start: number;
  readonly end: number;
}

/**
 * The most probable answers to each question in its context (Devlin et al. 2019, section 4.2): spans of whole words, with
 * start ≤ end. A context that is too long is read in pieces that overlap, and the best answers of all pieces are given.
 *
 * @throws QkvError `usage` for a model without the head for it, an empty question or context, and a question that leaves
 * no room for a context
 */
export async function answer(
  session: EncoderSession,
  tokenizer: Tokenizer,
  questions: readonly Question[],
  { allowNone = false, ...options }: AnswerOptions = {},
): Promise<Answer[][]> {
  const found = await answersAndNone(session, tokenizer, questions, options);
  return found.map(({ answers, none }) => {
    const all = [...answers, ...(allowNone ? [{ text: '', score: none, start: 0, end: 0 }] : [])];
    return all.sort((a, b) => b.score - a.score).slice(0, options.top ?? 1);
  });
}

/** The best spans of each question, and p(start) · p(end) of "no answer", the least of all pieces. @throws as {@link answer} */
export async function answersAndNone(
  session: EncoderSession,
  tokenizer: Tokenizer,
  questions: readonly Question[],
  options: Omit<AnswerOptions, 'allowNone'> = {},
): Promise<{ readonly answers: readonly Answer[]; readonly none: number }[]> {
  const { model } = session;
  requireHead(model, 'answer', ['question-answering']);
  const { top = 1, maxAnswerLength = 15, maxLength = 384, stride, ...running } = options;
  checkNumbers({ top, maxAnswerLength, maxLength, stride });
  const limit = Math.min(maxLength, model.maxLength);
  const asked = questions.map((question, i) => {
    const encoding = tokenizer.encodeWithOffsets(question.question, { pair: question.context });
    const pieces = piecesOf(encoding, `question ${i + 1}`, limit, stride);
    return { encoding, pieces, segments: segmentsFor(model, encoding) };
  });
  const texts = asked.flatMap(({ encoding, pieces, segments }) =>
    pieces.map(
      ({ tokens }): EncoderText => ({
        ids: tokens.map((token) => encoding.ids[token]!),
        segments: tokens.map((token) => segments[token]!),
      }),
    ),
  );
  const results = (await session.run(headTask(model), texts, running)).values();
  return asked.map(({ encoding, pieces }, i) => {
    const found = new Map<string, Answer>();
    let none = 1;
    for (const { tokens, from, count } of pieces) {
      const { startLogits, endLogits } = results.next().value!;
      // Tokens of the question cannot be chosen; the first, special one stands for "no answer".
      const [starts, ends] = [startLogits!, endLogits!].map(({ data }) =>
        softmax([data[0]!, ...data.subarray(from, from + count)]),
      ) as [number[], number[]];
      none = Math.min(none, starts[0]! * ends[0]!);
      for (const { first, last, score } of bestSpans(starts.slice(1), ends.slice(1), top, maxAnswerLength)) {
        const [start, end] = wholeWords(encoding, tokens[from + first]!, tokens[from + last]!, questions[i]!.context);
        const key = `${start} ${end}`;
        if (score <= (found.get(key)?.score ?? -1)) continue;
        found.set(key, { text: questions[i]!.context.slice(start, end), score, start, end });
      }
    }
    return { answers: [...found.values()].sort((a, b) => b.score - a.score).slice(0, top), none };
  });
}

function checkNumbers(numbers: Readonly<Record<string, number | undefined>>): void {
  for (const [where, value] of Object.entries(numbers)) {
    const min = where === 'stride' ? 0 : 1;
    if (value === undefined || (Number.isSafeInteger(value) && value >= min)) continue;
    throw new QkvError('usage', { where, got: String(value), expected: `a whole number from ${min} on` });
  }
}

export interface Piece {
  /** Indices into the encoding. */
  readonly tokens: readonly number[];
  /** Those of the context: `count` of them from `from` on. */
  readonly from: number;
  readonly count: number;
}

/** The whole encoding, or, where it is too long, what stands around the context with one part of the context after the other. */
export function piecesOf(encoding: AlignedEncoding, where: string, limit: number, stride: number | undefined): Piece[] {
  const all = encoding.ids.map((_, token) => token);
  const of = (text: 0 | 1): number[] => all.filter((token) => encoding.sequences[token] === text);
  const [question, context] = [of(0), of(1)];
  if (question.length === 0 || context.length === 0) {
    const got = `an empty ${question.length === 0 ? 'question' : 'context'}`;
    throw new QkvError('usage', { where, got, expected: 'a question and a context' });
  }
  const from = context[0]!;
  const around = all.length - context.length;
  const room = limit - around;
  const overlap = stride ?? Math.min(128, Math.floor(room / 2));
  if (all.length > limit && overlap >= room) {
    throw new QkvError('usage', {
      where,
      got: `${around} tokens beside the context, which leave ${Math.max(0, room)} of ${limit} for it`,
      expected: stride === undefined ? 'a shorter question' : `room for more than the stride of ${stride} tokens`,
    });
  }
  const pieces: Piece[] = [];
  for (let first = 0; ; first += room - overlap) {
    const part = context.slice(first, first + Math.max(room, 1));
    pieces.push({
      tokens: [...all.slice(0, from), ...part, ...all.slice(context.at(-1)! + 1)],
      from,
      count: part.length,
    });
    if (first + part.length === context.length) return pieces;
  }
}

interface TokenSpan {
  readonly first: number;
  readonly last: number;
  readonly score: number;
}

/** The `top` spans of at most `longest` tokens with the largest p(start) · p(end). */
function bestSpans(starts: readonly number[], ends: readonly number[], top: number, longest: number): TokenSpan[] {
  let best: TokenSpan[] = [];
  starts.forEach((start, first) => {
    for (let last = first; last < Math.min(ends.length, first + longest); last++) {
      const score = start * ends[last]!;
      if (best.length === top && score <= best.at(-1)!.score) continue;
      best = [...best, { first, last, score }].sort((a, b) => b.score - a.score).slice(0, top);
    }
  });
  return best;
}

/** Characters from the beginning of the word that one token is of to the end of the word of another. */
function wholeWords(
  { offsets, words, sequences }: AlignedEncoding,
  first: number,
  last: number,
  context: string,
): readonly [number, number] {
  const isOf =
    (token: number) =>
    (word: number | null, i: number): boolean =>
      word === words[token] && sequences[i] === 1;
  return trimmed(context, offsets[words.findIndex(isOf(first))]![0], offsets[words.findLastIndex(isOf(last))]![1]);
}
