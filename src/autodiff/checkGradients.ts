import type { Shape } from '../base/dim.ts';
import { QkvError } from '../base/errors.ts';
import { deriveSeed, normal } from '../base/random.ts';
import { float32, type HostTensor } from '../base/tensor.ts';
import type { Graph } from '../graph/graph.ts';
import type { Value } from '../graph/value.ts';
import { input } from '../ops/leaf.ts';
import { gradients } from './gradients.ts';

type Tensors = Readonly<Record<string, HostTensor>>;

export interface GradientCheckOptions {
  /** Computes a graph's outputs in float64 and gives floats as Float64Array. */
  readonly evaluate: (graph: Graph, feeds: Tensors) => Tensors;
  /** Declared shapes of the inputs where they are not those of the samples, e.g. with symbols. */
  readonly shapes?: readonly Shape[];
  /** Random directions per input; default 4. */
  readonly directions?: number;
  /** Largest relative error that passes; default 1e-5, a hundredth of an error of 0.1 %. */
  readonly tolerance?: number;
  /** h, relative to the root mean square of the input; default 1e-3. */
  readonly step?: number;
  /** Of the directions and the upstream gradient. */
  readonly seed?: number;
}

export interface InputGradientCheck {
  readonly input: number;
  /** |analytic − numeric| / max(‖gradient‖, |numeric|), the largest over all directions; 0 within float64's own rounding. */
  readonly relativeError: number;
  /** The two derivatives along the direction in which they differ most. */
  readonly analytic: number;
  readonly numeric: number;
}

export interface GradientCheck {
  readonly passes: boolean;
  /** One for each float32 input. */
  readonly inputs: readonly InputGradientCheck[];
}

/**
 * Compares the gradients of Σ u ⊙ fn(inputs), u a random upstream gradient, with central differences along random
 * directions d: (4 D(h/2) − D(h)) / 3 with D(h) = (f(x + h d) − f(x − h d)) / 2h, whose error is of the order h⁴
 * (Richardson's extrapolation). The function must be smooth at distances of a few h around the samples.
 */
export function checkGradients(
  fn: (inputs: Value[]) => Value,
  samples: readonly HostTensor[],
  options: GradientCheckOptions,
): GradientCheck {
  const { evaluate, tolerance = 1e-5, directions = 4, step = 1e-3, seed = 0 } = options;
  const inputs = samples.map((sample, i) => input(`x${i}`, sample.dtype, options.shapes?.[i] ?? sample.shape));
  const y = fn(inputs);
  if (y.dtype !== 'float32') {
    throw new QkvError('gradient', { where: 'checkGradients', got: `a result of ${y.dtype}`, expected: 'float32' });
  }
  // The inputs are outputs too, so that both graphs take all of them whatever they use.
  const named = Object.fromEntries(inputs.map((value, i) => [`x${i}`, value]));
  const forward: Graph = { outputs: { ...named, y }, names: new Map() };
  const feeds = Object.fromEntries(samples.map((sample, i) => [`x${i}`, toFloat64(sample)]));
  const result = evaluate(forward, feeds)['y']!;

  const weights = normal(deriveSeed(seed, 'upstream'), result.data.length);
  const differentiated = inputs.filter(({ dtype }) => dtype === 'float32');
  const upstream = input('upstream', 'float32', y.shape);
  const gradientOf = gradients([{ value: y, seed: upstream }], differentiated);
  const backward: Graph = {
    outputs: { ...named, y, ...Object.fromEntries(gradientOf.map((gradient, i) => [`g${i}`, gradient])), upstream },
    names: new Map(),
  };
  const analyticGradients = evaluate(backward, { ...feeds, upstream: float32(result.shape, weights) });

  const checks = differentiated.map((value, i): InputGradientCheck => {
    const name = value.attrs['name'] as string;
    const x = feeds[name]!;
    const gradient = analyticGradients[`g${i}`]!.data;
    const h = step * (rootMeanSquare(x.data) || 1);
    const noise = roundingNoise(weights, result.data, h);
    let worst: InputGradientCheck = { input: inputs.indexOf(value), relativeError: 0, analytic: 0, numeric: 0 };
    for (let direction = 0; direction < directions; direction++) {
      const d = normal(deriveSeed(seed, 'direction', i, direction), x.data.length);
      const at = (distance: number): number => {
        const moved = float32(
          x.shape,
          Float64Array.from(x.data, (v, k) => v + distance * d[k]!),
        );
        return dot(weights, evaluate(forward, { ...feeds, [name]: moved })['y']!.data);
      };
      const difference = (distance: number): number => (at(distance) - at(-distance)) / (2 * distance);
      const numeric = (4 * difference(h / 2) - difference(h)) / 3;
      const analytic = dot(gradient, d);
      const relativeError = errorOf(analytic, numeric, Math.sqrt(dot(gradient, gradient)), noise);
      if (relativeError >= worst.relativeError) worst = { ...worst, relativeError, analytic, numeric };
    }
    return worst;
  });
  return { passes: checks.every(({ relativeError }) => relativeError <= tolerance), inputs: checks };
}

/** Infinite where a derivative is not a number. */
function errorOf(analytic: number, numeric: number, norm: number, noise: number): number {
  const gap = Math.abs(analytic - numeric);
  if (Number.isNaN(gap)) return Infinity;
  return gap <= noise ? 0 : gap / Math.max(norm, Math.abs(numeric));
}

/** What the rounding of the function's values alone can make of a difference quotient. */
function roundingNoise(weights: ArrayLike<number>, values: ArrayLike<number>, h: number): number {
  let magnitude = 0;
  for (let i = 0; i < weights.length; i++) magnitude += Math.abs(weights[i]! * values[i]!);
  return (64 * Number.EPSILON * magnitude) / h;
}

function toFloat64(tensor: HostTensor): HostTensor {
  return tensor.dtype === 'float32' ? float32(tensor.shape, Float64Array.from(tensor.data)) : tensor;
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function rootMeanSquare(data: ArrayLike<number>): number {
  return Math.sqrt(dot(data, data) / Math.max(data.length, 1));
}
