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

/** The metrics of all of them. */
export const metricNames = [
  'accuracy',
  'f1',
  'macro-f1',
  'micro-f1',
  'weighted-f1',
  'matthews',
  'pearson',
  'spearman',
  'entity-f1',
  'exact-match',
  'bleu',
  'chrf',
  'rouge',
  'loss',
  'perplexity',
  'bits-per-byte',
  'pseudo-log-likelihood',
  'pseudo-perplexity',
  'masked-accuracy',
] as const;
