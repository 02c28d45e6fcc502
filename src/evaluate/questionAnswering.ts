import { cmrc2018, type QaScores, squad } from '../eval/extractiveQa.ts';
import { EncoderSession } from '../predict/session.ts';
import { answersAndNone } from '../pretrained/answer.ts';
import type { EvaluationKind, KindOptions } from './evaluation.ts';
import type { Example } from './example.ts';

type Rules = NonNullable<KindOptions['rules']>;

const SCORES: {
  readonly [rules in Rules]: (predictions: readonly string[], answers: readonly string[][]) => QaScores;
} = {
  squad1: (predictions, answers) => squad(predictions, answers),
  squad2: (predictions, answers) => squad(predictions, answers, { version: '2.0' }),
  cmrc2018,
};

/**
 * Questions whose answers stand in a text. `answers` is a list of texts, SQuAD's `[{ text }]` or `{ text: [] }`, or one text; none
 * where the text has no answer, as in SQuAD 2.0.
 */
export const questionAnswering: EvaluationKind = {
  models: ['question-answering'],
  metricsOf: () => ['exact-match', 'f1'],
  roles: { question: 'question', context: 'context', answers: 'answers' },
  options: { length: [], stride: [], rules: [], nullThreshold: [], maxAnswerLength: [] },
  async evaluate({ runtime, model, parameters, tokenizer }, examples, asked) {
    const { length = 384, stride, nullThreshold = 0, maxAnswerLength = 30, running } = asked;
    const questions = examples.map((example) => ({
      question: example.someText('question'),
      context: example.someText('context'),
    }));
    const answers = examples.map(answersOf);
    const rules = asked.rules ?? (answers.some((texts) => texts.length === 0) ? 'squad2' : 'squad1');
    const unanswered = answers.findIndex((texts) => texts.length === 0);
    if (rules !== 'squad2' && unanswered >= 0) {
      throw examples[unanswered]!.wrong(
        'answers',
        [],
        `an answer or more: the rules of ${rules} have no question without`,
      );
    }
    using session = new EncoderSession(runtime, model, parameters);
    const found = await answersAndNone(session, tokenizer, questions, {
      ...running,
      maxLength: length,
      maxAnswerLength,
      ...(stride !== undefined && { stride }),
    });
    const rows = found.map(({ answers: [best], none }, i) => {
      const difference = Math.log(none) - Math.log(best?.score ?? 0);
      const isNone = best === undefined || (rules === 'squad2' && difference > nullThreshold);
      const prediction = isNone ? '' : best.text;
      const { exactMatch, f1 } = SCORES[rules]([prediction], [answers[i]!]);
      return {
        prediction,
        reference: answers[i],
        exactMatch,
        f1,
        score: isNone ? none : best.score,
        ...(rules === 'squad2' && { noAnswer: difference }),
      };
    });
    const { exactMatch, f1 } = SCORES[rules](
      rows.map(({ prediction }) => prediction),
      answers,
    );
    return {
      metrics: { 'exact-match': { score: exactMatch }, f1: { score: f1 } },
      predictions: rows,
      settings: {
        rules,
        length: Math.min(length, model.maxLength),
        ...(stride !== undefined && { stride }),
        maxAnswerLength,
        ...(rules === 'squad2' && { nullThreshold }),
      },
    };
  },
};

function answersOf(example: Example): string[] {
  const value = example.value('answers');
  const inside = typeof value === 'object' && value !== null && 'text' in value ? value.text : value;
  const texts = (Array.isArray(inside) ? inside : [inside]).map((one: unknown) =>
    typeof one === 'object' && one !== null && 'text' in one ? one.text : one,
  );
  if (texts.every((text) => typeof text === 'string')) return texts;
  throw example.wrong('answers', value, 'texts, or objects with a text');
}
