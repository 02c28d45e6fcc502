import { headTask, requireHead } from '../predict/headTasks.ts';
import type { EncoderSession } from '../predict/session.ts';
import type { AlignedEncoding } from '../tokenizer/encode.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { encodeTexts } from './encodeTexts.ts';
import type { TagOptions } from './tag.ts';

/**
 * A label for each of the given words of each sentence: that of the first token that reaches into the word. The model reads
 * the words with spaces between. Words without a token (behind the cut with `truncate`, or of characters that the
 * tokenizer drops) are `O`.
 *
 * @throws QkvError `usage` for a model without the head for it, and texts that are too long
 */
export async function tagWords(
  session: EncoderSession,
  tokenizer: Tokenizer,
  sentences: readonly (readonly string[])[],
  options: TagOptions = {},
): Promise<string[][]> {
  const { model } = session;
  requireHead(model, 'tagWords', ['token-classification']);
  const { classes } = model.head;
  const texts = sentences.map((words) => words.join(' '));
  const encoded = encodeTexts(model, tokenizer.encodeWithOffsets, texts, options);
  const results = await session.run(headTask(model), encoded, options);
  return sentences.map((words, i) => {
    const { data } = results[i]!['logits']!;
    return firstTokens(words, encoded[i]!).map((token) => {
      if (token === undefined) return 'O';
      const logits = [...data.subarray(token * classes.length, (token + 1) * classes.length)];
      return classes[logits.indexOf(Math.max(...logits))]!;
    });
  });
}

/** Of words that were encoded with spaces between: the first token that reaches into each, undefined where there is none. */
export function firstTokens(
  words: readonly string[],
  { offsets, sequences }: Pick<AlignedEncoding, 'offsets' | 'sequences'>,
): (number | undefined)[] {
  let [start, token] = [0, 0];
  return words.map((word) => {
    const end = start + word.length;
    while (token < offsets.length && (sequences[token] === null || offsets[token]![1] <= start)) token++;
    const isOfWord = token < offsets.length && offsets[token]![0] < end;
    start = end + 1;
    return isOfWord ? token : undefined;
  });
}
