import * as onnx from '../operators.gen.ts';
import type { Pattern } from './fusion.ts';

/**
 * 1 where x > 0, else 0: HardSigmoid with the steepest slope, max(0, min(1, 3e38 x)), is one pass on all threads, where
 * Greater and Cast are two. Positive numbers below 3.4e-39 give less than 1; nothing here is that small.
 */
export const stepFunction: Pattern = (value, isPrivate) => {
  const [comparison] = value.inputs;
  if (value.op !== 'cast' || value.dtype !== 'float32' || comparison?.op !== 'greater' || !isPrivate(comparison))
    return undefined;
  const [x, zero] = comparison.inputs;
  if (x!.dtype !== 'float32' || zero!.literal?.data.length !== 1 || zero!.literal.data[0] !== 0) return undefined;
  return {
    inside: [comparison],
    inputs: [x!],
    emit: (cx, [y]) => onnx.hardSigmoid(cx.b, y!, { alpha: 3e38, beta: 0 }),
  };
};
