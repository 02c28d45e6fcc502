import { QkvError } from '../base/errors.ts';
import { minimalPairsAccuracy } from '../eval/minimalPairs.ts';
import { causalIds, causalLosses } from './causalLosses.ts';
import type { Asked, EvaluationKind, Subject } from './evaluation.ts';
import { type PlacedText, pseudoLogLikelihoods } from './pseudoLogLikelihoods.ts';

/**
 * Pairs of sentences of which one is acceptable, as in BLiMP: it should be the more probable one, by the log-likelihood of a
 * model that continues texts or by the pseudo-log-likelihood of one for masked words. `group` is counted apart, too.
 */
export const minimalPairs: EvaluationKind = {
  models: ['causal', 'masked-lm', 'pretraining'],
  metricsOf: () => ['accuracy'],
  roles: { good: 'sentence_good', bad: 'sentence_bad', group: 'UID' },
  optional: ['group'],
  options: { length: [], mask: [] },
  async evaluate(subject, examples, asked) {
    const texts = examples.flatMap((example) =>
      ['good', 'bad'].map((role) => ({ where: example.record.where, text: example.text(role) })),
    );
    const { scores, truncated, settings } =
      subject.model.kind === 'causal'
        ? await logLikelihoods(subject, texts, asked)
        : await pseudoScores(subject, texts, asked);
    const [good, bad] = [0, 1].map((side) => examples.map((_, i) => scores[2 * i + side]!)) as [number[], number[]];
    const groups = Map.groupBy(
      examples.map((example, i) => ({ i, group: example.has('group') ? example.text('group') : undefined })),
      ({ group }) => group,
    );
    const byGroup = [...groups].map(([group, items]) => [
      group,
      minimalPairsAccuracy(
        items.map(({ i }) => good[i]!),
        items.map(({ i }) => bad[i]!),
      ),
    ]);
    return {
      metrics: {
        accuracy: {
          score: minimalPairsAccuracy(good, bad),
          ...(groups.size > 1 && { byGroup: Object.fromEntries(byGroup) }),
        },
      },
      predictions: examples.map((_, i) => ({ correct: good[i]! > bad[i]!, good: good[i], bad: bad[i] })),
      settings,
      truncated,
    };
  },
};

interface Scores {
  readonly scores: readonly number[];
  readonly truncated: number;
  readonly settings: Readonly<Record<string, unknown>>;
}

/** log P of each sentence: Σ log P(token | those before it). */
async function logLikelihoods(
  subject: Subject,
  texts: readonly PlacedText[],
  { length = subject.model.maxLength, running }: Asked,
): Promise<Scores> {
  const spans = texts.map(({ where, text }) => {
    const ids = causalIds(subject, text);
    if (ids.length >= 2 && ids.length - 1 <= length) return { ids, start: 0, end: ids.length - 1 };
    const got = `${ids.length - 1} tokens in ${JSON.stringify(text.slice(0, 60))}`;
    throw new QkvError('data', { where, got, expected: `a sentence of 1 to ${length} tokens` });
  });
  const losses = await causalLosses(subject, spans, running);
  const scores = losses.map((some) => -some.reduce((sum, loss) => sum + loss, 0));
  return { scores, truncated: 0, settings: { score: 'log-likelihood', length } };
}

async function pseudoScores(subject: Subject, texts: readonly PlacedText[], asked: Asked): Promise<Scores> {
  const found = await pseudoLogLikelihoods(subject, texts, asked);
  return {
    scores: found.texts.map(({ losses }) => -losses.reduce((sum, loss) => sum + loss, 0)),
    truncated: found.truncated,
    settings: { score: 'pseudo-log-likelihood', mask: asked.mask ?? 'token' },
  };
}
