import { EncoderSession } from '../predict/session.ts';
import { cosineSimilarities, embed } from '../pretrained/embed.ts';
import { meanOfTokens } from '../pretrained/sentenceEncoder.ts';
import { correlations } from './classification.ts';
import type { EvaluationKind } from './evaluation.ts';

/** Pairs of sentences with a number that says how alike they are, as in STS-B: its correlation with the cosine of their vectors. */
export const similarity: EvaluationKind = {
  models: [
    'encoder',
    'masked-lm',
    'pretraining',
    'next-sentence',
    'sequence-classification',
    'token-classification',
    'question-answering',
    'multiple-choice',
  ],
  metricsOf: () => ['pearson', 'spearman'],
  roles: { first: 'sentence1', second: 'sentence2', score: 'score' },
  options: {},
  async evaluate({ runtime, model, parameters, tokenizer, encoder = meanOfTokens }, examples, { running }) {
    const wanted = examples.map((example) => example.number('score'));
    const texts = examples.flatMap((example) => [example.text('first'), example.text('second')]);
    using session = new EncoderSession(runtime, model, { ...parameters, ...encoder.parameters });
    let truncated = 0;
    const vectors = await embed(session, tokenizer, texts, {
      ...running,
      encoder,
      truncate: true,
      onTruncate: () => truncated++,
    });
    const cosines = examples.map((_, i) => cosineSimilarities(vectors.slice(2 * i, 2 * i + 2))[0]![1]!);
    return {
      metrics: correlations(cosines, wanted),
      predictions: cosines.map((prediction, i) => ({ prediction, reference: wanted[i] })),
      settings: { pooling: encoder.pooling, length: Math.min(encoder.maxLength ?? model.maxLength, model.maxLength) },
      truncated,
    };
  },
};
