import { unreachable } from '../base/errors.ts';

/**
 * Work on flat arrays, done in place by plain loops in whatever thread a runtime gives them. A training step passes once
 * over its arrays, so memory sets the speed; ONNX Runtime would make and copy a fresh output for each array besides.
 * Arithmetic is in float64, each stored result rounded to float32; a runtime may have faster kernels in float32.
 */
export type FlatCall =
  /** sum ← sum + part */
  | { readonly kernel: 'accumulate'; readonly sum: Float32Array; readonly part: Float32Array }
  /** average ← average + (1 − decay) · (x − average) */
  | {
      readonly kernel: 'average';
      readonly average: Float32Array;
      readonly x: Float32Array;
      readonly decay: number;
    }
  | { readonly kernel: 'zero'; readonly x: Float32Array }
  /** Gives Σ x². */
  | { readonly kernel: 'sumOfSquares'; readonly x: Float32Array }
  | { readonly kernel: 'adam'; readonly arrays: AdamArrays; readonly scalars: AdamScalars }
  | { readonly kernel: 'sgd'; readonly arrays: SgdArrays; readonly scalars: SgdScalars };

export interface AdamArrays {
  readonly parameter: Float32Array;
  readonly gradient: Float32Array;
  readonly exp_avg: Float32Array;
  readonly exp_avg_sq: Float32Array;
}

export interface AdamScalars {
  readonly gradientScale: number;
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
  /** AdamW: the decay shrinks the parameter; Adam: it is added to the gradient. */
  readonly decoupled: boolean;
  /** Steps done, this one included. */
  readonly step: number;
}

export interface SgdArrays {
  readonly parameter: Float32Array;
  readonly gradient: Float32Array;
  /** Absent without momentum. */
  readonly momentum?: Float32Array;
}

export interface SgdScalars {
  readonly gradientScale: number;
  readonly learningRate: number;
  readonly momentum: number;
  readonly weightDecay: number;
}

/** Runs one call; gives its number, 0 where it has none. */
export function runFlat(call: FlatCall): number {
  switch (call.kernel) {
    case 'accumulate':
      return accumulate(call.sum, call.part);
    case 'average':
      return moveAverage(call.average, call.x, 1 - call.decay);
    case 'zero':
      call.x.fill(0);
      return 0;
    case 'sumOfSquares':
      return sumOfSquares(call.x);
    case 'adam':
      return adam(call.arrays, call.scalars);
    case 'sgd':
      return sgd(call.arrays, call.scalars);
    default:
      return unreachable(call);
  }
}

function accumulate(sum: Float32Array, part: Float32Array): number {
  for (let i = 0; i < sum.length; i++) sum[i] = sum[i]! + part[i]!;
  return 0;
}

function moveAverage(average: Float32Array, x: Float32Array, share: number): number {
  for (let i = 0; i < x.length; i++) average[i] = average[i]! + share * (x[i]! - average[i]!);
  return 0;
}

/** Four running sums, so that an addition need not wait for the one before. */
function sumOfSquares(x: Float32Array): number {
  let [a, b, c, d] = [0, 0, 0, 0];
  const whole = x.length - (x.length % 4);
  for (let i = 0; i < whole; i += 4) {
    a += x[i]! * x[i]!;
    b += x[i + 1]! * x[i + 1]!;
    c += x[i + 2]! * x[i + 2]!;
    d += x[i + 3]! * x[i + 3]!;
  }
  for (let i = whole; i < x.length; i++) a += x[i]! * x[i]!;
  return a + b + c + d;
}

/**
 * m ← β₁ m + (1 − β₁) g, v ← β₂ v + (1 − β₂) g², θ ← θ − lr/c₁ · m / (√v / √c₂ + ε) with c = 1 − βᵗ, the placement of ε as in
 * torch.optim.Adam (Kingma and Ba 2015). Decay: θ ← θ − lr λ θ first (AdamW, Loshchilov and Hutter 2019), or g ← g + λ θ.
 */
function adam({ parameter, gradient, exp_avg, exp_avg_sq }: AdamArrays, scalars: AdamScalars): number {
  const { gradientScale, learningRate, beta1, beta2, eps, weightDecay, decoupled, step } = scalars;
  const rate = learningRate / (1 - beta1 ** step);
  const root = 1 / Math.sqrt(1 - beta2 ** step);
  const keep = decoupled ? 1 - learningRate * weightDecay : 1;
  const coupled = decoupled ? 0 : weightDecay;
  for (let i = 0; i < parameter.length; i++) {
    const theta = parameter[i]!;
    const g = gradient[i]! * gradientScale + coupled * theta;
    const m = beta1 * exp_avg[i]! + (1 - beta1) * g;
    const v = beta2 * exp_avg_sq[i]! + (1 - beta2) * g * g;
    exp_avg[i] = m;
    exp_avg_sq[i] = v;
    parameter[i] = theta * keep - (rate * m) / (Math.sqrt(v) * root + eps);
  }
  return 0;
}

/** g ← g + λ θ, m ← μ m + g, θ ← θ − lr m (torch.optim.SGD). */
function sgd({ parameter, gradient, momentum }: SgdArrays, scalars: SgdScalars): number {
  const { gradientScale, learningRate, weightDecay } = scalars;
  for (let i = 0; i < parameter.length; i++) {
    let update = gradient[i]! * gradientScale + weightDecay * parameter[i]!;
    if (momentum) {
      update += scalars.momentum * momentum[i]!;
      momentum[i] = update;
    }
    parameter[i] = parameter[i]! - learningRate * update;
  }
  return 0;
}
