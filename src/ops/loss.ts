import { dimEquals } from '../base/dim.ts';
import type { Value } from '../graph/value.ts';
import { add, cast, div, equal, log, mul, not, sub, where } from './elementwise.ts';
import { gather, scatterAdd, takeAlong } from './gather.ts';
import { dimSize, intConstant, iota, scalarConstant } from './leaf.ts';
import { matmul } from './matmul.ts';
import { expectDtype, maker, type NoDerivative, type OpTable, shapeError } from './record.ts';
import { max, mean, sum } from './reduce.ts';
import { reshape } from './shape.ts';
import { softmax } from './softmax.ts';

export interface LossAttributes {
  /** ε of label smoothing: (1 − ε) on the label and ε / V on every word, the label too (Szegedy et al. 2016, section 7). */
  readonly smoothing: number;
  /** The label whose rows have loss 0. */
  readonly ignore: number;
}

export interface LossOps {
  crossEntropy: LossAttributes;
  linearCrossEntropy: LossAttributes;
}

const labelsAre: NoDerivative = { none: 'labels are integers' };

export const lossOps: OpTable<LossOps> = {
  crossEntropy: {
    type: (inputs, _, op) => {
      const [logits, labels] = inputs as [Value, Value];
      expectDtype(op, [labels], 'int32');
      if (logits.shape.length !== 2 || labels.shape.length !== 1 || !dimEquals(logits.shape[0]!, labels.shape[0]!)) {
        throw shapeError(op, inputs, 'logits [N, V] and labels [N]');
      }
      return { shape: labels.shape, dtype: expectDtype(op, [logits], 'float32') };
    },
    derivative: [
      // dz = g (softmax(z) − (1 − ε) onehot − ε/V), 0 in ignored rows
      (g, _, [logits, labels], { smoothing, ignore }) => {
        const { kept, safe } = split(labels!, ignore);
        const scale = column(mul(g, kept));
        const dense = sub(softmax(logits!), div(scalarConstant(smoothing), dimSize(logits!.shape[1]!)));
        const hot = takeAlongGradient(mul(scale, scalarConstant(1 - smoothing)), logits!, safe);
        return sub(mul(dense, scale), hot);
      },
      labelsAre,
    ],
  },
  linearCrossEntropy: {
    type: (inputs, _, op) => {
      const [hidden, weight, bias, labels] = inputs as [Value, Value, Value, Value];
      expectDtype(op, [labels], 'int32');
      const fits =
        hidden.shape.length === 2 &&
        weight.shape.length === 2 &&
        dimEquals(hidden.shape[1]!, weight.shape[1]!) &&
        bias.shape.length === 1 &&
        dimEquals(bias.shape[0]!, weight.shape[0]!) &&
        labels.shape.length === 1 &&
        dimEquals(labels.shape[0]!, hidden.shape[0]!);
      if (!fits) throw shapeError(op, inputs, 'hidden [N, D], weight [V, D], bias [V] and labels [N]');
      return { shape: labels.shape, dtype: expectDtype(op, [hidden, weight, bias], 'float32') };
    },
    // The gradient of the logits, g (P − (1 − ε) Y − ε/V), is never made: each of its three terms goes through the
    // product on its own, the one-hot Y as rows that are gathered or scattered, the constant as a sum.
    derivative: [
      (g, _, [hidden, weight, bias, labels], { smoothing, ignore }) => {
        const { kept, safe } = split(labels!, ignore);
        const expected = matmul(probabilities(hidden!, weight!, bias!), weight!);
        const target = mul(gather(weight!, safe), scalarConstant(1 - smoothing));
        const uniform = mul(mean(weight!, [0]), scalarConstant(smoothing));
        const difference = smoothing === 0 ? sub(expected, target) : sub(sub(expected, target), uniform);
        return mul(difference, column(mul(g, kept)));
      },
      (g, _, [hidden, weight, bias, labels], { smoothing, ignore }) => {
        const { kept, safe } = split(labels!, ignore);
        const scaled = mul(hidden!, column(mul(g, kept)));
        const expected = matmul(probabilities(hidden!, weight!, bias!), scaled, { transposeA: true });
        const centred =
          smoothing === 0
            ? expected
            : sub(expected, mul(sum(scaled, [0]), div(scalarConstant(smoothing), dimSize(weight!.shape[0]!))));
        return scatterAdd(centred, safe, mul(scaled, scalarConstant(smoothing - 1)));
      },
      (g, _, [hidden, weight, bias, labels], { smoothing, ignore }) => {
        const { kept, safe } = split(labels!, ignore);
        const scale = mul(g, kept);
        const expected = reshape(
          matmul(probabilities(hidden!, weight!, bias!), column(scale), { transposeA: true }),
          bias!.shape,
        );
        const centred = sub(expected, mul(sum(scale, [0]), div(scalarConstant(smoothing), dimSize(weight!.shape[0]!))));
        return scatterAdd(centred, safe, mul(scale, scalarConstant(smoothing - 1)));
      },
      labelsAre,
    ],
  },
};

