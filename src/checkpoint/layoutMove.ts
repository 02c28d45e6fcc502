import { QkvError } from '../base/errors.ts';
import { sizeOf } from '../base/tensor.ts';

/** `[rows, columns]` row-major to `[columns, rows]`. */
export function transpose(data: Float32Array, rows: number, columns: number): Float32Array<ArrayBuffer> {
  const result = new Float32Array(data.length);
  transposeInto(result, data, 0, rows, columns);
  return result;
}

/** Puts whole rows of a `[rows, columns]` matrix, from `firstRow` on, into its transpose. */
export function transposeInto(
  target: Float32Array,
  part: Float32Array,
  firstRow: number,
  rows: number,
  columns: number,
): void {
  const result = wordsOf(target);
  const words = wordsOf(part);
  const partRows = columns === 0 ? 0 : part.length / columns;
  // In square tiles, so that both sides stay in cache.
  const tile = 32;
  for (let r0 = 0; r0 < partRows; r0 += tile) {
    for (let c0 = 0; c0 < columns; c0 += tile) {
      const r1 = Math.min(r0 + tile, partRows);
      const c1 = Math.min(c0 + tile, columns);
      for (let r = r0; r < r1; r++) {
        for (let c = c0; c < c1; c++) result[c * rows + firstRow + r] = words[r * columns + c]!;
      }
    }
  }
}

/** Values are moved as words: a float that passes through a JavaScript number may lose a NaN's payload. */
function wordsOf(data: Float32Array): Uint32Array {
  return new Uint32Array(data.buffer, data.byteOffset, data.length);
}

/** The shape of parts joined along an axis; throws where they differ elsewhere. */
export function joinedShape(shapes: readonly (readonly number[])[], axis: number, where: string): number[] {
  const joined = [...shapes[0]!];
  const rest = (shape: readonly number[]) => shape.toSpliced(axis, 1).join();
  if (shapes.some((shape) => axis >= shape.length || rest(shape) !== rest(joined))) {
    throw new QkvError('usage', {
      where,
      got: shapes.map((shape) => `[${shape.join(', ')}]`).join(' '),
      expected: `parts that differ only along axis ${axis}`,
    });
  }
  joined[axis] = shapes.reduce((sum, shape) => sum + shape[axis]!, 0);
  return joined;
}

/** Puts elements of a tensor, from `start` on, into the parts of the given shapes that it is cut into along an axis. */
export function splitInto(
  parts: readonly Float32Array[],
  data: Float32Array,
  start: number,
  shapes: readonly (readonly number[])[],
  axis: number,
): void {
  forEachRun(shapes, axis, parts, (part, partStart, from, length) => {
    const [first, last] = [Math.max(from, start), Math.min(from + length, start + data.length)];
    if (first < last) part.set(data.subarray(first - start, last - start), partStart + first - from);
  });
}

/** The inverse of `splitInto`. */
export function join(
  parts: readonly Float32Array[],
  shapes: readonly (readonly number[])[],
  axis: number,
): Float32Array {
  const whole = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  forEachRun(shapes, axis, parts, (part, start, to, length) => whole.set(part.subarray(start, start + length), to));
  return whole;
}

/** Visits the contiguous runs that parts and whole share: `[start, start + length)` of a part, from `wholeStart` in the whole. */
function forEachRun<P extends Float32Array>(
  shapes: readonly (readonly number[])[],
  axis: number,
  parts: readonly P[],
  visit: (part: P, start: number, wholeStart: number, length: number) => void,
): void {
  const runs = shapes.map((shape) => sizeOf(shape.slice(axis)));
  const outer = sizeOf(shapes[0]!.slice(0, axis));
  let at = 0;
  for (let row = 0; row < outer; row++) {
    for (const [i, run] of runs.entries()) {
      visit(parts[i]!, row * run, at, run);
      at += run;
    }
  }
}
