import type { Value } from '../graph/value.ts';
import { add, mul } from '../ops/elementwise.ts';
import { scalarConstant } from '../ops/leaf.ts';
import { matmul } from '../ops/matmul.ts';
import { zerosInit } from './init.ts';
import type { Scope } from './scope.ts';

/** Low-rank updates of linear layers (Hu et al. 2021, "LoRA", arXiv:2106.09685). */
export interface LoraPlan {
  readonly rank: number;
  /** What a low-rank product is multiplied by: α / r. */
  readonly scale: number;
  /** Of the input of the low-rank product, while training. */
  readonly dropout: number;
  /**
   * The linear layers that have one, by the path of their parameters, and the path that A stands at: their own, or for layers
   * that a checkpoint keeps as one, that of the first of them.
   */
  readonly layers: ReadonlyMap<string, string>;
}

/** y + α/r · dropout(x) A B with `loraA` [from, r], Kaiming uniform, and `loraB` [r, to], zeros; y where no adapter is planned. */
export function withLora(scope: Scope, x: Value, y: Value, { from, to }: { from: number; to: number }): Value {
  const plan = scope.trace.lora;
  const shared = plan?.layers.get(scope.parameterPath);
  if (plan === undefined || shared === undefined) return y;
  const { rank, scale, dropout } = plan;
  // torch's Linear: bound √(6 / ((1 + a²) · from)) with a = √5
  const a = scope.trace.root
    .at(shared)
    .parameter('loraA', [from, rank], { kind: 'uniform', bound: 1 / Math.sqrt(from) });
  const b = scope.parameter('loraB', [rank, to], zerosInit);
  // layers that share A see the same mask, as one layer does
  const site = shared === scope.parameterPath ? scope : scope.trace.root.at(shared);
  const product = matmul(matmul(site.dropout('lora', x, dropout), a), b);
  return add(y, mul(product, scalarConstant(scale)));
}

export function isLoraParameter(path: string): boolean {
  return /\.lora[AB]$/.test(path);
}
