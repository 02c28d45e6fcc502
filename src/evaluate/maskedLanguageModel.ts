import { perplexity } from '../eval/perplexity.ts';
import type { EvaluationKind } from './evaluation.ts';
import { pseudoLogLikelihoods } from './pseudoLogLikelihoods.ts';

/** Texts of which each token is masked by turns: how probable it is, and whether it is the most probable word in its place. */
export const maskedLanguageModel: EvaluationKind = {
  models: ['masked-lm', 'pretraining'],
  metricsOf: () => ['pseudo-log-likelihood', 'pseudo-perplexity', 'masked-accuracy'],
  roles: { text: 'text' },
  options: { length: [], mask: [] },
  async evaluate(subject, examples, asked) {
    const { texts, truncated } = await pseudoLogLikelihoods(
      subject,
      examples.map((example) => ({ where: example.record.where, text: example.text('text') })),
      asked,
    );
    const losses = texts.flatMap((text) => text.losses);
    const right = texts.flatMap(({ ids, best }) => ids.filter((id, i) => id === best[i])).length;
    const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
    const facts = { tokens: losses.length };
    return {
      metrics: {
        'pseudo-log-likelihood': { score: -sum(losses) / losses.length, ...facts },
        'pseudo-perplexity': { score: perplexity(losses), ...facts },
        'masked-accuracy': { score: right / losses.length, ...facts },
      },
      predictions: texts.map(({ ids, losses: own, best }) => ({
        pseudoLogLikelihood: -sum(own),
        tokens: ids.map((id, i) => ({
          token: subject.tokenizer.idToToken(id),
          logProbability: -own[i]!,
          prediction: subject.tokenizer.idToToken(best[i]!),
        })),
      })),
      settings: {
        length: Math.min(asked.length ?? subject.model.maxLength, subject.model.maxLength),
        mask: asked.mask ?? 'token',
      },
      truncated,
    };
  },
};
