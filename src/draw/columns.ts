/**
 * Characters that take two terminal columns: East Asian Width W and F (Unicode Standard Annex #11), by block, with the
 * emoji that are wide by default. Ambiguous width counts as one column, as terminals outside East Asian locales do.
 */
const WIDE =
  /[\u1100-\u115F\u2E80-\u303E\u3041-\u3247\u3250-\u4DBF\u4E00-\uA4CF\uA960-\uA97C\uAC00-\uD7A3\uF900-\uFAFF\uFE10-\uFE19\uFE30-\uFE6F\uFF01-\uFF60\uFFE0-\uFFE6\u{16FE0}-\u{18DFF}\u{1AFF0}-\u{1B2FF}\u{1F200}-\u{1F265}\u{20000}-\u{3FFFD}]|\p{Emoji_Presentation}/u;
const ZERO = /^[\p{Mn}\p{Me}\p{Cf}]+$/u;

const graphemes = new Intl.Segmenter('und', { granularity: 'grapheme' });

/** What a reader counts as characters: a base with its marks, an emoji sequence. */
export function characters(text: string): string[] {
  return Array.from(graphemes.segment(text), ({ segment }) => segment);
}

/** Terminal columns of one character as `characters` gives it. */
function characterColumns(character: string): number {
  return WIDE.test(character) ? 2 : ZERO.test(character) ? 0 : 1;
}

/** Terminal columns that the text takes. */
export function columnsOf(text: string): number {
  return characters(text).reduce((sum, character) => sum + characterColumns(character), 0);
}

/** The text in exactly `width` columns: cut with `…` where it is longer, padded where it is shorter. */
export function fitColumns(text: string, width: number, align: 'left' | 'right'): string {
  const cut = cutColumns(text, width);
  const padding = ' '.repeat(width - columnsOf(cut));
  return align === 'left' ? cut + padding : padding + cut;
}

/** The text in at most `width` columns, cut with `…`. */
export function cutColumns(text: string, width: number): string {
  if (columnsOf(text) <= width) return text;
  let [cut, used] = ['', 0];
  for (const character of characters(text)) {
    used += characterColumns(character);
    if (used > width - 1) break;
    cut += character;
  }
  return width > 0 ? `${cut}…` : '';
}
