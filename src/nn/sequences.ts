import type { Dim } from '../base/dim.ts';
import type { Value } from '../graph/value.ts';
import { reshape } from '../ops/shape.ts';
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
