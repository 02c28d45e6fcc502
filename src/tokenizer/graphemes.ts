const segmenter = new Intl.Segmenter('und', { granularity: 'grapheme' });
/** ASCII that cannot join with what stands beside it; runs of anything else with one such character at either end. */
const sections = /(?:\r\n|[\0-\x7f])?(?:[^\0-\x7f]+(?:\r\n|[\0-\x7f])?)+|\r\n|[\0-\x7f]/g;
const anyNonAscii = /[^\0-\x7f]/;

/** The characters of a text as a reader sees them: letters with their accents, joined emoji, `\r\n`. */
export function graphemes(text: string): string[] {
  const out: string[] = [];
  for (const [section] of text.matchAll(sections)) {
    if (!anyNonAscii.test(section)) out.push(section);
    else for (const { segment } of segmenter.segment(section)) out.push(segment);
  }
  return out;
}
