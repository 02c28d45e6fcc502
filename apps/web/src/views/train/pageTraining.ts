import { batch, type Signal, signal } from '@preact/signals';
import { asEngineError } from '../../state/engine.ts';
import { connectTraining } from '../../training/client.ts';
import type { StorageState, Training, TrainingMessage, TrainingSettings } from '../../training/contract.ts';
import { settingsFor } from '../../training/settings.ts';
import type { EngineError } from '../../worker/contract.ts';
import { RunFeed } from './runFeed.ts';

/* The run that is trained in this page. It goes on while other views are looked at. */

/** `kept`: the browser has one from before the page was loaded. */
export type Stage = 'looking' | 'none' | 'kept' | 'starting' | 'running' | 'pausing' | 'paused' | 'over';

export const stage: Signal<Stage> = signal('looking');
/** What the form shows; of a run that is here, its own. */
export const settings: Signal<TrainingSettings> = signal(settingsFor('shakespeare'));
export const storage: Signal<StorageState> = signal('kept');
export const failure: Signal<EngineError | null> = signal(null);

let connected: Promise<Training> | undefined;
function training(): Promise<Training> {
  connected ??= connectTraining();
  return connected;
}

export const pageFeed: RunFeed = new RunFeed(async (step) => (await training()).frame(step));

let hasLooked = false;
/** Finds the run that the browser kept, once. */
export async function lookForKept(): Promise<void> {
  if (hasLooked) return;
  hasLooked = true;
  try {
    const kept = await (await training()).kept();
    batch(() => {
      stage.value = kept === null ? 'none' : 'kept';
      if (kept === null) return;
      settings.value = kept.settings;
      pageFeed.reset(kept.events);
      if (pageFeed.view.peek().end !== null) stage.value = 'over';
    });
  } catch (thrown) {
    batch(() => {
      stage.value = 'none';
      failure.value = asEngineError(thrown);
    });
  }
}

function hear(message: TrainingMessage): void {
  if (message.kind === 'storage') {
    storage.value = message.is;
    return;
  }
  if (stage.peek() === 'starting') stage.value = 'running';
  pageFeed.hear(message);
}

export async function begin(): Promise<void> {
  const chosen = settings.peek();
  pageFeed.reset([]);
  await train((trainer) => trainer.begin(chosen, hear), 'none');
}

export async function resume(): Promise<void> {
  await train((trainer) => trainer.resume(hear), 'paused');
}

/** `otherwise`: the stage where it fails. */
async function train(work: (trainer: Training) => Promise<'paused' | 'over'>, otherwise: Stage): Promise<void> {
  batch(() => {
    stage.value = 'starting';
    failure.value = null;
  });
  try {
    const end = await work(await training());
    pageFeed.flush();
    stage.value = end;
  } catch (thrown) {
    pageFeed.flush();
    batch(() => {
      failure.value = asEngineError(thrown);
      stage.value = pageFeed.view.peek().steps.length > 0 ? 'paused' : otherwise;
    });
  }
}

export async function pause(): Promise<void> {
  stage.value = 'pausing';
  await (await training()).pause();
}

/** Forgets the run that is paused, kept or over. */
export async function discard(): Promise<void> {
  await (await training()).discard();
  batch(() => {
    pageFeed.reset([]);
    failure.value = null;
    stage.value = 'none';
  });
}

export async function modelFiles(): ReturnType<Training['modelFiles']> {
  return (await training()).modelFiles();
}
