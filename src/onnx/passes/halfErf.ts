import type { Value } from '../../graph/value.ts';
import * as onnx from '../operators.gen.ts';
import type { Pattern } from './fusion.ts';

/** ½ + ½ erf(t): HardSigmoid clips to [0, 1] what lies there anyway, and is one pass instead of two. */
export const halfErf: Pattern = (value, isPrivate) => {
  if (value.op !== 'add') return undefined;
  const [scaled, shift] = value.inputs as [Value, Value];
  if (scaled.op !== 'mul' || !isPrivate(scaled) || !isHalf(shift)) return undefined;
  const [erf, factor] = scaled.inputs as [Value, Value];
  if (erf.op !== 'erf' || !isHalf(factor)) return undefined;
  return { inside: [scaled], inputs: [erf], emit: (cx, [e]) => onnx.hardSigmoid(cx.b, e!, { alpha: 0.5, beta: 0.5 }) };
};

function isHalf({ literal }: Value): boolean {
  return literal?.data.length === 1 && literal.data[0] === 0.5;
}
