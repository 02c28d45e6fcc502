import { EncoderSession } from '../predict/session.ts';
import { choose } from '../pretrained/classify.ts';
import type { EvaluationKind } from './evaluation.ts';

/** A text with several continuations or answers, of which one is right: `choices` a list, `label` its number from 0. */
export const multipleChoice: EvaluationKind = {
  models: ['multiple-choice'],
  metricsOf: () => ['accuracy'],
  roles: { text: 'text', choices: 'choices', label: 'label' },
  options: { length: [] },
  async evaluate({ runtime, model, parameters, tokenizer }, examples, { length, running }) {
    const questions = examples.map((example) => ({ text: example.text('text'), choices: example.list('choices') }));
    const wanted = examples.map((example, i) => {
      const label = example.number('label');
      const { choices } = questions[i]!;
      if (choices[label] !== undefined) return label;
      throw example.wrong('label', label, `a number from 0 to ${choices.length - 1}, one of the choices`);
    });
    const alone = questions.findIndex(({ choices }) => choices.length < 2);
    if (alone >= 0) throw examples[alone]!.wrong('choices', questions[alone]!.choices, 'two choices or more');
    using session = new EncoderSession(runtime, model, parameters);
    let truncated = 0;
    const found = await choose(session, tokenizer, questions, {
      ...running,
      truncate: true,
      maxLength: length,
      onTruncate: () => truncated++,
    });
    const predicted = found.map((probabilities) => probabilities.indexOf(Math.max(...probabilities)));
    const right = predicted.filter((choice, i) => choice === wanted[i]).length;
    return {
      metrics: { accuracy: { score: right / examples.length } },
      predictions: found.map((probabilities, i) => ({ prediction: predicted[i], reference: wanted[i], probabilities })),
      settings: { length: Math.min(length ?? model.maxLength, model.maxLength) },
      truncated,
    };
  },
};
