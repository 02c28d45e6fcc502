import type { Value } from '../graph/value.ts';
import { add, cast, erf, exp, greater, mul, sigmoid, sub, tanh } from './elementwise.ts';
import { scalarConstant } from './leaf.ts';
import { expectDtype, maker, type None, type OpRecord, type OpTable } from './record.ts';

export interface ActivationOps {
  relu: None;
  gelu: { readonly approximate: 'none' | 'tanh' };
  silu: None;
}

const type: OpRecord<unknown>['type'] = (inputs, _, op) => ({
  shape: inputs[0]!.shape,
  dtype: expectDtype(op, inputs, 'float32'),
});

export const activationOps: OpTable<ActivationOps> = {
  relu: {
    type,
    // 0 at 0, as PyTorch has it
    derivative: [(g, y) => mul(g, cast(greater(y, scalarConstant(0)), 'float32'))],
  },
  gelu: {
    type,
    derivative: [(g, _, [x], { approximate }) => mul(g, approximate === 'none' ? geluSlope(x!) : geluTanhSlope(x!))],
  },
  silu: {
    type,
    // d x σ(x) = σ(x) (1 + x (1 − σ(x))) = σ(x) + y (1 − σ(x))
    derivative: [
      (g, y, [x]) => {
        const s = sigmoid(x!);
        return mul(g, add(s, mul(y, sub(scalarConstant(1), s))));
      },
    ],
  },
};

/** The distribution function of the standard normal: Φ(x) = ½ + ½ erf(t), with t = x/√2. */
export function normalCdf(x: Value): Value {
  const half = scalarConstant(0.5);
  return add(mul(erf(mul(x, scalarConstant(Math.SQRT1_2))), half), half);
}

/** Φ(x) + x φ(x), the density part written with t = x/√2 in as few passes as there are: x φ(x) = t exp(−ln √π − t²). */
function geluSlope(x: Value): Value {
  const t = mul(x, scalarConstant(Math.SQRT1_2));
  return add(normalCdf(x), mul(t, exp(sub(scalarConstant(-0.5 * Math.log(Math.PI)), mul(t, t)))));
}

/** ½ (1 + t) + ½ x (1 − t²) c (1 + 3a x²), with t = tanh(c (x + a x³)), c = √(2/π), a = 0.044715 */
function geluTanhSlope(x: Value): Value {
  const c = Math.sqrt(2 / Math.PI);
  const a = 0.044715;
  const squared = mul(x, x);
  const t = tanh(mul(x, add(mul(squared, scalarConstant(c * a)), scalarConstant(c))));
  const inner = add(mul(squared, scalarConstant(1.5 * c * a)), scalarConstant(0.5 * c));
  const half = scalarConstant(0.5);
  return add(add(mul(t, half), half), mul(mul(x, inner), sub(scalarConstant(1), mul(t, t))));
}

const make = maker(activationOps);

/** max(x, 0) */
export function relu(x: Value): Value {
  return make('relu', [x], {});
}

/**
 * `none`: x Φ(x), exactly. `tanh`: ½ x (1 + tanh(√(2/π) (x + 0.044715 x³))), which GPT-2 uses
 * (Hendrycks and Gimpel 2016, section 2).
 */
export function gelu(x: Value, approximate: 'none' | 'tanh' = 'none'): Value {
  return make('gelu', [x], { approximate });
}

/** x σ(x), also called swish. */
export function silu(x: Value): Value {
  return make('silu', [x], {});
}
