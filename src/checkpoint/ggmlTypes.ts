import { float16Value } from '../base/half.ts';
import type { StorageDType } from '../base/tensor.ts';

/** How ggml stores the elements of a tensor. */
export interface GgmlType {
  readonly name: string;
  /** What it is read as. */
  readonly dtype: StorageDType;
  readonly blockElements: number;
  readonly blockBytes: number;
  /** Of a quantised type: the values of whole blocks. */
  readonly dequantize?: (blocks: Uint8Array, values: Float32Array) => void;
}

/** Writes the values of the block at byte `b` from `y[o]` on. */
type Block = (x: Uint8Array, b: number, y: Float32Array, o: number) => void;

/*
 * The blocks, with the formulas of dequantize_row_* in https://github.com/ggml-org/ggml/blob/master/src/ggml-quants.c and
 * the layouts of block_* in ggml-common.h. d: the scale, m: the minimum, q: the whole number of one element.
 * Every product is exact in float32, so that the one rounding is that of the value.
 */

const half = (x: Uint8Array, at: number): number => float16Value(x[at]! | (x[at + 1]! << 8));
const signed = (byte: number): number => (byte << 24) >> 24;

/** d, 16 bytes of two q: d·(q − 8) */
const q4_0: Block = (x, b, y, o) => {
  const d = half(x, b);
  for (let j = 0; j < 16; j++) {
    const q = x[b + 2 + j]!;
    y[o + j] = d * ((q & 15) - 8);
    y[o + 16 + j] = d * ((q >> 4) - 8);
  }
};

/** d, m, 16 bytes of two q: d·q + m */
const q4_1: Block = (x, b, y, o) => {
  const d = half(x, b);
  const m = half(x, b + 2);
  for (let j = 0; j < 16; j++) {
    const q = x[b + 4 + j]!;
    y[o + j] = d * (q & 15) + m;
    y[o + 16 + j] = d * (q >> 4) + m;
  }
};

/** d, 32 fifth bits, 16 bytes of two q: d·(q − 16) */
const q5_0: Block = (x, b, y, o) => {
  const d = half(x, b);
  for (let j = 0; j < 16; j++) {
    const q = x[b + 6 + j]!;
    y[o + j] = d * ((q & 15) + 16 * bit(x, b + 2, j) - 16);
    y[o + 16 + j] = d * ((q >> 4) + 16 * bit(x, b + 2, j + 16) - 16);
  }
};

/** d, m, 32 fifth bits, 16 bytes of two q: d·q + m */
const q5_1: Block = (x, b, y, o) => {
  const d = half(x, b);
  const m = half(x, b + 2);
  for (let j = 0; j < 16; j++) {
    const q = x[b + 8 + j]!;
    y[o + j] = d * ((q & 15) + 16 * bit(x, b + 4, j)) + m;
    y[o + 16 + j] = d * ((q >> 4) + 16 * bit(x, b + 4, j + 16)) + m;
  }
};

function bit(x: Uint8Array, at: number, i: number): number {
  return (x[at + (i >> 3)]! >> (i & 7)) & 1;
}

/** d, 32 signed bytes q: d·q */
const q8_0: Block = (x, b, y, o) => {
  const d = half(x, b);
  for (let j = 0; j < 32; j++) y[o + j] = d * signed(x[b + 2 + j]!);
};

/** 16 bytes of scale and minimum for 16 elements each, 64 bytes of four q, d, dmin: d·scale·q − dmin·minimum */
const q2K: Block = (x, b, y, o) => {
  const d = half(x, b + 80);
  const dmin = half(x, b + 82);
  for (let i = 0; i < 256; i++) {
    const s = x[b + (i >> 4)]!;
    y[o + i] = d * (s & 15) * ((x[b + 16 + quarter(i)]! >> (2 * ((i >> 5) & 3))) & 3) - dmin * (s >> 4);
  }
};

/** 256 third bits, 64 bytes of four q, 12 bytes of 16 scales of 6 bits, d: d·(scale − 32)·(q − 4) with the third bit in q */
const q3K: Block = (x, b, y, o) => {
  const d = half(x, b + 108);
  for (let i = 0; i < 256; i++) {
    const s = i >> 4;
    const low = (x[b + 96 + (s & 7)]! >> (4 * (s >> 3))) & 15;
    const high = (x[b + 104 + (s & 3)]! >> (2 * (s >> 2))) & 3;
    const q = ((x[b + 32 + quarter(i)]! >> (2 * ((i >> 5) & 3))) & 3) | (((x[b + (i & 31)]! >> (i >> 5)) & 1) << 2);
    y[o + i] = d * ((low | (high << 4)) - 32) * (q - 4);
  }
};

/** In which of 64 bytes element i of 256 is, where a byte holds those 32 apart: i, i+32, i+64, i+96. */
function quarter(i: number): number {
  return 32 * (i >> 7) + (i & 31);
}

