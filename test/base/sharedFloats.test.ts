import { expect, it } from 'vitest';
import { sharedFloats } from '../../src/base/sharedFloats.ts';

it('refuses more memory than there is', () => {
  expect(() => sharedFloats(2 ** 50)).toThrow(
    expect.objectContaining({ code: 'runtime', message: expect.stringContaining('got 4503599627370496 bytes') }),
  );
});
