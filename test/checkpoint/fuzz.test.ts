import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { fuzzSafetensors } from './fuzzSafetensors.ts';

const original = new Uint8Array(readFileSync(new URL('../../fixtures/checkpoint/dtypes.safetensors', import.meta.url)));

it('refuses or reads correctly 2,000 damaged files', async () => {
  const { refused, read } = await fuzzSafetensors(original, 2000, 1);
  expect(refused + read).toBe(2000);
  // Both outcomes must really occur, else the mutations test nothing.
  expect(refused).toBeGreaterThan(1000);
  expect(read).toBeGreaterThan(20);
});
