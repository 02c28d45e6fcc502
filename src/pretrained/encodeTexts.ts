import { QkvError } from '../base/errors.ts';
import type { EncoderModel } from '../models/model.ts';
import type { EncoderText } from '../predict/session.ts';
import type { Encoding } from '../tokenizer/encode.ts';

/** What happens to a text that is too long. */
export interface LengthOptions {
  /** Whether the ends of longer texts are cut, of a pair that of the longer text first; otherwise they are an error. */
  readonly truncate?: boolean;
  /** Tokens at most, special ones included; the model's positions when left out, and never more. */
  readonly maxLength?: number | undefined;
  /** Called with the index of each text that is cut. */
  readonly onTruncate?: ((i: number) => void) | undefined;
}

export interface EncodeTextsOptions extends LengthOptions {
  /** What text i is called in messages. */
  readonly nameOf?: (i: number) => string;
}

type Encode<E> = (text: string, options: { readonly pair?: string; readonly maxLength?: number }) => E;

/**
 * Tokens of texts or pairs of texts, by `tokenizer.encode` or `tokenizer.encodeWithOffsets`, and the segments that the
 * model tells apart.
 *
 * @throws QkvError `usage` for a text that is too long, and one that gives no token at all
 */
export function encodeTexts<E extends Encoding = Encoding>(
  model: EncoderModel,
  encode: Encode<E>,
  texts: readonly (string | readonly [string, string])[],
  { truncate = false, maxLength = model.maxLength, onTruncate, nameOf = (i) => `text ${i + 1}` }: EncodeTextsOptions,
): (E & EncoderText)[] {
  const limit = Math.min(maxLength, model.maxLength);
  return texts.map((given, i) => {
    const [text, pair] = typeof given === 'string' ? [given] : given;
    const options = pair === undefined ? {} : { pair };
    let encoding = encode(text, options);
    if (encoding.ids.length > limit) {
      if (!truncate) throw tooLong(nameOf(i), text, encoding.ids.length, limit);
      encoding = encode(text, { ...options, maxLength: limit });
      onTruncate?.(i);
    }
    if (encoding.ids.length === 0) {
      throw new QkvError('usage', { where: nameOf(i), got: 'an empty text', expected: 'a text with a token or more' });
    }
    return { ...encoding, segments: segmentsFor(model, encoding) };
  });
}

/** The segments of a text where the model tells some apart; else none but 0. */
export function segmentsFor({ segments }: EncoderModel, { typeIds }: Encoding): readonly number[] {
  return segments > 1 ? typeIds : typeIds.map(() => 0);
}

function tooLong(name: string, text: string, tokens: number, limit: number): QkvError {
  return new QkvError('usage', {
    where: `${name} (${JSON.stringify(text.slice(0, 40))}…)`,
    got: `${tokens} tokens`,
    expected: `at most ${limit}, which is what the model reads`,
    hint: 'Split it, or truncate',
  });
}
