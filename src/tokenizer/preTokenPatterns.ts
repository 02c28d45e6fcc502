/**
 * How text is cut into the pieces that byte-pair merges never cross. `\s` of JavaScript holds U+FEFF and lacks U+0085,
 * unlike the `\s` of the reference tokenizers, so the patterns name the White_Space property.
 */

/** GPT-2's pattern: https://github.com/openai/gpt-2/blob/master/src/encoder.py */
export const gpt2Pattern: RegExp =
  /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\p{White_Space}\p{L}\p{N}]+|\p{White_Space}+(?!\P{White_Space})|\p{White_Space}+/gu;

/** Llama 3's pattern, in Oniguruma's dialect. Source: https://github.com/meta-llama/llama-models */
export const llama3PatternSource: string =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|" +
  '\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';

/** Stands for a space in the pieces of a word-level vocabulary, as in SentencePiece. */
export const metaspace = '\u2581';

/**
 * Runs of Han characters, of other letters, of digits and of signs, each with the space before it; a space alone; other
 * white space. Every character falls in one of them. Written in Oniguruma's dialect, which `tokenizer.json` holds.
 */
export const wordPatternSource: string =
  `${metaspace}?\\p{Han}+|${metaspace}?(?:(?!\\p{Han})[\\p{L}\\p{M}])+|${metaspace}?\\p{N}+|` +
  `${metaspace}?[^\\s\\p{L}\\p{M}\\p{N}${metaspace}]+|${metaspace}|\\s+`;

/** The same in JavaScript's dialect. */
export const wordPattern: RegExp = new RegExp(
  wordPatternSource.replaceAll('\\p{Han}', '\\p{Script=Han}').replaceAll('\\s', '\\p{White_Space}'),
  'gu',
);
