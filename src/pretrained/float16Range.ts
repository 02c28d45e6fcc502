import { QkvError } from '../base/errors.ts';

/** Values from here on are infinite in float16: halfway between its largest, 65504, and 2¹⁶. */
const limit = 65520;

/** @throws QkvError `usage` for weights that float16 cannot hold */
export function refuseOverflow(name: string, values: Float32Array): void {
  const value = values.find((x) => Math.abs(x) >= limit && Number.isFinite(x));
  if (value === undefined) return;
  throw new QkvError('usage', {
    where: `${name} as float16`,
    got: `the weight ${value}`,
    expected: 'magnitudes up to 65504',
    hint: 'bfloat16 has the range of float32',
  });
}
