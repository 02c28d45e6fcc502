import { splitWords } from './segments.ts';

/** Python's `\b` and `\w` know the letters and numbers of all scripts; JavaScript's do not. */
const WORD = String.raw`[\p{L}\p{N}_]`;
const START = `(?<!${WORD})(?=${WORD})`;
const END = `(?<=${WORD})(?!${WORD})`;

/** In order. Quotes become \`\` and ''. */
const RULES: readonly (readonly [RegExp, string])[] = [
  // opening quotes
  [/[«“‘„]|`+/g, ' $& '],
  [/^"/, '``'],
  [/``/g, ' `` '],
  [/([ ([{<])(?:"|'')/g, '$1 `` '],
  [new RegExp(`(?<!${WORD})'(?!(?:re|ve|ll|m|t|s|d|n)(?!${WORD}))(?=${WORD})`, 'giu'), "' "],
  // the full stop at the end, with what closes after it; commas and colons, but not inside numbers; the rest
  [/([^.])(\.)([\])}>"'»”’ ]*)\s*$/u, '$1 $2 $3 '],
  [/([:,])(\P{Nd})/gu, ' $1 $2'],
  [/[:,]$/, ' $& '],
  [/\.{2,}/g, ' $& '],
  [/[;@#$%&]/g, ' $& '],
  [/[\u2012-\u2015]/g, ' $& '],
  [/[?!]/g, ' $& '],
  [/([^'])' /gu, "$1 ' "],
  [/\*/g, ' * '],
  [/[\][(){}<>]/g, ' $& '],
  [/--/g, ' -- '],
  [/^.*$/s, ' $& '],
  // closing quotes and what hangs at a word
  [/[»”’]/g, ' $& '],
  [/''/g, " '' "],
  [/"/g, " '' "],
  [/\s+/g, ' '],
  [/([^' ])('[sSmMdD]|') /gu, '$1 $2 '],
  [/([^' ])('ll|'LL|'re|'RE|'ve|'VE|n't|N'T) /gu, '$1 $2 '],
  // contractions
  ...[
    `${START}(can)(not)${END}`,
    `${START}(d)('ye)${END}`,
    `${START}(gim)(me)${END}`,
    `${START}(gon)(na)${END}`,
    `${START}(got)(ta)${END}`,
    `${START}(lem)(me)${END}`,
    `${START}(more)('n)${END}`,
    String.raw`${START}(wan)(na)(?=\s)`,
    ` ('t)(is)${END}`,
    ` ('t)(was)${END}`,
  ].map((pattern): [RegExp, string] => [new RegExp(pattern, 'giu'), ' $1 $2 ']),
];

/**
 * The words of one sentence as NLTK's `word_tokenize(line, preserve_line=True)` gives them: the Penn Treebank's rules with
 * NLTK's additions (https://www.nltk.org/api/nltk.tokenize.destructive.html). Its second rule for the last full stop is left
 * out: where it matches, the first one has already put the spaces.
 */
export function treebankWords(line: string): string[] {
  return splitWords(RULES.reduce((text, [pattern, replacement]) => text.replace(pattern, replacement), line));
}
