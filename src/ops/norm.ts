import { dimEquals } from '../base/dim.ts';
import type { Value } from '../graph/value.ts';
import { div, mul, neg, reciprocal, sub } from './elementwise.ts';
import { dimSize } from './leaf.ts';
import { matmul } from './matmul.ts';
import { expectDtype, maker, type OpTable, shapeError } from './record.ts';
import { mean } from './reduce.ts';
import { reshape } from './shape.ts';

interface Epsilon {
  readonly epsilon: number;
}

/** Normalisation over the last axis. */
export interface NormOps {
  layerNorm: Epsilon;
  rmsNorm: Epsilon;
  /** 1 / √(variance + ε), the last axis kept as 1. */
  inverseStd: Epsilon;
  /** 1 / √(mean of squares + ε), the last axis kept as 1. */
  inverseRms: Epsilon;
}

const statistics: OpTable<NormOps>['inverseStd']['type'] = (inputs, _, op) => {
  const [x] = inputs as [Value];
  if (x.shape.length === 0) throw shapeError(op, inputs, 'one axis or more');
  return { shape: [...x.shape.slice(0, -1), 1], dtype: expectDtype(op, inputs, 'float32') };
};

const normalised: OpTable<NormOps>['layerNorm']['type'] = (inputs, _, op) => {
  const [x, ...affine] = inputs as [Value, ...Value[]];
  if (!affine.every((w) => w.shape.length === 1 && dimEquals(w.shape[0]!, x.shape.at(-1) ?? -1))) {
    throw shapeError(op, inputs, 'weight and bias of one axis, as long as the last axis of x');
  }
  return { shape: x.shape, dtype: expectDtype(op, inputs, 'float32') };
};

/** x̂ = (x − μ) / σ */
function centred(x: Value, epsilon: number): Value {
  return mul(sub(x, mean(x, [-1], true)), inverseStd(x, epsilon));
}

export const normOps: OpTable<NormOps> = {
  layerNorm: {
    type: normalised,
    derivative: [
      // with u = g ⊙ weight: dx = (u − mean(u) − x̂ mean(u x̂)) / σ; the means are products with the weight, of g and of
      // g x̂, which the weight's own gradient needs as well
      (g, _, [x, weight], { epsilon }) => {
        const xhat = centred(x!, epsilon);
        const projected = sub(
          sub(mul(g, weight!), weightedMean(g, weight!)),
          mul(xhat, weightedMean(mul(g, xhat), weight!)),
        );
        return mul(projected, inverseStd(x!, epsilon));
      },
      (g, _, [x], { epsilon }) => mul(g, centred(x!, epsilon)),
      (g) => g,
    ],
  },
  rmsNorm: {
    type: normalised,
    derivative: [
      // with u = g ⊙ weight and x̂ = x / rms: dx = (u − x̂ mean(u x̂)) / rms
      (g, _, [x, weight], { epsilon }) => {
        const inverse = inverseRms(x!, epsilon);
        const xhat = mul(x!, inverse);
        return mul(sub(mul(g, weight!), mul(xhat, weightedMean(mul(g, xhat), weight!))), inverse);
      },
      (g, _, [x], { epsilon }) => mul(g, mul(x!, inverseRms(x!, epsilon))),
    ],
  },
  inverseStd: {
    type: statistics,
    // d(v + ε)^−½ = −½ (v + ε)^−3/2 · 2 (x − μ) / n
    derivative: [(g, y, [x]) => mul(mul(g, mul(y, mul(y, y))), mul(sub(x!, mean(x!, [-1], true)), negativeShare(x!)))],
  },
  inverseRms: {
    type: statistics,
    derivative: [(g, y, [x]) => mul(mul(g, mul(y, mul(y, y))), mul(x!, negativeShare(x!)))],
  },
};

/** mean(x ⊙ weight) over the last axis, kept as 1. */
function weightedMean(x: Value, weight: Value): Value {
  const width = weight.shape[0]!;
  if (x.shape.length < 2) return mean(mul(x, weight), [-1], true);
  return div(matmul(x, reshape(weight, [width, 1])), dimSize(width));
}

/** −1 / n for the extent n of the last axis. */
function negativeShare(x: Value): Value {
  return neg(reciprocal(dimSize(x.shape.at(-1)!)));
}

const make = maker(normOps);

/** weight ⊙ (x − mean) / √(variance + ε) + bias over the last axis, biased variance (Ba et al. 2016, section 3). */
export function layerNorm(x: Value, weight: Value, bias: Value, epsilon: number): Value {
  return make('layerNorm', [x, weight, bias], { epsilon });
}

/** weight ⊙ x / √(mean of squares + ε) over the last axis (Zhang and Sennrich 2019, equation 4). */
export function rmsNorm(x: Value, weight: Value, epsilon: number): Value {
  return make('rmsNorm', [x, weight], { epsilon });
}

export function inverseStd(x: Value, epsilon: number): Value {
  return make('inverseStd', [x], { epsilon });
}

export function inverseRms(x: Value, epsilon: number): Value {
  return make('inverseRms', [x], { epsilon });
}
