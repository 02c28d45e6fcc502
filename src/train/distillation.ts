import { QkvError } from '../base/errors.ts';
import type { Value } from '../graph/value.ts';
import { add, div, mul, sqrt, stopGradient, sub } from '../ops/elementwise.ts';
import { scalarConstant } from '../ops/leaf.ts';
import { crossEntropy } from '../ops/loss.ts';
import { argmax, mean, sum } from '../ops/reduce.ts';
import { logSoftmax, softmax } from '../ops/softmax.ts';

/*
 * Losses of a student per row, from a teacher's values at the same positions; the teacher gets no gradient. Rows that do
 * not count are left out, or multiplied by 0, by who sums them.
 */

/**
 * T² · KL(softmax(teacher / T) ‖ softmax(student / T)), logits [N, V] → [N]. T² keeps the size of the gradients when T changes.
 * Hinton et al. 2015 §2 (arXiv:1503.02531); DistilBERT (Sanh et al. 2019 §2, arXiv:1910.01108): T = 2 in its released script.
 *
 * @throws QkvError `usage` for a temperature that is not above 0
 */
export function softTargetLoss(student: Value, teacher: Value, temperature: number): Value {
  if (!(temperature > 0)) {
    const expected = 'a number above 0';
    throw new QkvError('usage', { where: 'softTargetLoss: temperature', got: String(temperature), expected });
  }
  const tempered = (logits: Value): Value => mul(logits, scalarConstant(1 / temperature));
  const target = tempered(stopGradient(teacher));
  const surprise = sub(logSoftmax(target), logSoftmax(tempered(student)));
  return mul(sum(mul(softmax(target), surprise), [1]), scalarConstant(temperature ** 2));
}

/**
 * Cross-entropy with the teacher's most likely class as the label, logits [N, V] → [N].
 * Touvron et al. 2021 §4 (arXiv:2012.12877).
 */
export function hardTargetLoss(student: Value, teacher: Value): Value {
  return crossEntropy(student, argmax(teacher, 1));
}

/**
 * 1 − cos(student, teacher), hidden states [N, D] → [N]: DistilBERT's loss of the last layer (Sanh et al. 2019
 * §2, arXiv:1910.01108). With the ε of PyTorch's `cosine_embedding_loss`, 10⁻¹² on each squared length.
 */
export function cosineLoss(student: Value, teacher: Value): Value {
  const target = stopGradient(teacher);
  const dot = (a: Value, b: Value): Value => sum(mul(a, b), [1]);
  const squared = (x: Value): Value => add(dot(x, x), scalarConstant(1e-12));
  const lengths = sqrt(mul(squared(student), squared(target)));
  return sub(scalarConstant(1), div(dot(student, target), lengths));
}

/** The mean of (student − teacher)² over the width, embeddings [N, D] → [N], as PyTorch's `mse_loss` over a row. */
export function meanSquaredLoss(student: Value, teacher: Value): Value {
  const difference = sub(student, stopGradient(teacher));
  return mean(mul(difference, difference), [1]);
}
