/**
 * IEEE 754 binary16 ("F16") and bfloat16 ("BF16"), as arrays of bit patterns, from and to float32. Widening is exact for
 * every pattern, NaN payloads included; narrowing rounds to nearest, ties to even. Done on the bits, so that it works
 * where `Float16Array` does not exist and a NaN keeps its payload.
 */

const EXPONENT_REBIAS = 2 ** 112; // 127 − 15: moves a binary16 exponent read as a float32 exponent to its real place

/** Values of binary16 patterns. */
export function float16ToFloat32(bits: Uint16Array): Float32Array<ArrayBuffer> {
  const values = new Float32Array(bits.length);
  const words = new Uint32Array(values.buffer);
  for (let i = 0; i < bits.length; i++) {
    const half = bits[i]!;
    const sign = (half & 0x8000) << 16;
    if ((half & 0x7c00) === 0x7c00) {
      words[i] = sign | 0x7f800000 | ((half & 0x3ff) << 13);
    } else {
      // Exponent and mantissa at their float32 place; the product normalises subnormals too, and is exact.
      words[i] = (half & 0x7fff) << 13;
      values[i] = values[i]! * EXPONENT_REBIAS;
      words[i] = words[i]! | sign;
    }
  }
  return values;
}

/** The value of one binary16 pattern. */
export function float16Value(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 0x3ff;
  const sign = bits & 0x8000 ? -1 : 1;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (0x400 | fraction) * 2 ** (exponent - 25);
}

/** Nearest binary16 patterns; magnitudes from 65520 become infinite, as IEEE 754 rounding says. */
export function float32ToFloat16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    const sign = (word >>> 16) & 0x8000;
    const magnitude = word & 0x7fffffff;
    bits[i] = sign | narrowMagnitude(magnitude);
  }
  return bits;
}

function narrowMagnitude(magnitude: number): number {
  if (magnitude > 0x7f800000) return 0x7c00 | ((magnitude >>> 13) & 0x3ff || 0x200); // NaN must not become infinity
  if (magnitude >= 0x477ff000) return 0x7c00; // ≥ 65520, the midpoint between 65504 and 2^16
  if (magnitude >= 0x38800000) return roundShift(magnitude - 0x38000000, 13); // ≥ 2^-14, normal
  // Subnormal: the significand with its hidden bit, in units of 2^-24.
  const shift = 126 - (magnitude >>> 23);
  if (shift > 24) return 0; // < 2^-25
  return roundShift((magnitude & 0x7fffff) | 0x800000, shift);
}

/** `value / 2^shift` rounded to nearest, ties to even. */
function roundShift(value: number, shift: number): number {
  const isOdd = (value >>> shift) & 1;
  return (value + (1 << (shift - 1)) - 1 + isOdd) >>> shift;
}

/** Values of bfloat16 patterns: the upper half of a float32. */
export function bfloat16ToFloat32(bits: Uint16Array): Float32Array<ArrayBuffer> {
  const words = new Uint32Array(bits.length);
  for (let i = 0; i < bits.length; i++) words[i] = bits[i]! << 16;
  return new Float32Array(words.buffer);
}

/** Nearest bfloat16 patterns. */
export function float32ToBfloat16(values: Float32Array): Uint16Array<ArrayBuffer> {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const bits = new Uint16Array(values.length);
  for (let i = 0; i < words.length; i++) {
    const word = words[i]!;
    const isNotANumber = (word & 0x7fffffff) > 0x7f800000; // must not become infinity
    if (isNotANumber) bits[i] = (word >>> 16) | ((word >>> 16) & 0x7f ? 0 : 0x40);
    else bits[i] = (word + 0x7fff + ((word >>> 16) & 1)) >>> 16;
  }
  return bits;
}
