import { type Dim, dimMul } from '../base/dim.ts';
import type { Value } from '../graph/value.ts';
import { add, cast, mul } from '../ops/elementwise.ts';
import { gather } from '../ops/gather.ts';
import { dimSize, iota } from '../ops/leaf.ts';
import { reshape, slice } from '../ops/shape.ts';
import type { Scope } from './scope.ts';

/** Rows of a batch of sequences, flattened: `rows` is [B·T, D]. Layers work on rows; only attention sees B and T. */
export interface Sequences {
  readonly rows: Value;
  readonly batch: Dim;
  readonly length: Dim;
}

/** The same batch with other rows. */
export function withRows({ batch, length }: Sequences, rows: Value): Sequences {
  return { rows, batch, length };
}

/** Names the rows as [B, T, D] and gives the sequences back. */
export function named(scope: Scope, name: string, x: Sequences): Sequences {
  scope.name(name, reshape(x.rows, [x.batch, x.length, x.rows.shape[1]!]));
  return x;
}

/** The first row of each sequence: [B, D]. */
export function firstRows({ rows, batch, length }: Sequences): Value {
  const width = rows.shape[1]!;
  return reshape(slice(reshape(rows, [batch, length, width]), 1, 0, 1), [batch, width]);
}

/** The rows at `positions` int32 [B, M], each from 0 to T − 1 in its own sequence: [B·M, D]. */
export function rowsAt({ rows, batch, length }: Sequences, positions: Value): Value {
  const first = mul(reshape(iota(batch), [batch, 1]), cast(dimSize(length), 'int32'));
  return gather(rows, reshape(add(first, positions), [dimMul(batch, positions.shape[1]!)]));
}
