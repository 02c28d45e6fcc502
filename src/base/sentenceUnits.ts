/** What a line of running text is: a sentence, or text that is cut into its sentences, or into its clauses. */
export const sentenceUnits = ['lines', 'split', 'clauses'] as const;
export type SentenceUnit = (typeof sentenceUnits)[number];
