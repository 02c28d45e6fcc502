/** All kinds of evaluation. */
export const kindNames = [
  'classification',
  'token-classification',
  'question-answering',
  'multiple-choice',
  'sequence-to-sequence',
  'language-model',
  'masked-language-model',
  'minimal-pairs',
  'similarity',
] as const;

export type KindName = (typeof kindNames)[number];
