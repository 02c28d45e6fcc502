import { headTask, requireHead } from '../predict/headTasks.ts';
import type { EncoderRunOptions, EncoderSession } from '../predict/session.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { encodeTexts } from './frameText.ts';
import { softmax } from './probabilities.ts';
import { textOf, wordsOf } from './words.ts';

export interface TagOptions extends EncoderRunOptions {
  readonly truncate?: boolean;
}

export interface TaggedWord {
  readonly word: string;
  readonly label: string;
  readonly probability: number;
  /** Where the word stands in the text, in UTF-16 units; absent where the tokenizer does not say. */
  readonly span?: readonly [number, number];
}

/**
 * A label for each word of each text: that of its first token, as such models are trained. Words whose tokens were cut
 * away have none.
 *
 * @throws QkvError `usage` for a model without the head for it, and texts that are too long
 */
export async function tag(
  session: EncoderSession,
  tokenizer: Tokenizer,
  texts: readonly string[],
  { truncate = false, ...options }: TagOptions = {},
): Promise<TaggedWord[][]> {
  const { model } = session;
  requireHead(model, 'tag', ['token-classification']);
  const { classes } = model.head;
  const inputs = texts.map((text) => [text]);
  const encoded = encodeTexts(model, tokenizer, inputs, { truncate });
  const results = await session.run(headTask(model), encoded, options);
  return results.map(({ logits }, i) => {
    const { encodings, kept, starts } = encoded[i]!;
    const [encoding, text] = [encodings[0]!, texts[i]!];
    const words = wordsOf(tokenizer, encoding, text).filter(({ first }) => first < kept[0]!);
    return words.map((word) => {
      const row = (starts[0]! + word.first) * classes.length;
      const probabilities = softmax([...logits!.data.subarray(row, row + classes.length)]);
      const probability = Math.max(...probabilities);
      return {
        word: textOf(tokenizer, encoding, text, word),
        label: classes[probabilities.indexOf(probability)]!,
        probability,
        ...(word.span && { span: word.span }),
      };
    });
  });
}
