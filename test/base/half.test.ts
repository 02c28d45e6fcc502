import { describe, expect, it } from 'vitest';
import { bfloat16ToFloat32, float16ToFloat32, float32ToBfloat16, float32ToFloat16 } from '../../src/base/half.ts';

const allPatterns = Uint16Array.from({ length: 65536 }, (_, i) => i);
const wordsOf = (values: Float32Array) => new Uint32Array(values.buffer, values.byteOffset, values.length);

/** Around every boundary between two neighbouring positive values: the midpoint and its float32 neighbours, both signs. */
function boundaries(positive: Float32Array): Float32Array {
  const words: number[] = [];
  for (let i = 0; i + 1 < positive.length; i++) {
    const middle = new Float32Array([(positive[i]! + positive[i + 1]!) / 2]);
    const word = wordsOf(middle)[0]!;
    for (const near of [word - 1, word, word + 1]) {
      if (near < 0) continue;
      words.push(near, (near | 0x80000000) >>> 0);
    }
  }
  return new Float32Array(Uint32Array.from(words).buffer);
}

describe('binary16', () => {
  const native = new Float16Array(allPatterns.buffer);

  it('widens all patterns to the values of Float16Array', () => {
    const wide = float16ToFloat32(allPatterns);
    const wrong = allPatterns.filter((i) => !Object.is(wide[i], native[i]));
    expect(wrong).toEqual(new Uint16Array());
  });

  it('brings all patterns back, NaN payloads included', () => {
    expect(float32ToFloat16(float16ToFloat32(allPatterns))).toEqual(allPatterns);
  });

  it('rounds as Float16Array does at every midpoint and beside it', () => {
    const values = boundaries(float16ToFloat32(allPatterns.subarray(0, 0x7c00)));
    const expected = new Uint16Array(Float16Array.from(values).buffer);
    expect(values.length).toBeGreaterThan(180_000);
    expect(float32ToFloat16(values)).toEqual(expected);
  });

  it('rounds the edges of the range', () => {
    const values = new Float32Array([
      65504,
      65519.99,
      65520,
      -65520,
      1e30,
      2 ** -25,
      2 ** -25 * 1.0001,
      -(2 ** -26),
      1e-45,
    ]);
    expect([...float32ToFloat16(values)]).toEqual([0x7bff, 0x7bff, 0x7c00, 0xfc00, 0x7c00, 0, 1, 0x8000, 0]);
  });
});

describe('bfloat16', () => {
  it('widens all patterns to the float32 whose upper half they are', () => {
    const words = wordsOf(bfloat16ToFloat32(allPatterns));
    expect(words).toEqual(Uint32Array.from(allPatterns, (i) => i * 65536));
  });

  it('brings all patterns back, NaN payloads included', () => {
    expect(float32ToBfloat16(bfloat16ToFloat32(allPatterns))).toEqual(allPatterns);
  });

  it('rounds to the nearest of the two neighbours, at the midpoint to the even one', () => {
    const finite = bfloat16ToFloat32(allPatterns.subarray(0, 0x7f80));
    const values = boundaries(finite);
    const rounded = float32ToBfloat16(values);
    let wrong = 0;
    for (let i = 0; i < values.length; i++) {
      const magnitude = Math.abs(values[i]!);
      const low = wordsOf(values)[i]! >>> 16; // towards zero
      const [below, above] = [finite[low & 0x7fff]!, finite[(low & 0x7fff) + 1]!];
      const isLow = magnitude - below < above - magnitude || (magnitude - below === above - magnitude && low % 2 === 0);
      if (rounded[i] !== low + (isLow ? 0 : 1)) wrong++;
    }
    expect(wrong).toBe(0);
  });

  it('overflows to infinity and keeps a NaN whose payload is below the kept bits', () => {
    const values = new Float32Array(Uint32Array.of(0x7f7fffff, 0xff7fffff, 0x7f800001, 0x7f7f7fff).buffer);
    expect([...float32ToBfloat16(values)]).toEqual([0x7f80, 0xff80, 0x7fc0, 0x7f7f]);
  });
});

it('narrows a view that does not start at its buffer', () => {
  const values = new Float32Array([9, 1, 2]).subarray(1);
  expect([...float32ToFloat16(values)]).toEqual([0x3c00, 0x4000]);
  expect([...float32ToBfloat16(values)]).toEqual([0x3f80, 0x4000]);
});
