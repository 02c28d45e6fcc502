import { QkvError } from '../base/errors.ts';
import type { ProblemType } from '../models/encoderHead.ts';
import { headTask, requireHead } from '../predict/headTasks.ts';
import type { EncoderRunOptions, EncoderSession } from '../predict/session.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { encodeTexts, type LengthOptions } from './encodeTexts.ts';
import { sigmoid, softmax } from './probabilities.ts';

export interface ClassifyOptions extends EncoderRunOptions, LengthOptions {}

export interface ClassScore {
  readonly label: string;
  /** A probability; of regression the number itself. */
  readonly score: number;
}

export interface Classification {
  /** Which of the labels is right: one (probabilities that sum to 1), any (each has its own), or they are numbers. */
  readonly problem: ProblemType;
  /** All labels, of classes the most probable first. */
  readonly scores: readonly ClassScore[];
}

/**
 * Classifies texts, or pairs of texts. A model of next sentences (or of their order) says of a pair whether the second
 * follows the first.
 *
 * @throws QkvError `usage` for a model without a head for it, a lone text where pairs are meant, texts that are too long
 */
export async function classify(
  session: EncoderSession,
  tokenizer: Tokenizer,
  texts: readonly (string | readonly [string, string])[],
  options: ClassifyOptions = {},
): Promise<Classification[]> {
  const { model } = session;
  const { head } = model;
  requireHead(model, 'classify', ['sequence-classification', 'next-sentence', 'pretraining']);
  const lone = head.name === 'sequence-classification' ? -1 : texts.findIndex((text) => typeof text === 'string');
  if (lone >= 0) {
    const expected = `a pair: a model with the head ${head.name} says how two texts follow each other`;
    throw new QkvError('usage', { where: `text ${lone + 1}`, got: 'one text', expected });
  }
  const encoded = encodeTexts(model, tokenizer.encode, texts, options);
  const results = await session.run(headTask(model), encoded, options);
  return results.map((outputs) => {
    const logits = [...(outputs['logits'] ?? outputs['sentenceLogits'])!.data];
    const values = scoresOf[head.problem](logits);
    const scores = values.map((score, i) => ({ label: head.classes[i]!, score }));
    if (head.problem !== 'regression') scores.sort((a, b) => b.score - a.score);
    return { problem: head.problem, scores };
  });
}

const scoresOf: Readonly<Record<ProblemType, (logits: number[]) => number[]>> = {
  single_label_classification: softmax,
  multi_label_classification: (logits) => logits.map(sigmoid),
  regression: (logits) => logits,
};

export interface ChoiceQuestion {
  readonly text: string;
  readonly choices: readonly string[];
}

/**
 * The probability of each choice of each question, with a model of multiple choice; it reads the pairs (text, choice).
 *
 * @throws QkvError `usage` for a model without the head for it, fewer than two choices, texts that are too long
 */
export async function choose(
  session: EncoderSession,
  tokenizer: Tokenizer,
  questions: readonly ChoiceQuestion[],
  options: ClassifyOptions = {},
): Promise<number[][]> {
  const { model } = session;
  requireHead(model, 'choose', ['multiple-choice']);
  const names: string[] = [];
  const pairs = questions.flatMap(({ text, choices }, i) => {
    if (choices.length < 2) {
      throw new QkvError('usage', {
        where: `text ${i + 1}`,
        got: `${choices.length} choices`,
        expected: 'two or more',
      });
    }
    names.push(...choices.map((_, c) => `text ${i + 1}, choice ${c + 1}`));
    return choices.map((choice): [string, string] => [text, choice]);
  });
  const encoded = encodeTexts(model, tokenizer.encode, pairs, { ...options, nameOf: (i) => names[i]! });
  const logits = (await session.run(headTask(model), encoded, options)).map((one) => one['logits']!.data[0]!);
  let start = 0;
  return questions.map(({ choices }) => {
    start += choices.length;
    return softmax(logits.slice(start - choices.length, start));
  });
}
