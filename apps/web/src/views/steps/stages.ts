import type { HeadSteps } from '../../worker/contract.ts';

/** One token's way through one head and its layer; not every layer has all of them. */
export const STAGES = [
  'selfFirst',
  'query',
  'keys',
  'products',
  'scaled',
  'masked',
  'softmax',
  'context',
  'concat',
  'out',
  'residual',
  'crossNext',
  'norm',
  'mlp',
  'post',
  'logits',
] as const;

export type StageName = (typeof STAGES)[number];

/** Where in its layer the attention stands that is followed. */
export function ownIndex({ place, sublayers }: Pick<HeadSteps, 'place' | 'sublayers'>): number {
  return sublayers.findIndex(({ name }) => place.path.endsWith(`.${name}`));
}

/**
 * The stages of a layer in their order. Beside cross-attention there is the layer's self-attention, which comes first, and the other
 * way round; the norm comes before the MLP, or after each sum.
 */
export function stagesOf(steps: HeadSteps): readonly StageName[] {
  const [own, attentions] = [ownIndex(steps), steps.sublayers.length - 1];
  const isThere = (name: StageName): boolean =>
    name === 'selfFirst' ? own > 0 : name === 'crossNext' ? own < attentions - 1 : true;
  const stages = STAGES.filter(isThere);
  if (steps.norm.placement === 'pre' || !isThere('crossNext')) return stages;
  return stages.flatMap((name) => (name === 'crossNext' ? ['norm', name] : name === 'norm' ? [] : [name]));
}

/** The stream before the first sublayer, after it, and so on. */
export function streamSign(index: number): string {
  return `x${['', '′', '″', '‴'][index]!}`;
}

export interface Moments {
  readonly mean: number;
  /** √ of the mean square of the differences from the mean. */
  readonly deviation: number;
  /** √ of the mean square. */
  readonly rms: number;
}

export function moments(x: Float32Array): Moments {
  let total = 0;
  let squares = 0;
  for (const one of x) {
    total += one;
    squares += one * one;
  }
  const mean = total / x.length;
  return {
    mean,
    deviation: Math.sqrt(Math.max(0, squares / x.length - mean * mean)),
    rms: Math.sqrt(squares / x.length),
  };
}

/** Row `index` of a row-major matrix of `width` columns. */
export function row(matrix: Float32Array, index: number, width: number): Float32Array {
  return matrix.subarray(index * width, (index + 1) * width);
}

/** The largest |a − b|. */
export function largestDifference(a: Float32Array, b: Float32Array): number {
  let largest = 0;
  for (let i = 0; i < a.length; i++) largest = Math.max(largest, Math.abs(a[i]! - b[i]!));
  return largest;
}
