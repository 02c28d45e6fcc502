import { readFileSync } from 'node:fs';
import { deriveSeed, type Key } from '../../src/base/random.ts';
import { loadTokenizer, type Tokenizer } from '../../src/tokenizer/tokenizer.ts';
import { wordPieceJson } from '../../src/tokenizer/vocabularyJson.ts';

/** Five standard deviations: a right count is outside with probability 6·10⁻⁷. */
export function boundOf(trials: number, p: number): number {
  return 5 * Math.sqrt(trials * p * (1 - p));
}

export const keyOf = (...labels: (string | number)[]): Key => deriveSeed(7, ...labels);

/** Chinese sentences of Tatoeba. */
export const chineseLines: readonly string[] = readFileSync('data/tatoeba-en-zh/dev.tsv', 'utf8')
  .split('\n')
  .filter((line) => line !== '')
  .map((line) => line.split('\t')[1]!);

export const specialTokens = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'] as const;

/** A WordPiece tokenizer of these tokens behind BERT's special ones. */
export function wordPieceTokenizer(tokens: Iterable<string>): Tokenizer {
  const vocab = [...new Set([...specialTokens, ...tokens])].join('\n');
  return loadTokenizer(wordPieceJson(vocab), { unk_token: '[UNK]', pad_token: '[PAD]' });
}
