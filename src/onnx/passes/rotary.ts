import { dimEquals, dimMul, dimText } from '../../base/dim.ts';
import type { Value } from '../../graph/value.ts';
import type { LoweringContext } from '../lowering.ts';
import type { OnnxValue } from '../modelBuilder.ts';
import { int64 } from '../onnxTensor.ts';
import * as onnx from '../operators.gen.ts';
import type { Pattern } from './fusion.ts';

/**
 * Queries or keys [B, H, T, K] turned by their positions, (a cos − b sin, b cos + a sin) with a and b the halves of K: one
 * kernel instead of nine. It looks cosines and sines up in tables; those here, [1 or B, 1, T, K/2], hold one row for each
 * position of the batch, so that the rows' numbers serve as positions.
 */
export const rotary: Pattern = (value, isPrivate, { contrib }) => {
  if (!contrib || value.op !== 'concat' || value.inputs.length !== 2 || value.shape.length !== 4) return undefined;
  const [left, right] = value.inputs as [Value, Value];
  const products = [...left.inputs, ...right.inputs];
  if (left.op !== 'sub' || right.op !== 'add' || !products.every(({ op }) => op === 'mul')) return undefined;
  const [a, cos, b, sin, ...crossed] = products.flatMap(({ inputs }) => inputs) as [Value, Value, Value, Value];
  const [x, size] = [a.inputs[0], value.shape[3]!];
  const half = typeof size === 'number' ? size / 2 : 0;
  const isRotation =
    [b, cos, a, sin].every((factor, i) => factor === crossed[i]) &&
    x !== undefined &&
    x === b.inputs[0] &&
    isSlice(a, 0, half) &&
    isSlice(b, half, 2 * half) &&
    isTable(cos, x, half) &&
    isTable(sin, x, half);
  const inside = [left, right, ...products];
  if (!isRotation || !inside.every((inner) => isPrivate(inner)) || !isPrivate(a, 2) || !isPrivate(b, 2)) {
    return undefined;
  }
  return {
    inside: [...inside, a, b],
    inputs: [x, cos, sin],
    emit: (cx, [rows, cosines, sines]) =>
      onnx.rotaryEmbedding(cx.b, rows!, positions(cx, cos), table(cx, cos, cosines!), table(cx, sin, sines!)),
  };
};

function isSlice({ op, attrs }: Value, start: number, end: number): boolean {
  return op === 'slice' && attrs['axis'] === 3 && attrs['start'] === start && attrs['end'] === end;
}

function isTable({ shape }: Value, x: Value, half: number): boolean {
  const [batch, one, length, width] = shape;
  const [xBatch, , xLength] = x.shape;
  return (
    shape.length === 4 &&
    (batch === 1 || dimEquals(batch!, xBatch!)) &&
    one === 1 &&
    dimEquals(length!, xLength!) &&
    width === half
  );
}

/** [1 or B, 1, T, K/2] → [T or B·T, K/2] */
function table(cx: LoweringContext, { id, shape }: Value, values: OnnxValue): OnnxValue {
  return cx.once(`rotary table ${id}`, () => onnx.reshape(cx.b, values, cx.longs([-1, shape[3] as number])));
}

/** The rows of the tables, int64 [B, T]; or [1], the first position, where all of a batch have the same. */
function positions(cx: LoweringContext, { shape: [batch, , length] }: Value): OnnxValue {
  if (batch === 1) return cx.longs([0]);
  return cx.once(`rotary positions ${dimText(batch!)} ${dimText(length!)}`, () => {
    const count = cx.extentScalar(dimMul(batch!, length!));
    const rows = onnx.range(cx.b, cx.constant(int64(0)), count, cx.constant(int64(1)));
    return onnx.reshape(cx.b, rows, cx.shape([batch!, length!]));
  });
}
