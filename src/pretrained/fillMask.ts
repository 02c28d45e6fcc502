import { QkvError } from '../base/errors.ts';
import { maskedWordsTask, requireHead } from '../predict/headTasks.ts';
import type { EncoderRunOptions, EncoderSession } from '../predict/session.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { encodeTexts } from './encodeTexts.ts';

export interface FillMaskOptions extends EncoderRunOptions {
  /** Words for each mask; 5 when left out. */
  readonly top?: number;
  readonly truncate?: boolean;
}

export interface MaskCandidate {
  readonly id: number;
  /** As the tokenizer decodes it alone; empty for an id that only the model has, in rows that fill up its table. */
  readonly text: string;
  readonly probability: number;
}

export interface FilledText {
  /** The text with each mask replaced by its most probable word. */
  readonly text: string;
  /** For each mask, from left to right, the most probable words. */
  readonly masks: readonly (readonly MaskCandidate[])[];
}

/**
 * The most probable words for each mask of each text, as `[MASK]` or `<mask>` stand in it. Several masks are filled
 * independently.
 *
 * @throws QkvError `usage` for a model without a masked-LM head, a text without a mask, texts that are too long
 */
export async function fillMask(
  session: EncoderSession,
  tokenizer: Tokenizer,
  texts: readonly string[],
  { top = 5, truncate = false, ...options }: FillMaskOptions = {},
): Promise<FilledText[]> {
  const { model } = session;
  requireHead(model, 'fillMask', ['masked-lm', 'pretraining']);
  if (!Number.isSafeInteger(top) || top < 1 || top > model.vocabSize) {
    const expected = `a whole number from 1 to ${model.vocabSize}, the words that there are`;
    throw new QkvError('usage', { where: 'top', got: String(top), expected });
  }
  const maskId = maskOf(tokenizer);
  const mask = tokenizer.idToToken(maskId)!;
  const encoded = encodeTexts(model, tokenizer.encode, texts, { truncate });
  const masked = encoded.map((text, i) => {
    const positions = text.ids.flatMap((id, position) => (id === maskId ? [position] : []));
    if (positions.length > 0) return { ...text, positions };
    throw new QkvError('usage', {
      where: `text ${i + 1} (${JSON.stringify(texts[i]!.slice(0, 40))})`,
      got: 'no mask',
      expected: `${mask} where a word is to be found`,
    });
  });
  const results = await session.run(maskedWordsTask(model, top), masked, options);
  return results.map(({ topIds, topValues }, i) => {
    const masks = masked[i]!.positions.map((_, m) =>
      Array.from({ length: top }, (_, k) => {
        const id = topIds!.data[m * top + k]!;
        const isKnown = tokenizer.idToToken(id) !== undefined;
        return {
          id,
          text: isKnown ? tokenizer.decode([id]) : '',
          probability: Math.exp(topValues!.data[m * top + k]!),
        };
      }),
    );
    const parts = texts[i]!.split(mask);
    const text = parts.map((part, m) => (m === 0 ? part : `${masks[m - 1]?.[0]?.text.trim() ?? mask}${part}`)).join('');
    return { text, masks };
  });
}

/** The usual tokens where the tokenizer does not say which one is the mask. */
const usual = ['[MASK]', '<mask>'];

export function maskOf({ specialIds, tokenToId }: Tokenizer): number {
  const id = specialIds.mask ?? usual.map(tokenToId).find((found) => found !== undefined);
  if (id !== undefined) return id;
  throw new QkvError('tokenizer', {
    where: 'mask_token',
    got: 'none',
    expected: `one in tokenizer_config.json, or ${usual.join(' or ')} in the vocabulary`,
  });
}
