import { splitWords, trim } from './segments.ts';

/** `13a`: for languages with spaces. `zh`: splits Chinese characters, the rest as 13a. `char`: every character. `none`: at spaces. */
export type BleuTokenizer = '13a' | 'zh' | 'char' | 'none';

/** The tokens that BLEU counts. Each gives the tokens that sacreBLEU's tokenizer of the same name gives. */
export const bleuTokenizers: { readonly [name in BleuTokenizer]: (line: string) => string[] } = {
  '13a': (line) => splitPunctuation(` ${decodeMarkup(line)} `),
  zh: (line) => splitPunctuation(trim(line).replace(CHINESE, ' $& ')),
  char: (line) => splitWords([...line].join(' ')),
  none: splitWords,
};

/** The language-independent part of NIST's mteval-v13a.pl. The order matters: `&amp;lt;` becomes `<`, `&amp;quot;` becomes `&quot;`. */
function decodeMarkup(line: string): string {
  return line
    .replaceAll('<skipped>', '')
    .replaceAll('-\n', '')
    .replaceAll('\n', ' ')
    .replaceAll('&quot;', '"')
    .replaceAll('&amp;', '&')
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>');
}

/** mteval-v13a.pl's part for Western languages. `'` and `-` stay inside words; `.` and `,` stay inside numbers. */
function splitPunctuation(line: string): string[] {
  return splitWords(
    line
      .replace(/[{-~[-` -&(-+:-@/]/g, ' $& ')
      .replace(/([^0-9])([.,])/gu, '$1 $2 ')
      .replace(/([.,])([^0-9])/gu, ' $1 $2')
      .replace(/([0-9])-/g, '$1 - '),
  );
}

/**
 * What the `zh` tokenizer makes a token of its own: ideographs, radicals, bopomofo, full- and half-width forms, CJK and
 * other symbols. The range U+2001–U+2A6D (general punctuation such as “ ” — …, currency, arrows, operators) is there, and
 * the ideographs beyond U+FFFF are not, because sacreBLEU writes the latter's block as the Python literals '\u20000' and
 * '\u2a6d6', which are two characters each. Scores are only comparable if that is kept.
 */
const CHINESE = new RegExp(
  `[${[
    String.raw`\u2001-\u2a6d`,
    String.raw`\u2e80-\u2eff\u2f00-\u2fdf\u2ff0-\u2fff`, // radicals, Kangxi radicals, character structure
    String.raw`\u3000-\u303f\u3100-\u312f\u31a0-\u31bf\u31c0-\u31ef`, // punctuation, bopomofo, strokes
    String.raw`\u3200-\u32ff\u3300-\u33ff`, // enclosed and squared characters
    String.raw`\u3400-\u4db5\u4e00-\u9fbb`, // unified ideographs as of Unicode 4.1
    String.raw`\uf900-\ufa2d\ufa30-\ufa6a\ufa70-\ufad9`, // compatibility ideographs
    String.raw`\ufe10-\ufe1f\ufe30-\ufe4f\uff00-\uffef`, // vertical forms, full- and half-width forms
  ].join('')}]`,
  'gu',
);
