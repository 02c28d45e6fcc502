import { headTask, requireHead } from '../predict/headTasks.ts';
import type { EncoderRunOptions, EncoderSession } from '../predict/session.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { encodeTexts, type LengthOptions } from './encodeTexts.ts';
import { softmax } from './probabilities.ts';

export interface TagOptions extends EncoderRunOptions, LengthOptions {}

export interface TaggedWord {
  readonly word: string;
  readonly label: string;
  readonly probability: number;
  /** Where the word stands in the text, in UTF-16 units. */
  readonly start: number;
  readonly end: number;
}

/**
 * A label for each word of each text: that of its first token, as such models are trained. Words are the tokenizer's own:
 * pieces that no token reaches across. With `truncate`, words behind the cut have none.
 *
 * @throws QkvError `usage` for a model without the head for it, and texts that are too long
 */
export async function tag(
  session: EncoderSession,
  tokenizer: Tokenizer,
  texts: readonly string[],
  options: TagOptions = {},
): Promise<TaggedWord[][]> {
  const { model } = session;
  requireHead(model, 'tag', ['token-classification']);
  const { classes } = model.head;
  const encoded = encodeTexts(model, tokenizer.encodeWithOffsets, texts, options);
  const results = await session.run(headTask(model), encoded, options);
  return results.map(({ logits }, i) => {
    const { offsets, words } = encoded[i]!;
    return words.flatMap((word, first): TaggedWord[] => {
      if (word === null || words.indexOf(word) !== first) return [];
      const probabilities = softmax([...logits!.data.subarray(first * classes.length, (first + 1) * classes.length)]);
      const probability = Math.max(...probabilities);
      const label = classes[probabilities.indexOf(probability)]!;
      const [start, end] = trimmed(texts[i]!, offsets[first]![0], offsets[words.lastIndexOf(word)]![1]);
      return [{ word: texts[i]!.slice(start, end), label, probability, start, end }];
    });
  });
}

/** Without the spaces around it, which some tokenizers count to a token. */
export function trimmed(text: string, start: number, end: number): readonly [start: number, end: number] {
  const inner = text.slice(start, end);
  return [start + inner.length - inner.trimStart().length, end - (inner.length - inner.trimEnd().length)];
}
