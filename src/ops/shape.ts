import {
  type Dim,
  dimAdd,
  dimDivide,
  dimEquals,
  dimSub,
  dimText,
  type Shape,
  shapeEquals,
  shapeSize,
  shapeText,
} from '../base/dim.ts';
import { QkvError } from '../base/errors.ts';
import type { Value } from '../graph/value.ts';
import { maker, normalAxis, type OpTable, shapeError } from './record.ts';

/** Operators that move elements and compute nothing. */
export interface ShapeOps {
  reshape: { readonly shape: Shape };
  transpose: { readonly permutation: readonly number[] };
  expand: { readonly shape: Shape };
  slice: { readonly axis: number; readonly start: Dim; readonly end: Dim };
  concat: { readonly axis: number };
  pad: { readonly axis: number; readonly before: Dim; readonly after: Dim; readonly value: number };
}

export const shapeOps: OpTable<ShapeOps> = {
  reshape: {
    type: (inputs, { shape }, op) => {
      const x = inputs[0]!;
      if (shape.some(isNegative)) throw shapeError(op, inputs, `no negative extents, not ${shapeText(shape)}`);
      if (!dimEquals(shapeSize(x.shape), shapeSize(shape)))
        throw shapeError(op, inputs, `as many elements as ${shapeText(shape)}`);
      return { shape, dtype: x.dtype };
    },
    derivative: [(g, _, [x]) => reshape(g, x!.shape)],
  },
  transpose: {
    type: (inputs, { permutation }, op) => {
      const x = inputs[0]!;
      if ([...permutation].sort((a, b) => a - b).join() !== x.shape.map((_, i) => i).join()) {
        throw shapeError(op, inputs, `a permutation of all axes, not [${permutation.join(', ')}]`);
      }
      return { shape: permutation.map((axis) => x.shape[axis]!), dtype: x.dtype };
    },
    derivative: [
      (g, _, __, { permutation }) =>
        transpose(
          g,
          permutation.map((_axis, i) => permutation.indexOf(i)),
        ),
    ],
  },
  expand: {
    type: (inputs, { shape }, op) => {
      const x = inputs[0]!;
      const lead = shape.length - x.shape.length;
      const fits = lead >= 0 && x.shape.every((dim, i) => dimEquals(dim, 1) || dimEquals(dim, shape[lead + i]!));
      if (!fits) throw shapeError(op, inputs, `a shape that broadcasts to ${shapeText(shape)}`);
      return { shape, dtype: x.dtype };
    },
    derivative: [(g) => g], // the sweep sums over the broadcast axes
  },
  slice: {
    type: (inputs, { axis, start, end }, op) => {
      const x = inputs[0]!;
      const extent = x.shape[axis]!;
      const exceeds = (a: Dim, b: Dim): boolean => typeof a === 'number' && typeof b === 'number' && a > b;
      if (isNegative(start) || exceeds(end, extent) || exceeds(start, end)) {
        throw shapeError(op, inputs, `0 ≤ start ≤ end ≤ ${dimText(extent)}, not ${dimText(start)}..${dimText(end)}`);
      }
      return { shape: x.shape.map((dim, i) => (i === axis ? dimSub(end, start) : dim)), dtype: x.dtype };
    },
    derivative: [(g, _, [x], { axis, start, end }) => pad(g, axis, start, dimSub(x!.shape[axis]!, end))],
  },
  concat: {
    type: (inputs, { axis }, op) => {
      const [first] = inputs as [Value];
      const rest = (shape: Shape): Shape => shape.filter((_, i) => i !== axis);
      const fits = inputs.every(
        (x) =>
          x.dtype === first.dtype &&
          x.shape.length === first.shape.length &&
          shapeEquals(rest(x.shape), rest(first.shape)),
      );
      if (!fits) throw shapeError(op, inputs, `equal types and shapes but for axis ${axis}`);
      const total = inputs.reduce<Dim>((sum, x) => dimAdd(sum, x.shape[axis]!), 0);
      return { shape: first.shape.map((dim, i) => (i === axis ? total : dim)), dtype: first.dtype };
    },
    derivative:
      (index) =>
      (g, _, inputs, { axis }) => {
        const start = inputs.slice(0, index).reduce<Dim>((sum, x) => dimAdd(sum, x.shape[axis]!), 0);
        return slice(g, axis, start, dimAdd(start, inputs[index]!.shape[axis]!));
      },
  },
  pad: {
    type: (inputs, { axis, before, after }, op) => {
      const x = inputs[0]!;
      if (isNegative(before) || isNegative(after)) throw shapeError(op, inputs, 'no negative extents');
      return {
        shape: x.shape.map((dim, i) => (i === axis ? dimAdd(dimAdd(before, dim), after) : dim)),
        dtype: x.dtype,
      };
    },
    derivative: [(g, _, [x], { axis, before }) => slice(g, axis, before, dimAdd(before, x!.shape[axis]!))],
  },
};

