import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { RandomStream } from '../../src/base/random.ts';
import { Sha256 } from '../../src/base/sha256.ts';

it('gives what Node gives, however the bytes are cut', () => {
  const stream = new RandomStream([1, 2]);
  for (const length of [0, 1, 55, 56, 57, 63, 64, 65, 119, 120, 1000, 100_003]) {
    const bytes = Uint8Array.from({ length }, () => stream.below(256));
    const expected = createHash('sha256').update(bytes).digest('hex');
    const hash = new Sha256();
    for (let at = 0; at < length; ) {
      const step = 1 + stream.below(200);
      hash.update(bytes.subarray(at, at + step));
      at += step;
    }
    expect(hash.digest(), `${length} bytes`).toBe(expected);
  }
});
