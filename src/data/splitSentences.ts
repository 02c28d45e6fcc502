const segmenter = new Intl.Segmenter('en', { granularity: 'sentence' });

/**
 * The sentences of a text of any language, without the spaces around them, by the default rules of Unicode Standard Annex 29
 * (https://unicode.org/reports/tr29/#Sentence_Boundaries): `。！？` end one, and so does a full stop with a space and a capital
 * letter behind it, which also cuts behind abbreviations (`Mr. Smith`).
 */
export function splitSentences(text: string): string[] {
  return Array.from(segmenter.segment(text), ({ segment }) => segment.trim()).filter((sentence) => sentence !== '');
}

/**
 * The clauses of a text: its sentences, cut behind commas and semicolons too, but for those before a digit (`1,000`). For
 * texts that have few full stops, such as reviews and poems.
 */
export function splitClauses(text: string): string[] {
  return splitSentences(text)
    .flatMap((sentence) => sentence.split(/(?<=[，；]|[,;](?!\d))(?![，；,;”’"')）])/u))
    .map((clause) => clause.trim())
    .filter((clause) => clause !== '');
}
