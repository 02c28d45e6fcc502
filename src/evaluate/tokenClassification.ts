import { type EntityScores, entityScores } from '../eval/entities.ts';
import { EncoderSession } from '../predict/session.ts';
import { tagWords } from '../pretrained/tagWords.ts';
import { classNamed, headOf } from './classification.ts';
import type { EvaluationKind } from './evaluation.ts';

/** Sentences in words with a tag for each. Words behind the cut of a sentence that is too long have the tag O. */
export const tokenClassification: EvaluationKind = {
  models: ['token-classification'],
  metricsOf: (model) => {
    const hasEntities = headOf(model).classes.every((tag) => tag === 'O' || /^[BIES](-.|$)/u.test(tag));
    return hasEntities ? ['entity-f1', 'accuracy'] : ['accuracy'];
  },
  roles: { tokens: 'tokens', tags: 'tags' },
  options: { length: [], scheme: ['entity-f1'] },
  async evaluate({ runtime, model, parameters, tokenizer }, examples, { length, scheme = 'conll', metrics, running }) {
    const { classes } = headOf(model);
    const sentences = examples.map((example) => example.list('tokens', ' '));
    const wanted = examples.map((example, i) => {
      const tags = example.list('tags', ' ').map((label) => classNamed(example, 'tags', label, classes));
      if (tags.length === sentences[i]!.length) return tags;
      throw example.wrong('tags', `${tags.length} tags`, `${sentences[i]!.length}, one for each word`);
    });
    using session = new EncoderSession(runtime, model, parameters);
    let truncated = 0;
    const predicted = await tagWords(session, tokenizer, sentences, {
      ...running,
      truncate: true,
      maxLength: length,
      onTruncate: () => truncated++,
    });
    const tags = predicted.flat();
    const right = wanted.flat().filter((tag, i) => tag === tags[i]).length;
    return {
      metrics: {
        accuracy: { score: tags.length === 0 ? 0 : right / tags.length, tokens: tags.length },
        ...(metrics.includes('entity-f1') && {
          'entity-f1': entityMetric(entityScores(predicted, wanted, { scheme })),
        }),
      },
      predictions: sentences.map((tokens, i) => ({ tokens, prediction: predicted[i], reference: wanted[i] })),
      settings: { length: Math.min(length ?? model.maxLength, model.maxLength), scheme },
      truncated,
    };
  },
};

function entityMetric({ micro, macro, weighted, byLabel }: EntityScores) {
  return { score: micro.f1, ...micro, macro, weighted, byLabel: Object.fromEntries(byLabel) };
}