/** Scale and minimum number s of the 8 of 6 bits each that 12 bytes hold: get_scale_min_k4. */
function scaleOf(x: Uint8Array, at: number, s: number): number {
  return s < 4 ? x[at + s]! & 63 : (x[at + s + 4]! & 15) | ((x[at + s - 4]! >> 6) << 4);
}
function minimumOf(x: Uint8Array, at: number, s: number): number {
  return s < 4 ? x[at + s + 4]! & 63 : (x[at + s + 4]! >> 4) | ((x[at + s]! >> 6) << 4);
}

/** d, dmin, 8 scales and minima, 128 bytes of two q: d·scale·q − dmin·minimum */
const q4K: Block = (x, b, y, o) => {
  const d = half(x, b);
  const dmin = half(x, b + 2);
  for (let s = 0; s < 8; s++) {
    const scale = d * scaleOf(x, b + 4, s);
    const minimum = dmin * minimumOf(x, b + 4, s);
    const from = b + 16 + 32 * (s >> 1);
    for (let j = 0; j < 32; j++) y[o + 32 * s + j] = scale * ((x[from + j]! >> (4 * (s & 1))) & 15) - minimum;
  }
};

/** As q4K, with a fifth bit of each q in 32 bytes before the others. */
const q5K: Block = (x, b, y, o) => {
  const d = half(x, b);
  const dmin = half(x, b + 2);
  for (let s = 0; s < 8; s++) {
    const scale = d * scaleOf(x, b + 4, s);
    const minimum = dmin * minimumOf(x, b + 4, s);
    const from = b + 48 + 32 * (s >> 1);
    for (let j = 0; j < 32; j++) {
      const q = ((x[from + j]! >> (4 * (s & 1))) & 15) | (((x[b + 16 + j]! >> s) & 1) << 4);
      y[o + 32 * s + j] = scale * q - minimum;
    }
  }
};

/** 128 bytes of two low halves of q, 64 of four upper pairs of bits, 16 signed scales, d: d·scale·(q − 32) */
const q6K: Block = (x, b, y, o) => {
  const d = half(x, b + 208);
  for (let i = 0; i < 256; i++) {
    const part = (i >> 5) & 3; // of the 128 elements
    const low = (x[b + 64 * (i >> 7) + (i & 31) + 32 * (part & 1)]! >> (4 * (part >> 1))) & 15;
    const high = (x[b + 128 + quarter(i)]! >> (2 * part)) & 3;
    y[o + i] = d * signed(x[b + 192 + (i >> 4)]!) * ((low | (high << 4)) - 32);
  }
};

function plain(name: StorageDType, bytes: number): GgmlType {
  return { name, dtype: name, blockElements: 1, blockBytes: bytes };
}

function blocks(name: string, blockElements: number, blockBytes: number, block: Block): GgmlType {
  const dequantize = (bytes: Uint8Array, values: Float32Array): void => {
    for (let i = 0; i * blockElements < values.length; i++) block(bytes, i * blockBytes, values, i * blockElements);
  };
  return { name, dtype: 'F32', blockElements, blockBytes, dequantize };
}

/** `ggml_type` by its number (ggml.h): those that are read, and the names of the others. */
export const ggmlTypes: ReadonlyMap<number, GgmlType | string> = new Map<number, GgmlType | string>([
  [0, plain('F32', 4)],
  [1, plain('F16', 2)],
  [2, blocks('Q4_0', 32, 18, q4_0)],
  [3, blocks('Q4_1', 32, 20, q4_1)],
  [6, blocks('Q5_0', 32, 22, q5_0)],
  [7, blocks('Q5_1', 32, 24, q5_1)],
  [8, blocks('Q8_0', 32, 34, q8_0)],
  [9, 'Q8_1'],
  [10, blocks('Q2_K', 256, 84, q2K)],
  [11, blocks('Q3_K', 256, 110, q3K)],
  [12, blocks('Q4_K', 256, 144, q4K)],
  [13, blocks('Q5_K', 256, 176, q5K)],
  [14, blocks('Q6_K', 256, 210, q6K)],
  [15, 'Q8_K'],
  [16, 'IQ2_XXS'],
  [17, 'IQ2_XS'],
  [18, 'IQ3_XXS'],
  [19, 'IQ1_S'],
  [20, 'IQ4_NL'],
  [21, 'IQ3_S'],
  [22, 'IQ2_S'],
  [23, 'IQ4_XS'],
  [24, plain('I8', 1)],
  [25, plain('I16', 2)],
  [26, plain('I32', 4)],
  [27, plain('I64', 8)],
  [28, plain('F64', 8)],
  [29, 'IQ1_M'],
  [30, plain('BF16', 2)],
  [34, 'TQ1_0'],
  [35, 'TQ2_0'],
  [39, 'MXFP4'],
]);
