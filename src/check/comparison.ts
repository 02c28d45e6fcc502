import type { HostTensor } from '../base/tensor.ts';

/** Two tensors that should be equal, and by how much they differ. */
export interface Comparison {
  /** Of what is compared: a tensor of a file (`output.logits`, `grad.wte.weight`), or a property of the model. */
  readonly name: string;
  readonly kind: 'logits' | 'hidden states' | 'attentions' | 'loss' | 'gradients';
  /** max |a − b|; infinite where the shapes differ or a value is not a number. */
  readonly difference: number;
  /** `difference` divided by max |b|, or by what `note` says. */
  readonly ratio: number;
  /** The largest ratio that is not a fault. */
  readonly limit: number;
  readonly note?: string;
}

/** NaN is a fault. */
export function isFault({ ratio, limit }: Pick<Comparison, 'ratio' | 'limit'>): boolean {
  return !(ratio <= limit);
}

/** The faults first, and of these, as of the rest, those that come to the most of their limit first. */
export function worstFirst(comparisons: readonly Comparison[]): Comparison[] {
  const share = ({ ratio, limit }: Comparison): number => (ratio === 0 ? 0 : ratio / limit);
  return comparisons.toSorted((a, b) => (share(a) === share(b) ? 0 : share(b) - share(a)));
}

/** `actual` against `expected`, measured by the largest |expected| unless another `scale` is given. */
export function compareTensors(
  { name, kind, limit }: Pick<Comparison, 'name' | 'kind' | 'limit'>,
  actual: HostTensor,
  expected: HostTensor,
  { scale = maxAbs(expected.data), note }: { readonly scale?: number; readonly note?: string } = {},
): Comparison {
  const difference = maxDifference(actual, expected);
  const ratio = difference === 0 ? 0 : difference / scale;
  const shapes = [actual, expected].map(({ shape }) => `[${shape.join(', ')}]`);
  const said = shapes[0] === shapes[1] ? note : `shape ${shapes[0]} here, ${shapes[1]} expected`;
  // what is divided by an infinite or missing scale is no smaller for it
  const isMeasured = Number.isFinite(difference) && !Number.isNaN(ratio);
  return {
    name,
    kind,
    difference,
    ratio: isMeasured ? ratio : Number.POSITIVE_INFINITY,
    limit,
    ...(said !== undefined && { note: said }),
  };
}

/** max |a − b|; infinite where shapes differ or a value is not a number. */
export function maxDifference(actual: HostTensor, expected: HostTensor): number {
  if (actual.shape.join() !== expected.shape.join()) return Number.POSITIVE_INFINITY;
  return maxDifferenceOf(actual.data, expected.data);
}

export function maxDifferenceOf(actual: ArrayLike<number>, expected: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(actual[i]! - expected[i]!);
    if (!(difference <= most)) most = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
  }
  return most;
}

/** NaN where a value is. */
export function maxAbs(data: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < data.length; i++) most = Math.max(most, Math.abs(data[i]!));
  return most;
}
