import { QkvError } from '../base/errors.ts';
import { deriveSeed } from '../base/random.ts';
import type { BatchPosition } from '../data/bucketBatches.ts';
import type { Model } from '../models/model.ts';
import { ParameterArena } from '../nn/parameterArena.ts';
import type { OptimizerRecipe, Recipe } from '../recipe/recipe.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { MetricsLine, TrainingEvent, ValidationLine } from './events.ts';
import { layerRates } from './layerRates.ts';
import { predictsWords } from './newHead.ts';
import { lossScales, traceLoss } from './objectives.ts';
import type { OptimizerConfig } from './optimizer.ts';
import { planSteps, revisionsDue } from './plan.ts';
import { newRunState, type RunState } from './runState.ts';
import { learningRate } from './schedule.ts';
import type { Examination, Micro, StopSignal, TrainingTask } from './task.ts';
import { TrainStep } from './trainStep.ts';
import { ValidationLoss } from './validationLoss.ts';

/** Everything that a snapshot is made of; the arrays are the ones that training goes on with. */
export interface SnapshotContents {
  readonly state: RunState;
  readonly recipe: Recipe;
  readonly task: TrainingTask;
  readonly arena: ParameterArena;
  /** `Trainer.arrays` */
  readonly moments: TrainStep['moments'];
}

/** What a trainer needs of the world: where snapshots and metrics go, the time, and when to stop. */
export interface TrainerHost {
  /** Saves a snapshot durably and gives its name. */
  save(contents: SnapshotContents): Promise<string>;
  record(line: MetricsLine): Promise<void>;
  /** Seconds since this process began with the run. */
  seconds(): number;
  onEvent(event: TrainingEvent): void;
  /** Is waited for before the first step, and with the weights that are validated or saved. */
  readonly onWeights?: (step: number) => Promise<void>;
  /** Set: the run saves and ends after the step at hand. */
  readonly stop: StopSignal;
}

export type EndReason = 'steps' | 'minutes' | 'early-stopping' | 'interrupted';

export interface TrainingOutcome {
  readonly reason: EndReason;
  readonly step: number;
  readonly best: { readonly step: number; readonly value: number; readonly snapshot: string } | null;
  /** Name of the newest snapshot. */
  readonly snapshot: string;
}

interface Batch {
  readonly micros: readonly Micro[];
  readonly after: BatchPosition;
}

/**
 * Runs a recipe's steps: batches, learning rates, validation, snapshots, the end. All that it goes on from is its
 * `RunState`, the weights and the moments; all randomness derives from (seed, step, micro-batch). So a run that was
 * killed and is resumed from any snapshot makes the same steps as one that was not.
 *
 *     const trainer = await Trainer.create(runtime, recipe, task, host);
 *     restore(trainer);   // to resume: fill arena and moments, then trainer.resume(state, snapshot)
 *     const { best } = await trainer.run();
 */
export class Trainer {
  readonly arena: ParameterArena;
  readonly trainStep: TrainStep;
  readonly #recipe: Recipe;
  readonly #task: TrainingTask;
  readonly #host: TrainerHost;
  readonly #validationLoss: ValidationLoss;
  #state: RunState;
  /** The step whose weights `onWeights` was called with. */
  #shown: number | undefined;
  /** The newest snapshot and its step. */
  #saved: { readonly name: string; readonly step: number } | undefined;
  /** Seconds of the run before this process. */
  #secondsBefore = 0;
  /** Of this process, for the speed: when the first step began, and from which step. */
  #began: { readonly seconds: number; readonly step: number } | undefined;
  /** Since the last logged step. */
  #tokens = 0;
  #busySeconds = 0;

