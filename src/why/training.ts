import type { Bindings } from '../base/dim.ts';
import type { Graph } from '../graph/graph.ts';
import { ParameterArena } from '../nn/parameterArena.ts';
import type { ParameterDeclaration } from '../nn/scope.ts';
import type { Tensors } from '../runtime/runtime.ts';
import { learningRate, type Schedule } from '../train/schedule.ts';
import { type StepResult, TrainStep } from '../train/trainStep.ts';
import type { ExperimentContext } from './experiment.ts';
import { stopIfAsked } from './stopIfAsked.ts';

export interface Training {
  /** Output `loss`, with the input `lossScale`: see `traceLoss`. */
  readonly loss: Graph;
  readonly declarations: readonly ParameterDeclaration[];
  /** Of the initial weights. */
  readonly seed: number;
  readonly steps: number;
  readonly schedule: Schedule;
  readonly batchAt: (step: number) => {
    readonly inputs: Tensors;
    readonly targets: number;
    /** Of a loss of several terms: see `lossScales`. */
    readonly scales?: Readonly<Record<string, number>>;
  };
  /** Inputs of the loss that are the same in every step. */
  readonly constants?: Tensors;
  /** Sizes of a batch to compile for. */
  readonly bindings?: Bindings;
  /** Largest norm of the gradient; 1 when left out, null: no clipping. */
  readonly clipNorm?: number | null;
  /** After each step, counted from 1. */
  readonly onStep?: (step: number, result: StepResult, arena: ParameterArena) => void | Promise<void>;
}

/**
 * Trains a small model with AdamW (β₂ = 0.98, no decay) from its initial weights; gives them back trained, with the loss of each step.
 *
 * @throws Stopped between two steps
 */
export async function train(
  context: Pick<ExperimentContext, 'runtime' | 'stop'>,
  { loss, declarations, seed, steps, schedule, batchAt, bindings, constants, clipNorm = 1, onStep }: Training,
): Promise<{ readonly arena: ParameterArena; readonly losses: readonly number[] }> {
  const arena = new ParameterArena(declarations);
  arena.initialise(seed);
  const optimizer = { name: 'adamw', beta1: 0.9, beta2: 0.98, eps: 1e-8, weightDecay: 0 } as const;
  const trainStep = await TrainStep.create(context.runtime, loss, arena, {
    optimizer,
    clipNorm,
    ...(bindings && { bindings }),
    ...(constants && { constants }),
  });
  const losses: number[] = [];
  for (let step = 0; step < steps; step++) {
    stopIfAsked(context);
    const { inputs, targets, scales } = batchAt(step);
    const rate = learningRate(schedule, step, steps);
    const result = await trainStep.run({
      micros: [inputs],
      targetTokens: targets,
      learningRate: rate,
      ...(scales && { scales }),
    });
    losses.push(result.loss);
    await onStep?.(step + 1, result, arena);
  }
  return { arena, losses };
}
