import { symbol } from '../base/dim.ts';
import { float32, type HostTensor, int32, scalar } from '../base/tensor.ts';
import type { Graph } from '../graph/graph.ts';
import type { Value } from '../graph/value.ts';
import type { Model } from '../models/model.ts';
import { type Scope, Trace } from '../nn/scope.ts';
import { exp, mul, neg } from '../ops/elementwise.ts';
import { input } from '../ops/leaf.ts';
import { crossEntropy } from '../ops/loss.ts';
import { sum } from '../ops/reduce.ts';
import { reshape } from '../ops/shape.ts';
import { logSoftmax } from '../ops/softmax.ts';
import { topIndices, topValues } from '../ops/topK.ts';
import { requireHead } from '../predict/headTasks.ts';
import type { Tensors } from '../runtime/runtime.ts';
import type { Inspection } from './inspection.ts';

/** A token and how probable it is. */
export interface TokenChoice {
  readonly id: number;
  /** What the output layer gives, before temperature and softmax. */
  readonly logit: number;
  readonly probability: number;
}

/** What the output layer makes of some rows. */
export interface WordScores {
  /** Of each row, the likeliest first. */
  readonly choices: readonly (readonly TokenChoice[])[];
  /** Of each row's distribution, nats. */
  readonly entropy: readonly number[];
  /** −log P of each row's target, nats, at temperature 1; null where it has none. */
  readonly loss: readonly (number | null)[];
}

/** Elements of a matrix of logits [N, V] that is made at a time. */
const MAX_LOGITS = 2 ** 25;
const N = symbol('N');

/**
 * Logits of the model's output layer, with an encoder's masked-LM head before it: rows [N, D] of its last layer's output
 * (after the last norm, where there is one) → [N, V].
 *
 * @throws QkvError `usage` for an encoder without that head
 */
export function wordLogits(model: Model, root: Scope, rows: Value): Value {
  if (model.kind !== 'encoder') return model.logits(root, rows);
  requireHead(model, 'predictions', ['masked-lm', 'pretraining']);
  const outputs = model.head.outputs(root, { rows, batch: 1, length: rows.shape[0]! });
  return reshape((outputs['predictionLogits'] ?? outputs['logits'])!, [rows.shape[0]!, model.vocabSize]);
}

/** A graph on the output layer alone: `outputs` of its logits [N, V], which input `rows` [N, D] gives. */
export function wordHeadGraph(model: Model, width: number, outputs: (logits: Value) => Record<string, Value>): Graph {
  const trace = new Trace();
  return trace.graph(outputs(wordLogits(model, trace.root, input('rows', 'float32', [N, width]))));
}

/** The likeliest tokens, entropies and losses of rows [N, D], some at a time, so that logits of all never stand in memory. */
export async function scoreWords(
  inspection: Inspection,
  rows: HostTensor,
  {
    top,
    temperature = 1,
    targets = [],
  }: { readonly top: number; readonly temperature?: number; readonly targets?: readonly (number | null)[] },
): Promise<WordScores> {
  const { model } = inspection;
  const [count, width] = rows.shape as [number, number];
  const k = Math.min(top, model.vocabSize);
  const choices: TokenChoice[][] = [];
  const entropy: number[] = [];
  const loss: (number | null)[] = [];
  const trace = (): Graph =>
    wordHeadGraph(model, width, (logits) => {
      const logProbs = logSoftmax(mul(logits, input('inverseTemperature', 'float32', [])));
      return {
        ids: topIndices(logProbs, k),
        logProbs: topValues(logProbs, k),
        logits: topValues(logits, k),
        entropy: neg(sum(mul(exp(logProbs), logProbs), [1])),
        losses: crossEntropy(logits, input('targets', 'int32', [N])),
      };
    });
  await inParts(count, model.vocabSize, async (start, end) => {
    const part = rows.data.subarray(start * width, end * width) as Float32Array;
    const wanted = Array.from({ length: end - start }, (_, i) => targets[start + i] ?? null);
    const inputs: Tensors = {
      rows: float32([end - start, width], part),
      inverseTemperature: scalar(1 / temperature),
      targets: int32(
        [end - start],
        wanted.map((target) => target ?? -100),
      ),
    };
    const found = await inspection.runGraph(`${k} words`, trace, inputs);
    wanted.forEach((target, i) => {
      choices.push(
        Array.from({ length: k }, (_, j) => ({
          id: found['ids']!.data[i * k + j]!,
          logit: found['logits']!.data[i * k + j]!,
          probability: Math.exp(found['logProbs']!.data[i * k + j]!),
        })),
      );
      entropy.push(found['entropy']!.data[i]!);
      loss.push(target === null ? null : found['losses']!.data[i]!);
    });
  });
  return { choices, entropy, loss };
}

/** Calls `run` on parts of `count` rows, each with few enough logits. */
export async function inParts(
  count: number,
  vocabSize: number,
  run: (start: number, end: number) => Promise<void>,
): Promise<void> {
  const most = Math.max(1, Math.floor(MAX_LOGITS / vocabSize));
  for (let start = 0; start < count; start += most) await run(start, Math.min(count, start + most));
}