  private constructor(
    parts: Pick<Trainer, 'arena' | 'trainStep'> & { validationLoss: ValidationLoss },
    recipe: Recipe,
    task: TrainingTask,
    host: TrainerHost,
    lanes: number,
  ) {
    this.arena = parts.arena;
    this.trainStep = parts.trainStep;
    this.#validationLoss = parts.validationLoss;
    this.#recipe = recipe;
    this.#task = task;
    this.#host = host;
    this.#state = newRunState({
      seed: recipe.seed,
      plannedSteps: stepsOf(recipe, task),
      fingerprint: task.fingerprint,
      teacher: task.teacher?.fingerprint ?? null,
      lanes,
    });
  }

  static async create(runtime: Runtime, recipe: Recipe, task: TrainingTask, host: TrainerHost): Promise<Trainer> {
    const arena = new ParameterArena(task.declarations);
    arena.initialise(recipe.seed);
    const { graph } = traceLoss(task.model, { ...task.loss, training: true });
    const { optimizer, clipNorm, layerDecay, ema } = recipe.train;
    const trainStep = await TrainStep.create(runtime, graph, arena, {
      optimizer: optimizerConfig(optimizer),
      clipNorm,
      rates: layerRates(task.declarations, layerDecay),
      averageDecay: ema?.decay ?? null,
      ...(task.bindings && { bindings: task.bindings }),
      ...(task.teacher && { constants: task.teacher.parameters }),
      ...(task.isWhole && { isWhole: true }),
    });
    const validationLoss = await ValidationLoss.create(runtime, arena, task);
    return new Trainer({ arena, trainStep, validationLoss }, recipe, task, host, runtime.lanes);
  }

  /**
   * Goes on from a snapshot, whose weights and moments have been put into `arena` and `arrays`. `isNewLimit`:
   * `train.minutes` is another than that of the snapshot.
   */
  resume(state: RunState, snapshot: string, isNewLimit: boolean): void {
    if (state.fingerprint !== this.#task.fingerprint) {
      throw new QkvError('run', {
        where: 'training data',
        got: 'other data than the run was started with',
        expected: 'the same: batches would not be those that the run would have had',
        hint: 'Put the data back, or start a new run in another output folder',
      });
    }
    if (state.teacher !== this.#state.teacher) {
      throw new QkvError('run', {
        where: 'distill.teacher',
        got: 'other weights than the run was started with',
        expected: 'the same teacher',
        hint: 'Put the teacher back, or start a new run in another output folder',
      });
    }
    const { lanes } = this.#state;
    if (state.lanes !== lanes) {
      const text = `the run began on ${state.lanes} lanes and goes on with ${lanes}: it is not bit for bit the same`;
      this.#host.onEvent({ kind: 'notice', text });
    }
    const { minutes } = this.#recipe.train;
    const steps = stepsOf(this.#recipe, this.#task);
    const best = state.best && { ...state.best, snapshot: state.best.snapshot ?? snapshot };
    this.#state = { ...state, best, lanes, plannedSteps: steps };
    if (minutes !== null && !isNewLimit) {
      // The plan stays as it was saved, so that the next steps are the same.
      this.#state = { ...this.#state, plannedSteps: Math.min(steps, Math.max(state.plannedSteps, state.step)) };
    } else if (minutes !== null && state.step > 0) {
      const { step, seconds } = state;
      const plannedSteps = planSteps({ step, steps, seconds, limit: 60 * minutes, secondsPerStep: seconds / step });
      this.#state = { ...this.#state, plannedSteps, revisions: revisionsDue(seconds, 60 * minutes) };
    }
    this.#secondsBefore = state.seconds;
    this.#saved = { name: snapshot, step: state.step };
    this.trainStep.step = state.step;
    if (state.step > 0) this.trainStep.exchangeAverage();
  }

  /** What a snapshot keeps besides the weights of its model: moments, and the weights as trained where the model is their average. */
  get arrays(): SnapshotContents['moments'] {
    const { moments, average } = this.trainStep;
    return average ? { ...moments, weights: average } : moments;
  }

  /** With the average in the place of the weights, where there is one. */
  async #averaged<T>(work: () => Promise<T>): Promise<T> {
    if (this.#state.step === 0) return work();
    this.trainStep.exchangeAverage();
    try {
      return await work();
    } finally {
      this.trainStep.exchangeAverage();
    }
  }

  get state(): RunState {
    return this.#state;
  }

  async run(): Promise<TrainingOutcome> {
    if (this.#host.onWeights) await this.#averaged(() => this.#showWeights());
    if (this.#isDue('validateEvery') && this.#state.validated < this.#state.step) await this.#validate();
    let batch = this.#prepare(this.#state.position);
    let reason = this.#endReason();
    while (reason === undefined) {
      batch = await this.#step(batch);
      const isBest = this.#isDue('validateEvery') && !this.#host.stop.aborted && (await this.#validate());
      const isRevised = this.#revisePlan();
      if (isBest || isRevised || this.#isDue('saveEvery')) await this.#save();
      reason = this.#endReason();
    }
    // The weights that a run ends with are validated too, so that they can be the best.
    if (reason !== 'interrupted' && this.#state.validated < this.#state.step) {
      const isBest = await this.#validate();
      if (isBest) await this.#save();
      if (this.#host.stop.aborted) reason = 'interrupted';
    }
    if (this.#saved?.step !== this.#state.step) await this.#save();
    const { best, step } = this.#state;
    const snapshot = this.#saved!.name;
    return { reason, step, best: best && { ...best, snapshot: best.snapshot ?? snapshot }, snapshot };
  }

  #endReason(): EndReason | undefined {
    const { step, plannedSteps, stale } = this.#state;
    const { minutes, earlyStopping } = this.#recipe.train;
    if (step >= stepsOf(this.#recipe, this.#task)) return 'steps';
    if (this.#host.stop.aborted) return 'interrupted';
    if (earlyStopping !== null && stale >= earlyStopping.patience) return 'early-stopping';
    if (minutes !== null && (step >= plannedSteps || this.#seconds() >= 60 * minutes)) return 'minutes';
    return undefined;
  }

  #isDue(key: 'validateEvery' | 'saveEvery' | 'logEvery'): boolean {
    return this.#state.step > 0 && this.#state.step % this.#recipe.train[key] === 0;
  }

  #seconds(): number {
    return this.#secondsBefore + this.#host.seconds();
  }

  #prepare(position: BatchPosition): Batch {
    const micros: Micro[] = [];
    let after = position;
    for (let i = 0; i < this.#recipe.train.accumulate; i++) {
      micros.push(this.#task.batchAt(after));
      after = this.#task.after(after);
    }
    return { micros, after };
  }

  /** One step, and the next batch, which is made while the engine works. */
  async #step(batch: Batch): Promise<Batch> {
    const { schedule, logEvery } = this.#recipe.train;
    const { step, plannedSteps } = this.#state;
    const began = this.#host.seconds();
    this.#began ??= { seconds: began, step };
    const rate = learningRate(schedule, step, plannedSteps);
    const { model, loss: options } = this.#task;
    const parts = batch.micros.map(({ inputs }) => inputs);
    const running = this.trainStep.run({
      micros: parts,
      targetTokens: batch.micros.reduce((sum, { targetTokens }) => sum + targetTokens, 0),
      learningRate: rate,
      scales: lossScales(model, parts, options.distillation),
      dropoutSeeds: batch.micros.map((_, micro) => deriveSeed(this.#recipe.seed, 'dropout', step, micro)),
    });
    const [next, { loss, terms, gradientNorm }] = await both(() => this.#prepare(batch.after), running);
    if (!Number.isFinite(loss)) throw this.#diverged(`a loss of ${loss}`, step + 1);
    if (!Number.isFinite(gradientNorm)) throw this.#diverged(`a gradient norm of ${gradientNorm}`, step + 1);
    const tokens = batch.micros.reduce((sum, micro) => sum + micro.tokens, 0);
    this.#state = { ...this.#state, step: step + 1, position: batch.after, tokens: this.#state.tokens + tokens };

    this.#tokens += tokens;
    this.#busySeconds += this.#host.seconds() - began;
    const line = {
      step: step + 1,
      loss,
      ...named(this.#task.model, 'losses', terms),
      learningRate: rate,
      gradientNorm,
      tokens: this.#state.tokens,
      tokensPerSecond: this.#tokens / this.#busySeconds,
      seconds: this.#seconds(),
    };
    const logged = (step + 1) % logEvery === 0 || step === 0;
    const secondsLeft = (plannedSteps - step - 1) * this.#secondsPerStep();
    this.#host.onEvent({ kind: 'step', logged, steps: plannedSteps, secondsLeft, ...line });
    if (logged) {
      await this.#host.record(line);
      this.#tokens = 0;
      this.#busySeconds = 0;
    }
    return next;
  }

  /** Of this process, validations and snapshots included. */
  #secondsPerStep(): number {
    const { seconds, step } = this.#began!;
    return (this.#host.seconds() - seconds) / (this.#state.step - step);
  }

  #revisePlan(): boolean {
    const { minutes } = this.#recipe.train;
    if (minutes === null) return false;
    const steps = stepsOf(this.#recipe, this.#task);
    const limit = 60 * minutes;
    const revisions = revisionsDue(this.#seconds(), limit);
    if (revisions <= this.#state.revisions) return false;
    const pace = { step: this.#state.step, steps, seconds: this.#seconds(), limit };
    const plannedSteps = planSteps({ ...pace, secondsPerStep: this.#secondsPerStep() });
    this.#state = { ...this.#state, revisions, plannedSteps };
    return true;
  }

  /** Whether it is the best so far; false when it was broken off. */
  async #validate(): Promise<boolean> {
    const { stop } = this.#host;
    const { measured, shown } = await this.#averaged(async () => {
      await this.#showWeights();
      const measured = await this.#validationLoss.measure(stop);
      return { measured, shown: measured && (await this.#examine('validation')) };
    });
    if (measured === undefined || shown === 'stopped') return false;
    const { loss, terms, accuracies, unigram } = measured;
    if (!Number.isFinite(loss)) throw this.#diverged(`a validation loss of ${loss}`, this.#state.step);
    const isScored = 'best' in this.#recipe.train && this.#recipe.train.best === 'score';
    if (isScored && shown?.score === undefined) {
      throw new QkvError('recipe', { where: 'train.best', got: 'score', expected: 'loss: nothing is scored here' });
    }
    const value = isScored ? shown!.score! : loss;
    const { best, step, stale } = this.#state;
    const isBest = best === null || (isScored ? value > best.value : value < best.value);
    this.#state = {
      ...this.#state,
      validated: step,
      best: isBest ? { step, value, snapshot: null } : best,
      stale: isBest ? 0 : stale + 1,
    };
    const line: ValidationLine = {
      step,
      validation: {
        loss,
        ...(predictsWords(this.#task.model) && { perplexity: Math.exp(terms['lossScale'] ?? loss) }),
        ...(unigram !== undefined && { unigram }),
        ...named(this.#task.model, 'losses', terms),
        ...named(this.#task.model, 'accuracies', accuracies),
        ...(shown && scoreFields(shown)),
      },
      isBest,
      tokens: this.#state.tokens,
      samples: shown?.samples ?? [],
      seconds: this.#seconds(),
    };
    await this.#host.record(line);
    this.#host.onEvent({ kind: 'validation', ...line });
    return isBest;
  }

  async #examine(part: 'validation' | 'test'): Promise<Examination | undefined | 'stopped'> {
    if (this.#task.examine === undefined) return undefined;
    return (await this.#task.examine(part, this.#host.stop)) ?? 'stopped';
  }

  /** The score of the test part with the weights in the arena; undefined without a test part, or when stopped. */
  async test(): Promise<Examination | undefined> {
    if (!this.#task.hasTest) return undefined;
    const shown = await this.#examine('test');
    if (shown === undefined || shown === 'stopped') return undefined;
    const line = {
      step: this.#state.step,
      test: { ...scoreFields(shown), sentences: shown.sentences! },
      samples: shown.samples,
    };
    await this.#host.record(line);
    this.#host.onEvent({ kind: 'test', ...line });
    return shown;
  }

  async #save(): Promise<void> {
    const { step } = this.#state;
    this.#refuseBadValues();
    this.#state = { ...this.#state, seconds: this.#seconds() };
    const contents = { state: this.#state, recipe: this.#recipe, task: this.#task, arena: this.arena };
    const name = await this.#averaged(async () => {
      await this.#showWeights();
      return this.#host.save({ ...contents, moments: this.arrays });
    });
    this.#saved = { name, step };
    const { best } = this.#state;
    if (best?.step === step && best.snapshot === null) {
      this.#state = { ...this.#state, best: { ...best, snapshot: name } };
    }
    this.#host.onEvent({ kind: 'saved', step, snapshot: name });
  }

  async #showWeights(): Promise<void> {
    const { step } = this.#state;
    if (this.#shown === step) return;
    this.#shown = step;
    await this.#host.onWeights?.(step);
  }

  /** The loss of a step is that of the weights before it: an update that spoilt them shows only here. */
  #refuseBadValues(): void {
    for (const [name, values] of [['weights', this.arena.data] as const, ...Object.entries(this.arrays)]) {
      let sum = 0; // 0 · x is NaN for NaN and for the infinities
      for (let i = 0; i < values.length; i++) sum += 0 * values[i]!;
      if (sum !== 0) throw this.#diverged(`NaN or infinite values in ${name}`, this.#state.step);
    }
  }

  #diverged(got: string, step: number): QkvError {
    const kept = this.#saved ? `The last good snapshot is ${this.#saved.name}` : 'No snapshot has been saved yet';
    return new QkvError('run', {
      where: `step ${step}`,
      got,
      expected: 'finite numbers',
      hint: `${kept}. Try a lower train.schedule.peak, a longer train.schedule.warmup, or train.clipNorm 1`,
    });
  }
}

/** Starts nothing: does the work while the promise is on its way. Its failure comes first, and is never left unhandled. */
async function both<A, B>(work: () => A, promise: Promise<B>): Promise<[A, B]> {
  let done: A;
  try {
    done = work();
  } catch (error) {
    await promise;
    throw error;
  }
  return [done, await promise];
}

/** What the terms of a loss are called beside the task's own: `words`, or `labels` where a head has classes. */
const termNames: Readonly<Record<string, string>> = {
  sentenceScale: 'sentences',
  startScale: 'start',
  endScale: 'end',
  softScale: 'soft',
  hardScale: 'hard',
  hiddenScale: 'hidden',
  embeddingsScale: 'embeddings',
};

/** Values by the scales of their terms, under the terms' own names; nothing where there are none. */
function named<Field extends 'losses' | 'accuracies'>(
  model: Model,
  field: Field,
  values: Readonly<Record<string, number>>,
): Partial<Record<Field, Record<string, number>>> {
  const own = predictsWords(model) ? 'words' : 'labels';
  const entries = Object.entries(values).map(([scale, value]): [string, number] => [termNames[scale] ?? own, value]);
  return entries.length === 0
    ? {}
    : ({ [field]: Object.fromEntries(entries) } as Record<Field, Record<string, number>>);
}

function scoreFields({
  score,
  scoreName,
  scores,
  signature,
  sentences,
}: Examination): Omit<ValidationLine['validation'], 'loss' | 'perplexity'> {
  if (score === undefined) return {};
  return {
    ...(scores ? { scores } : { [scoreName!]: score }),
    ...(signature !== undefined && { signature }),
    sentences: sentences!,
  };
}

/** Steps of the whole run: `train.steps`, or those of `train.epochs`. */
function stepsOf({ train }: Recipe, { batchesPerEpoch }: TrainingTask): number {
  if (train.steps !== null) return train.steps;
  const epochs = 'epochs' in train ? train.epochs! : 1;
  return Math.max(1, Math.ceil((epochs * batchesPerEpoch!) / train.accumulate));
}

function optimizerConfig(optimizer: OptimizerRecipe): OptimizerConfig {
  return optimizer.name === 'adam' ? { ...optimizer, weightDecay: 0 } : optimizer;
}