function isNegative(dim: Dim): boolean {
  return typeof dim === 'number' && dim < 0;
}

const make = maker(shapeOps);

/** The same elements in row-major order under another shape; one extent may be −1, which is then worked out. */
export function reshape(x: Value, shape: Shape): Value {
  const full = shape.some((dim) => dim === -1) ? inferExtent(x, shape) : shape;
  return shapeEquals(x.shape, full) ? x : make('reshape', [x], { shape: full });
}

/** The −1 of a reshape: a quotient, or the extents of x that are not matched by the others, from the front and from the back. */
function inferExtent(x: Value, shape: Shape): Shape {
  const hole = shape.indexOf(-1);
  const before = shape.slice(0, hole);
  const after = shape.slice(hole + 1);
  const total = shapeSize(x.shape);
  const known = shapeSize([...before, ...after]);
  const rest = dimDivide(total, known);
  if (rest !== undefined) return [...before, rest, ...after];
  const middle = x.shape.slice(before.length, x.shape.length - after.length);
  const candidate = [...before, shapeSize(middle), ...after];
  if (dimEquals(shapeSize(candidate), total)) return candidate;
  throw new QkvError('shape', {
    where: 'reshape',
    got: `${shapeText(x.shape)} to ${shapeText(shape)}`,
    expected: 'a −1 that can be worked out while tracing',
    hint: 'Write the extent out',
  });
}

/** Axis i of the result is axis `permutation[i]` of x. */
export function transpose(x: Value, permutation: readonly number[]): Value {
  const changesNothing = permutation.length === x.shape.length && permutation.every((axis, i) => axis === i);
  return changesNothing ? x : make('transpose', [x], { permutation });
}

/** x repeated along its extents of 1 (and new leading axes) to `shape`. */
export function expand(x: Value, shape: Shape): Value {
  return shapeEquals(x.shape, shape) ? x : make('expand', [x], { shape });
}

/** Elements `start` to `end` (not included) of an axis. */
export function slice(x: Value, axis: number, start: Dim, end: Dim): Value {
  const normal = normalAxis('slice', axis, x.shape.length);
  return dimEquals(start, 0) && dimEquals(end, x.shape[normal]!) ? x : make('slice', [x], { axis: normal, start, end });
}

export function concat(values: readonly Value[], axis: number): Value {
  const [first] = values;
  if (!first) throw new QkvError('shape', { where: 'concat', got: 'no values', expected: 'at least one' });
  return values.length === 1 ? first : make('concat', values, { axis: normalAxis('concat', axis, first.shape.length) });
}

/** `value` put `before` and `after` an axis. */
export function pad(x: Value, axis: number, before: Dim, after: Dim, value = 0): Value {
  if (dimEquals(before, 0) && dimEquals(after, 0)) return x;
  return make('pad', [x], { axis: normalAxis('pad', axis, x.shape.length), before, after, value });
}

/** Equal parts along an axis. */
export function split(x: Value, parts: number, axis: number): Value[] {
  const extent = x.shape[normalAxis('split', axis, x.shape.length)]!;
  if (typeof extent !== 'number' || extent % parts !== 0)
    throw shapeError('split', [x], `an extent that ${parts} divides on axis ${axis}`);
  const size = extent / parts;
  return Array.from({ length: parts }, (_, i) => slice(x, axis, i * size, (i + 1) * size));
}
