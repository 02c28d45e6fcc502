import { type Dim, dimMul } from '../base/dim.ts';
import type { Value } from '../graph/value.ts';
import { embeddingTable, lookup } from '../nn/embedding.ts';
import { normalInit } from '../nn/init.ts';
import type { Scope } from '../nn/scope.ts';
import { input } from '../ops/leaf.ts';
import { matmul } from '../ops/matmul.ts';
import { reshape, transpose } from '../ops/shape.ts';
import { type LstmState, lstm } from './lstm.ts';

/** A language model of LSTM layers, all of one width, that of the embedding. */
export interface LstmConfig {
  readonly vocabSize: number;
  readonly width: number;
  readonly layers: number;
  readonly forgetShift: number;
}

export interface LstmPass {
  /** [T·B, H], before the first layer: what a gradient is asked for. */
  readonly embedding: Value;
  /** [T·B, H], after the last layer. */
  readonly rows: Value;
  readonly states: readonly LstmState[];
}

/** ids int32 [B, T], T a number → rows, all sequences' first positions first; `states` of the layers before and after them. */
export function lstmModel(root: Scope, config: LstmConfig, ids: Value, states: readonly LstmState[]): LstmPass {
  const [batch, length] = ids.shape as [Dim, number];
  const { vocabSize, width, layers, forgetShift } = config;
  const table = embeddingTable(root.at('tokens'), { count: vocabSize, width, init: normalInit(1) });
  const embedding = lookup(table, timeMajor(ids), null);
  let rows = embedding;
  const after: LstmState[] = [];
  for (let i = 0; i < layers; i++) {
    const scope = root.at('layers').at(i);
    const pass = lstm(scope, rows, states[i]!, { batch, length }, { from: width, width, forgetShift });
    rows = pass.rows;
    after.push(pass.state);
  }
  return { embedding, rows, states: after };
}

/** int32 [B, T] → [T·B], the order of the rows. */
export function timeMajor(ids: Value): Value {
  const [batch, length] = ids.shape as [Dim, Dim];
  return reshape(transpose(ids, [1, 0]), [dimMul(batch, length)]);
}

/** rows [N, H] → [N, V] */
export function lstmLogits(root: Scope, { vocabSize, width }: LstmConfig, rows: Value): Value {
  return matmul(rows, root.at('output').parameter('weight', [width, vocabSize], normalInit(width ** -0.5)));
}

/** States as inputs of a graph, `PREFIX.<layer>.hidden` and `.cell` [B, H]. */
export function stateInputs(prefix: string, { width, layers }: LstmConfig, batch: Dim): LstmState[] {
  return Array.from({ length: layers }, (_, i) => ({
    hidden: input(`${prefix}.${i}.hidden`, 'float32', [batch, width]),
    cell: input(`${prefix}.${i}.cell`, 'float32', [batch, width]),
  }));
}

/** States, or what belongs to each, by the names of `stateInputs`. */
export function namedStates(prefix: string, states: readonly LstmState[]): Record<string, Value> {
  return Object.fromEntries(
    states.flatMap(({ hidden, cell }, i) => [
      [`${prefix}.${i}.hidden`, hidden],
      [`${prefix}.${i}.cell`, cell],
    ]),
  );
}
