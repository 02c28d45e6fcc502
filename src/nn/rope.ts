import type { Dim } from '../base/dim.ts';
import { float32 } from '../base/tensor.ts';
import type { Value } from '../graph/value.ts';
import { add, cast, cos, exp, log, maximum, mul, sin, sub } from '../ops/elementwise.ts';
import { constant, scalarConstant } from '../ops/leaf.ts';
import { max } from '../ops/reduce.ts';
import { concat, reshape, slice } from '../ops/shape.ts';

/** How a model is made to read longer texts than those that it was trained on. */
export type RopeScaling =
  | { readonly kind: 'none' }
  /** All angles are divided by `factor` (Chen et al. 2023, "Extending Context Window … via Positional Interpolation"). */
  | { readonly kind: 'linear'; readonly factor: number }
  /** θ grows with the length of the text, where that exceeds `trainedLength` ("NTK-aware" scaling). */
  | { readonly kind: 'dynamic'; readonly factor: number; readonly trainedLength: number }
  /** Slow angles are divided by `factor`, fast ones are not, those between are mixed (Llama 3.1). */
  | {
      readonly kind: 'llama3';
      readonly factor: number;
      readonly lowFrequencyFactor: number;
      readonly highFrequencyFactor: number;
      readonly trainedLength: number;
    };

export interface RopeOptions {
  /** Width of a head, K: even. */
  readonly headSize: number;
  readonly theta: number;
  readonly scaling: RopeScaling;
}

/** Cosines and sines of each position's angles, [1 or B, 1, T, K/2]. */
export interface Rotation {
  readonly cos: Value;
  readonly sin: Value;
}

/** Angles per position, θ^(−2i/K) for i < K/2, after the scaling that does not depend on the text: float64. */
export function ropeFrequencies({ headSize, theta, scaling }: RopeOptions): Float64Array {
  return Float64Array.from({ length: headSize / 2 }, (_, i) => scaled(theta ** ((-2 * i) / headSize), scaling));
}

function scaled(frequency: number, scaling: RopeScaling): number {
  if (scaling.kind === 'linear') return frequency / scaling.factor;
  if (scaling.kind !== 'llama3') return frequency;
  const { factor, lowFrequencyFactor: low, highFrequencyFactor: high, trainedLength } = scaling;
  const turns = (trainedLength * frequency) / (2 * Math.PI); // within the trained length
  if (turns < low) return frequency / factor;
  if (turns > high) return frequency;
  const share = (turns - low) / (high - low);
  return (1 - share) * (frequency / factor) + share * frequency;
}

/** The rotation of positions int32 [T] or [B, T] (Su et al. 2021, "RoFormer", section 3.2.2). */
export function rotation(positions: Value, options: RopeOptions): Rotation {
  const half = options.headSize / 2;
  const shape = positions.shape.length === 1 ? [1, ...positions.shape] : positions.shape;
  const [batch, length] = shape as [Dim, Dim];
  const places = reshape(cast(positions, 'float32'), [batch, 1, length, 1]);
  const fixed = constant(float32([half], Float32Array.from(ropeFrequencies(options))));
  const frequencies = options.scaling.kind === 'dynamic' ? mul(fixed, stretch(places, options)) : fixed;
  const angles = mul(places, frequencies);
  return { cos: cos(angles), sin: sin(angles) };
}

/**
 * θ becomes θ·s^(K/(K−2)) with s = factor·L/trained − (factor − 1), L the length of the longest text of the batch, so that
 * frequency i is multiplied by s^(−2i/(K−2)); up to the trained length s is 1. [K/2]
 */
function stretch(places: Value, { headSize, scaling }: RopeOptions): Value {
  const { factor, trainedLength } = scaling as Extract<RopeScaling, { kind: 'dynamic' }>;
  const length = maximum(add(max(places, [0, 1, 2, 3]), scalarConstant(1)), scalarConstant(trainedLength));
  const s = sub(mul(length, scalarConstant(factor / trainedLength)), scalarConstant(factor - 1));
  const exponents = Float32Array.from({ length: headSize / 2 }, (_, i) => (-2 * i) / (headSize - 2));
  return exp(mul(log(s), constant(float32([headSize / 2], exponents))));
}

/** Turns each pair (x_i, x_{i+K/2}) by its angle: [B, H, T, K] → [B, H, T, K]. */
export function rotate(x: Value, { cos, sin }: Rotation): Value {
  const headSize = x.shape.at(-1) as number;
  const [a, b] = [slice(x, -1, 0, headSize / 2), slice(x, -1, headSize / 2, headSize)];
  return concat([sub(mul(a, cos), mul(b, sin)), add(mul(b, cos), mul(a, sin))], -1);
}
