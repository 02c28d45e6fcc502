import { join } from 'node:path';
import { nodeStorage } from '../checkpoint/storage.node.ts';
import { locateModel } from '../pretrained/openModel.node.ts';
import type { Recipe } from '../recipe/recipe.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { TokenizerFiles } from '../tokenizer/tokenizerFiles.ts';
import type { TrainingEvent } from './events.ts';
import { languageModelTask } from './languageModelTask.ts';
import { fillerFor, samplerFor, translatorFor } from './liveModel.ts';
import { maskedLanguageModelTask } from './maskedLanguageModelTask.ts';
import { makeTokenizer, openStart, readPairs, type Start } from './recipeData.node.ts';
import { openRecipeTokenizer } from './recipeTokenizer.ts';
import { RunFolder, type SavedRun } from './runFolder.node.ts';
import type { Examination, StopSignal, TrainingTask } from './task.ts';
import { textCorpora, tokenizerTexts } from './textCorpora.node.ts';
import { type EndReason, Trainer, type TrainingOutcome } from './trainer.ts';
import { translationTask } from './translationTask.ts';

export interface TrainRecipeOptions {
  /** Go on with the run in the recipe's output folder. */
  readonly resume?: boolean;
  /** Move a run that is in the output folder aside. */
  readonly overwrite?: boolean;
  readonly onEvent?: (event: TrainingEvent) => void;
  /** Set: the run saves and ends after the step at hand. */
  readonly stop?: StopSignal;
}

export interface TrainedRun {
  readonly reason: EndReason;
  readonly folder: string;
  /** The model folder; undefined for a run that was interrupted. */
  readonly modelFolder: string | undefined;
  readonly step: number;
  readonly best: TrainingOutcome['best'];
  /** Score and first translations of the test part by the published model. */
  readonly test: Examination | undefined;
}

/**
 * Trains by a recipe into its output folder, and publishes the best model there.
 *
 *     await using runtime = await createNodeRuntime();
 *     const { modelFolder } = await trainRecipe(runtime, loadRecipe('recipe.yaml'), { onEvent: console.log });
 *
 * @throws QkvError `run` for an output folder that cannot be used, a changed recipe or data when resuming, and a loss that
 * is not finite; `data`, `tokenizer`, `recipe` and `io` for what the recipe names.
 */
export async function trainRecipe(
  runtime: Runtime,
  recipe: Recipe,
  { resume = false, overwrite = false, onEvent = () => {}, stop = { aborted: false } }: TrainRecipeOptions = {},
): Promise<TrainedRun> {
  const start = performance.now();
  const notice = (text: string): void => onEvent({ kind: 'notice', text });
  await using folder = await RunFolder.open(recipe, { resume, overwrite, onNotice: notice });
  const { saved } = folder;
  let trainer: Trainer;
  let task: TrainingTask;
  try {
    const from = await startOf(recipe, saved);
    task = await makeTask(runtime, recipe, saved?.tokenizerFiles, from, () => trainer.arena, notice);
    for (const text of task.notices) notice(text);
    trainer = await Trainer.create(runtime, recipe, task, {
      save: (contents) => folder.save(contents),
      record: (line) => folder.record(line),
      seconds: () => (performance.now() - start) / 1000,
      onEvent,
      stop,
    });
    if (!saved) await from?.fill(task.model, trainer.arena);
  } catch (error) {
    if (!resume) await folder.abandon();
    throw error;
  }
  if (saved) {
    await folder.loadWeights(saved.snapshot.storage, task.model, trainer.arena);
    await folder.loadMoments(saved.snapshot.storage, trainer.arena, trainer.trainStep.moments);
    trainer.resume(saved.state, saved.snapshot.name, saved.recipe.train.minutes !== recipe.train.minutes);
  }
  onEvent({
    kind: 'start',
    name: recipe.name,
    folder: folder.path,
    family: task.model.family,
    parameters: trainer.arena.size,
    vocabulary: task.model.vocabSize,
    step: trainer.state.step,
    steps: trainer.state.plannedSteps,
  });
  const { reason, step, best, snapshot } = await trainer.run();
  const run = { reason, folder: folder.path, step, best };
  if (reason === 'interrupted') return { ...run, modelFolder: undefined, test: undefined };

  const chosen = best?.snapshot ?? snapshot;
  let published = await folder.intact(chosen);
  if (published === undefined) {
    notice(`the best snapshot, ${chosen}, is damaged; the model is that of the last one, ${snapshot}`);
    published = nodeStorage(join(folder.path, snapshot));
  }
  const modelFolder = await folder.publish(published);
  await folder.loadWeights(published, task.model, trainer.arena);
  return { ...run, modelFolder, test: await trainer.test() };
}

/** The model that is trained further; that of the snapshot, where there is one. */
async function startOf(recipe: Recipe, saved: SavedRun | undefined): Promise<Start | undefined> {
  if (recipe.model.family !== 'pretrained') return undefined;
  if (saved) return openStart(saved.snapshot.storage);
  const { storage, gguf } = await locateModel(recipe.model.from);
  return openStart(storage, gguf);
}

async function makeTask(
  runtime: Runtime,
  recipe: Recipe,
  files: TokenizerFiles | undefined,
  start: Start | undefined,
  arena: () => Trainer['arena'],
  onNotice: (text: string) => void,
): Promise<TrainingTask> {
  if (recipe.task === 'translation') {
    const parts = await readPairs(recipe);
    const texts = () => parts.train.flatMap(({ source, target }) => [source, target]);
    files ??= await makeTokenizer(recipe, texts, start);
    return translationTask(recipe, parts, files, start, translatorFor(runtime, arena, recipe.evaluate));
  }
  const unit = recipe.task === 'language-model' ? 'text' : 'sentences';
  files ??= await makeTokenizer(recipe, () => tokenizerTexts(recipe, unit), start);
  const tokenizer = openRecipeTokenizer(recipe, files);
  const corpora = await textCorpora(recipe, unit, tokenizer, files, onNotice);
  const given = { tokenizer, files, corpora, start };
  return recipe.task === 'language-model'
    ? languageModelTask(recipe, given, samplerFor(runtime, arena, recipe))
    : maskedLanguageModelTask(recipe, given, fillerFor(runtime, arena));
}
