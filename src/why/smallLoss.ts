import { type Dim, dimMul, symbol } from '../base/dim.ts';
import { int32 } from '../base/tensor.ts';
import { IGNORED_LABEL } from '../data/bucketBatches.ts';
import type { Graph } from '../graph/graph.ts';
import { normalInit } from '../nn/init.ts';
import { type ParameterDeclaration, Trace } from '../nn/scope.ts';
import type { Sequences } from '../nn/sequences.ts';
import { mul } from '../ops/elementwise.ts';
import { input } from '../ops/leaf.ts';
import { crossEntropy } from '../ops/loss.ts';
import { matmul } from '../ops/matmul.ts';
import { argmax, sum } from '../ops/reduce.ts';
import { reshape } from '../ops/shape.ts';
import type { Tensors } from '../runtime/runtime.ts';
import { type SmallConfig, smallTransformer } from './smallTransformer.ts';

export interface SmallLossOptions {
  /** What is asked of each position, R; 1 when left out. Each question has its own part of the output layer. */
  readonly questions?: number;
  /** An encoder whose output the model looks at: its input is `sourceIds` int32 [B, S]. */
  readonly encoder?: SmallConfig;
}

export interface SmallLoss {
  /** Output `loss`; names `tokenLoss` [B, T, R], `predicted` int32 [B, T, R], `logits` [B, T, R, V], and all of the model's. */
  readonly graph: Graph;
  readonly declarations: readonly ParameterDeclaration[];
}

/**
 * A small Transformer that answers R questions about each position with one of its tokens. Inputs `inputIds` int32 [B, T],
 * `labels` int32 [B, T, R], of which −100 counts as nothing, and `lossScale`.
 */
export function smallLoss(config: SmallConfig, { questions = 1, encoder }: SmallLossOptions = {}): SmallLoss {
  const trace = new Trace();
  const { root } = trace;
  const [batch, length] = [symbol('B'), symbol('T')];
  const { vocabSize, width } = config;
  const memory: Sequences | undefined =
    encoder && smallTransformer(root.at('encoder'), encoder, input('sourceIds', 'int32', [batch, symbol('S')]));
  const x = smallTransformer(root, config, input('inputIds', 'int32', [batch, length]), memory);
  const output = root.at('output').parameter('weight', [width, questions * vocabSize], normalInit(width ** -0.5));
  const count: Dim = dimMul(dimMul(batch, length), questions);
  const logits = reshape(matmul(x.rows, output), [count, vocabSize]);
  const labels = reshape(input('labels', 'int32', [batch, length, questions]), [count]);
  const perLabel = crossEntropy(logits, labels);
  const shape = [batch, length, questions];
  root.name('logits', reshape(logits, [...shape, vocabSize]));
  root.name('tokenLoss', reshape(perLabel, shape));
  root.name('predicted', reshape(argmax(logits, 1), shape));
  const loss = mul(sum(perLabel, [0]), input('lossScale', 'float32', []));
  return { graph: trace.graph({ loss }), declarations: trace.declarations };
}

/** Sequences of one length with their labels. */
export interface Batch {
  readonly inputs: Tensors;
  readonly targets: number;
}

/** `ids` [B][T] and `labels` [B][T·R] as the loss takes them, an encoder's `source` [B][S] with them. */
export function batchOf(
  ids: readonly ArrayLike<number>[],
  labels: readonly ArrayLike<number>[],
  source?: readonly ArrayLike<number>[],
): Batch {
  const [rows, length, width] = [ids.length, ids[0]!.length, labels[0]!.length];
  const flat = (lists: readonly ArrayLike<number>[]): Int32Array =>
    Int32Array.from(lists.flatMap((list) => Array.from(list)));
  const flatLabels = flat(labels);
  return {
    inputs: {
      inputIds: int32([rows, length], flat(ids)),
      labels: int32([rows, length, width / length], flatLabels),
      ...(source && { sourceIds: int32([rows, source[0]!.length], flat(source)) }),
    },
    targets: flatLabels.reduce((count, label) => count + (label === IGNORED_LABEL ? 0 : 1), 0),
  };
}
