import { QkvError } from '../base/errors.ts';
import type { EncoderModel } from '../models/model.ts';
import type { EncoderText } from '../predict/session.ts';
import type { Encoding, Tokenizer } from '../tokenizer/tokenizer.ts';

/** A place in what a model reads: a special token, or one of the texts. */
export type FramePart =
  | { readonly kind: 'special'; readonly id: number; readonly segment: number }
  | { readonly kind: 'text'; readonly which: 0 | 1; readonly segment: number };

/** What stands around one text and around the two of a pair: `[CLS] A [SEP]`, `[CLS] A [SEP] B [SEP]`. */
export interface TextFrame {
  readonly single: readonly FramePart[];
  readonly pair: readonly FramePart[];
}

type Json = Readonly<Record<string, unknown>>;
const text = (which: 0 | 1, segment: number = which): FramePart => ({ kind: 'text', which, segment });

/**
 * The frame that the post-processor of a `tokenizer.json` says.
 *
 * @throws QkvError `tokenizer` for one that is not known
 */
export function textFrame({ json }: Tokenizer): TextFrame {
  const bare: TextFrame = { single: [text(0)], pair: [text(0), text(1)] };
  return frameOf(json as Json) ?? bare;

  function frameOf(holder: Json): TextFrame | undefined {
    const processor = holder['post_processor'] as Json | null | undefined;
    if (!processor) return undefined;
    const special = (role: string): FramePart => {
      const [, id] = processor[role] as [string, number];
      return { kind: 'special', id, segment: 0 };
    };
    switch (processor['type']) {
      case 'ByteLevel':
        return undefined;
      case 'Sequence': {
        const inner = (processor['processors'] as readonly Json[]).map((one) => frameOf({ post_processor: one }));
        return inner.findLast((frame) => frame !== undefined);
      }
      case 'BertProcessing': {
        const [cls, sep] = [special('cls'), special('sep')];
        return { single: [cls, text(0), sep], pair: [cls, text(0), sep, text(1), { ...sep, segment: 1 }] };
      }
      case 'RobertaProcessing': {
        const [cls, sep] = [special('cls'), special('sep')];
        return { single: [cls, text(0), sep], pair: [cls, text(0), sep, sep, text(1, 0), sep] };
      }
      case 'TemplateProcessing': {
        const tokens = processor['special_tokens'] as Readonly<Record<string, { readonly ids: readonly number[] }>>;
        const parts = (template: unknown): FramePart[] =>
          (template as readonly Json[]).flatMap((p) => templatePart(p, tokens));
        return { single: parts(processor['single']), pair: parts(processor['pair']) };
      }
      default:
        throw new QkvError('tokenizer', {
          where: 'tokenizer.json: post_processor',
          got: String(processor['type']),
          expected: 'TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel or a Sequence of them',
        });
    }
  }
}

function templatePart(part: Json, tokens: Readonly<Record<string, { readonly ids: readonly number[] }>>): FramePart[] {
  if (part['Sequence']) {
    const { id, type_id: segment } = part['Sequence'] as { readonly id: 'A' | 'B'; readonly type_id: number };
    return [text(id === 'A' ? 0 : 1, segment)];
  }
  const { id, type_id: segment } = part['SpecialToken'] as { readonly id: string; readonly type_id: number };
  return tokens[id]!.ids.map((one) => ({ kind: 'special', id: one, segment }));
}

/** The tokens of one or two texts in their frame. */
export interface FramedText extends Required<Omit<EncoderText, 'positions'>> {
  /** Of each text, where its first token stands. */
  readonly starts: readonly number[];
}

/** Puts the frame around the tokens of one or two texts. */
export function frameTokens(frame: TextFrame, texts: readonly (readonly number[])[]): FramedText {
  const ids: number[] = [];
  const segments: number[] = [];
  const starts: number[] = [];
  for (const part of texts.length === 1 ? frame.single : frame.pair) {
    if (part.kind === 'text') starts[part.which] = ids.length;
    const tokens = part.kind === 'text' ? texts[part.which]! : [part.id];
    ids.push(...tokens);
    segments.push(...tokens.map(() => part.segment));
  }
  return { ids, segments, starts };
}

/** How many special tokens the frame of so many texts has. */
export function frameSize(frame: TextFrame, texts: number): number {
  return (texts === 1 ? frame.single : frame.pair).filter(({ kind }) => kind === 'special').length;
}

export interface EncodedText extends FramedText {
  /** Of each text, without special tokens, as long as it was before it was cut. */
  readonly encodings: readonly Encoding[];
  /** Of each text, its tokens that are there. */
  readonly kept: readonly number[];
}

export interface EncodeTextsOptions {
  /** Whether the ends of longer texts are cut, of a pair that of the longer text first; otherwise they are an error. */
  readonly truncate: boolean;
  /** Tokens at most, special ones included; the model's positions when left out, and never more. */
  readonly maxLength?: number | undefined;
  /** What text i is called in messages. */
  readonly nameOf?: (i: number) => string;
}

/**
 * Tokens of texts or pairs of texts, with the special ones around them, as the model reads them.
 *
 * @throws QkvError `usage` for a text that is too long, and one that gives no token at all
 */
export function encodeTexts(
  model: EncoderModel,
  tokenizer: Tokenizer,
  inputs: readonly (readonly string[])[],
  { truncate, maxLength = model.maxLength, nameOf = (i) => `text ${i + 1}` }: EncodeTextsOptions,
): EncodedText[] {
  const frame = textFrame(tokenizer);
  const limit = Math.min(maxLength, model.maxLength);
  return inputs.map((texts, i) => {
    const encodings = texts.map((one) => tokenizer.encode(one, { addSpecialTokens: false }));
    const lengths = encodings.map(({ ids }) => ids.length);
    const around = frameSize(frame, texts.length);
    const total = lengths.reduce((a, b) => a + b, around);
    if (total > limit && !truncate) {
      throw new QkvError('usage', {
        where: `${nameOf(i)} (${JSON.stringify(texts[0]!.slice(0, 40))}…)`,
        got: `${total} tokens`,
        expected: `at most ${limit}, which is what the model reads`,
        hint: 'Split it, or truncate',
      });
    }
    const kept = sharesOf(limit - around, lengths);
    const framed = frameTokens(
      frame,
      encodings.map(({ ids }, k) => ids.slice(0, kept[k])),
    );
    if (framed.ids.length === 0) {
      throw new QkvError('usage', { where: nameOf(i), got: 'an empty text', expected: 'a text with a token or more' });
    }
    return { ...framed, segments: segmentsFor(model, framed), encodings, kept };
  });
}

/** The segments of a text where the model tells some apart; else none but 0. */
export function segmentsFor(model: EncoderModel, { ids, segments }: FramedText): readonly number[] {
  return model.segments > 1 ? segments : ids.map(() => 0);
}

/** The tokens that are left of one or two texts in so much room: of the longer one the end goes first, then of both by turns. */
function sharesOf(room: number, lengths: readonly number[]): number[] {
  const [first = 0, second = 0] = lengths;
  if (first + second <= room) return [...lengths];
  if (lengths.length === 1) return [Math.max(0, room)];
  const half = Math.floor(room / 2);
  const shorter = Math.min(first, second, half);
  return first > second ? [room - shorter, shorter] : [shorter, room - shorter];
}
