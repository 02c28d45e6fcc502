import { QkvError } from '../base/errors.ts';
import { headTask, requireHead } from '../predict/headTasks.ts';
import type { EncoderRunOptions, EncoderSession } from '../predict/session.ts';
import type { Encoding, Tokenizer } from '../tokenizer/tokenizer.ts';
import { type FramedText, frameSize, frameTokens, segmentsFor, textFrame } from './frameText.ts';
import { softmax } from './probabilities.ts';
import { textOf, type Word, wordsOf } from './words.ts';

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
  /** Where it stands in the context, in UTF-16 units; absent where the tokenizer does not say. */
  readonly span?: readonly [number, number];
}

/**
 * The most probable answers to each question in its context (Devlin et al. 2019, section 4.2): spans of whole words, with
 * start ≤ end. A context that is too long is read in pieces that overlap, and the best answers of all pieces are given.
 *
 * @throws QkvError `usage` for a model without the head for it, an empty question or context, a question that leaves no room for a context
 */
export async function answer(
  session: EncoderSession,
  tokenizer: Tokenizer,
  questions: readonly Question[],
  options: AnswerOptions = {},
): Promise<Answer[][]> {
  const { model } = session;
  requireHead(model, 'answer', ['question-answering']);
  const {
    top = 1,
    maxAnswerLength = 15,
    maxLength = Math.min(384, model.maxLength),
    stride,
    allowNone,
    ...running
  } = options;
  for (const [where, value] of Object.entries({
    top,
    maxAnswerLength,
    maxLength,
    ...(stride !== undefined && { stride }),
  })) {
    if (!Number.isSafeInteger(value) || value < (where === 'stride' ? 0 : 1)) {
      throw new QkvError('usage', { where, got: String(value), expected: 'a positive whole number' });
    }
  }
  const pieces = questions.map((question, i) => piecesOf(tokenizer, question, i, { maxLength, stride }));
  const texts = pieces.flatMap((one) =>
    one.texts.map((text) => ({ ids: text.ids, segments: segmentsFor(model, text) })),
  );
  const results = await session.run(headTask(model), texts, running);
  let next = 0;
  return pieces.map((one, i) => {
    const found = new Map<string, Answer>();
    let none = 1;
    one.texts.forEach((text, p) => {
      const { startLogits, endLogits } = results[next++]!;
      // tokens of the question cannot be chosen; the first, special one stands for "no answer"
      const from = text.starts[1]!;
      const count = one.starts[p]!.count;
      const allowed = [0, ...Array.from({ length: count }, (_, k) => from + k)];
      const [starts, ends] = [startLogits!, endLogits!].map(({ data }) => softmax(allowed.map((k) => data[k]!)));
      none = Math.min(none, starts![0]! * ends![0]!);
      for (const { first, last, score } of bestSpans(starts!.slice(1), ends!.slice(1), top, maxAnswerLength)) {
        const offset = one.starts[p]!.first;
        const word = wordSpan(one.words, offset + first, offset + last);
        const key = `${word.first} ${word.end}`;
        if (score <= (found.get(key)?.score ?? -1)) continue;
        const text = textOf(tokenizer, one.encoding, questions[i]!.context, word);
        found.set(key, { text, score, ...(word.span && { span: word.span }) });
      }
    });
    const all = [...found.values(), ...(allowNone ? [{ text: '', score: none }] : [])];
    return all.sort((a, b) => b.score - a.score).slice(0, top);
  });
}

interface Pieces {
  readonly encoding: Encoding;
  readonly words: readonly Word[];
  readonly texts: readonly FramedText[];
  /** The tokens of the context that each piece has. */
  readonly starts: readonly { readonly first: number; readonly count: number }[];
}

function piecesOf(
  tokenizer: Tokenizer,
  { question, context }: Question,
  index: number,
  { maxLength, stride }: { readonly maxLength: number; readonly stride: number | undefined },
): Pieces {
  const frame = textFrame(tokenizer);
  const asked = tokenizer.encode(question, { addSpecialTokens: false });
  const encoding = tokenizer.encode(context, { addSpecialTokens: false });
  const empty = asked.ids.length === 0 ? 'question' : encoding.ids.length === 0 ? 'context' : undefined;
  if (empty) {
    throw new QkvError('usage', {
      where: `${empty} ${index + 1}`,
      got: 'an empty text',
      expected: 'a text with a token or more',
    });
  }
  const room = maxLength - frameSize(frame, 2) - asked.ids.length;
  const overlap = stride ?? Math.min(128, Math.floor(room / 2));
  if (room < 1 || overlap >= room) {
    throw new QkvError('usage', {
      where: `question ${index + 1}`,
      got: `${asked.ids.length} tokens, which leave ${Math.max(0, room)} of ${maxLength} for the context`,
      expected: stride === undefined ? 'a shorter question' : `room for more than the stride of ${stride} tokens`,
    });
  }
  const starts: { first: number; count: number }[] = [];
  for (let first = 0; ; first += room - overlap) {
    const count = Math.min(room, encoding.ids.length - first);
    starts.push({ first, count });
    if (first + count === encoding.ids.length) break;
  }
  return {
    encoding,
    words: wordsOf(tokenizer, encoding, context),
    texts: starts.map(({ first, count }) => frameTokens(frame, [asked.ids, encoding.ids.slice(first, first + count)])),
    starts,
  };
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

/** From the beginning of the word of one token to the end of the word of another. */
function wordSpan(words: readonly Word[], first: number, last: number): Word {
  const of = (token: number): Word => words.find(({ end }) => token < end)!;
  const [begin, finish] = [of(first), of(last)];
  const span = begin.span && finish.span && ([begin.span[0], finish.span[1]] as const);
  return { first: begin.first, end: finish.end, ...(span && { span }) };
}