/** 1 for rows that count, and labels in which the ignored ones are replaced by 0, so that every label is an index. */
function split(labels: Value, ignore: number): { kept: Value; safe: Value } {
  const ignored = equal(labels, intConstant(ignore));
  return { kept: cast(not(ignored), 'float32'), safe: where(ignored, intConstant(0), labels) };
}

function column(x: Value): Value {
  return reshape(x, [x.shape[0]!, 1]);
}

function takeAlongGradient(g: Value, logits: Value, safe: Value): Value {
  const chosen = equal(column(safe), iota(logits.shape[1]!));
  return where(chosen, g, scalarConstant(0));
}

function logitsOf(hidden: Value, weight: Value, bias: Value): Value {
  return add(matmul(hidden, weight, { transposeB: true }), bias);
}

function probabilities(hidden: Value, weight: Value, bias: Value): Value {
  return softmax(logitsOf(hidden, weight, bias));
}

/**
 * What a composite operator is made of. log Σ exp(z) = max(z) − log(max(softmax(z))): the softmax, which the gradient
 * needs anyway, is the only pass over [N, V] that computes exponentials, and max(softmax) ≥ 1/V keeps the logarithm exact.
 */
export const lossExpansions: { readonly [K in keyof LossOps]: (inputs: readonly Value[], attrs: LossOps[K]) => Value } =
  {
    crossEntropy: ([logits, labels], attrs) => rowLoss(logits!, mean(logits!, [1]), labels!, attrs),
    linearCrossEntropy: ([hidden, weight, bias, labels], attrs) => {
      // mean over V of z = hidden · mean(weight) + mean(bias): no pass over the logits
      const average = add(reshape(matmul(hidden!, column(mean(weight!, [0]))), labels!.shape), mean(bias!, [0]));
      return rowLoss(logitsOf(hidden!, weight!, bias!), average, labels!, attrs);
    },
  };

/** log Σ exp(z) − (1 − ε) z[label] − ε mean(z) */
function rowLoss(logits: Value, average: Value, labels: Value, { smoothing, ignore }: LossAttributes): Value {
  const { kept, safe } = split(labels, ignore);
  const normaliser = sub(max(logits, [1]), log(max(softmax(logits), [1])));
  const target = mul(takeAlong(logits, safe), scalarConstant(1 - smoothing));
  const loss = sub(normaliser, target);
  return mul(smoothing === 0 ? loss : sub(loss, mul(average, scalarConstant(smoothing))), kept);
}

const make = maker(lossOps);

/**
 * −Σ_v q(v) log softmax(logits)(v) for each row, q the smoothed label; rows whose label is `ignore` give 0.
 * logits [N, V], labels int32 [N] → [N].
 */
export function crossEntropy(logits: Value, labels: Value, options: Partial<LossAttributes> = {}): Value {
  return make('crossEntropy', [logits, labels], { smoothing: options.smoothing ?? 0, ignore: options.ignore ?? -100 });
}

/**
 * crossEntropy(hidden · weightᵀ + bias, labels), whose gradient needs one pass over the logits instead of five.
 * hidden [N, D], weight [V, D], bias [V], labels int32 [N] → [N].
 */
export function linearCrossEntropy(
  hidden: Value,
  weight: Value,
  bias: Value,
  labels: Value,
  options: Partial<LossAttributes> = {},
): Value {
  return make('linearCrossEntropy', [hidden, weight, bias, labels], {
    smoothing: options.smoothing ?? 0,
    ignore: options.ignore ?? -100,
  });
}
