import type { HostTensor } from '../../src/base/tensor.ts';

/** max |difference| / max |expected|; infinite where shapes differ or one value is not a number and the other is. */
export function deviation(actual: HostTensor, expected: HostTensor): number {
  if (actual.dtype !== expected.dtype || actual.shape.join() !== expected.shape.join()) return Infinity;
  let difference = 0;
  let size = 0;
  expected.data.forEach((e, i) => {
    const a = actual.data[i]!;
    if (Object.is(a, e) || a === e) return;
    if (!Number.isFinite(a - e)) difference = Infinity;
    difference = Math.max(difference, Math.abs(a - e));
  });
  for (const e of expected.data) if (Number.isFinite(e)) size = Math.max(size, Math.abs(e));
  return difference === 0 ? 0 : difference / size;
}
