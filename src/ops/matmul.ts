import { type Dim, dimEquals, type Shape, shapeSize } from '../base/dim.ts';
import type { Value } from '../graph/value.ts';
import { makeValue } from '../graph/value.ts';
import { broadcastShapes, expectDtype, maker, type OpTable, shapeError } from './record.ts';
import { reshape } from './shape.ts';

export interface MatmulAttributes {
  /** Swap the last two axes of the left or right operand first. */
  readonly transposeA: boolean;
  readonly transposeB: boolean;
  /** A factor on the product. */
  readonly alpha: number;
}

export interface MatmulOps {
  matmul: MatmulAttributes;
}

/** Rows of x as a matrix: [..., N] to [rows, N]. */
function flat(x: Value): Value {
  return x.shape.length === 2 ? x : reshape(x, [shapeSize(x.shape.slice(0, -1)), x.shape.at(-1)!]);
}

/** y = alpha · op(a) op(b), batched over leading axes, which broadcast. */
export const matmulOps: OpTable<MatmulOps> = {
  matmul: {
    type: (inputs, { transposeA, transposeB }, op) => {
      const [a, b] = inputs as [Value, Value];
      const dtype = expectDtype(op, inputs, 'float32');
      if (a.shape.length < 2 || b.shape.length < 2) throw shapeError(op, inputs, 'two axes or more on both sides');
      const [m, k] = ends(a, transposeA);
      const [l, n] = ends(b, transposeB);
      if (!dimEquals(k, l))
        throw shapeError(
          op,
          inputs,
          `equal inner extents${transposeA ? ', the left side transposed' : ''}${transposeB ? ', the right side transposed' : ''}`,
        );
      return { shape: [...batchShape(op, a, b), m, n], dtype };
    },
    derivative: [
      // dA = alpha · g op(B)ᵀ, transposed if A was
      (g, _, [, b], { transposeA, transposeB, alpha }) =>
        transposeA
          ? matmul(b!, g, { transposeA: transposeB, transposeB: true, alpha })
          : matmul(g, b!, { transposeB: !transposeB, alpha }),
      // dB = alpha · op(A)ᵀ g, transposed if B was; a matrix under a batch of rows is one product over all rows
      (g, _, [a, b], { transposeA, transposeB, alpha }) => {
        const shared = b!.shape.length === 2 && !transposeA;
        const [left, right] = shared ? [flat(a!), flat(g)] : [a!, g];
        return transposeB
          ? matmul(right, left, { transposeA: true, transposeB: transposeA, alpha })
          : matmul(left, right, { transposeA: !transposeA, alpha });
      },
    ],
  },
};

function ends(x: Value, transposed: boolean): [Dim, Dim] {
  const [rows, columns] = x.shape.slice(-2) as [Dim, Dim];
  return transposed ? [columns, rows] : [rows, columns];
}

function batchShape(op: string, a: Value, b: Value): Shape {
  const lead = (x: Value): Value => makeValue('lead', [], {}, { shape: x.shape.slice(0, -2), dtype: x.dtype });
  return broadcastShapes(op, lead(a), lead(b));
}

const make = maker(matmulOps);

export interface MatmulOptions {
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  readonly alpha?: number;
}

/** alpha · a b over the last two axes, [..., M, K] · [..., K, N] → [..., M, N]; leading axes broadcast. */
export function matmul(a: Value, b: Value, options: MatmulOptions = {}): Value {
  const { transposeA = false, transposeB = false, alpha = 1 } = options;
  return make('matmul', [a, b], { transposeA, transposeB, alpha });
}
