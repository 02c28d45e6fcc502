import type { Value } from '../graph/value.ts';
import { gather } from '../ops/gather.ts';
import type { Init } from './init.ts';
import type { Scope } from './scope.ts';

export interface EmbeddingOptions {
  readonly count: number;
  readonly width: number;
  readonly init: Init;
}

/** The table of an embedding, `weight` [count, width]; the same one serves as an output projection where they are tied. */
export function embeddingTable(scope: Scope, { count, width, init }: EmbeddingOptions): Value {
  return scope.parameter('weight', [count, width], init);
}

/**
 * Rows of a table: int32 [N] → [N, width]. A lookup of `paddingId` gives its row but passes no gradient to it, as
 * `torch.nn.Embedding(padding_idx=…)`.
 */
export function lookup(table: Value, ids: Value, paddingId: number | null): Value {
  return gather(table, ids, paddingId);
}
