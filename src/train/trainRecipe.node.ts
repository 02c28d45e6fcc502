import { join } from 'node:path';
import { unreachable } from '../base/errors.ts';
import { nodeStorage } from '../checkpoint/storage.node.ts';
import type { HubOptions } from '../hub/hubSnapshot.node.ts';
import { locateModel } from '../pretrained/openModel.node.ts';
import { loadPretrained } from '../pretrained/pretrained.ts';
import { sentenceEncoderAt } from '../pretrained/sentenceEncoder.node.ts';
import type { DistillRecipe } from '../recipe/distillSchema.ts';
import { isHeadRecipe } from '../recipe/headRecipes.ts';
import type { Recipe } from '../recipe/recipe.ts';
import type { Runtime } from '../runtime/runtime.ts';
import type { TokenizerFiles } from '../tokenizer/tokenizerFiles.ts';
import { denoisingTask } from './denoisingTask.ts';
import type { TrainingEvent } from './events.ts';
import { headTask, trainingTexts } from './headTasks.ts';
import { instructionTask } from './instructionTask.ts';
import { languageModelTask } from './languageModelTask.ts';
import { answererFor, fillerFor, type LiveWeights, predictorFor, samplerFor, translatorFor } from './liveModel.ts';
import { maskedLanguageModelTask } from './maskedLanguageModelTask.ts';
import { loadOptimizer } from './optimizerFile.ts';
import {
  makeTokenizer,
  openStart,
  readConversations,
  readHeadRecords,
  readPairs,
  type Start,
} from './recipeData.node.ts';
import { openRecipeTokenizer } from './recipeTokenizer.ts';
import { RunFolder, type SavedRun } from './runFolder.node.ts';
import type { Examination, StopSignal, TrainingTask } from './task.ts';
import { withTeacher } from './teacher.ts';
import { textCorpora, tokenizerTexts } from './textCorpora.node.ts';
import { type EndReason, Trainer, type TrainingOutcome } from './trainer.ts';
import { translationTask } from './translationTask.ts';

export interface TrainRecipeOptions {
  /** Go on with the run in the recipe's output folder. */
  readonly resume?: boolean;
  /** Move a run that is in the output folder aside. */
  readonly overwrite?: boolean;
  readonly onEvent?: (event: TrainingEvent) => void;
  /**
   * Is called, and waited for, before the first step and with the weights that are validated or saved. Who looks at them
   * changes nothing of the run but the time that it takes.
   */
  readonly onWeights?: (live: LiveWeights) => Promise<void>;
  /** Set: the run saves and ends after the step at hand. */
  readonly stop?: StopSignal;
  /** How models and datasets of the hub that the recipe names are fetched. */
  readonly hub?: HubOptions;
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
  {
    resume = false,
    overwrite = false,
    onEvent = () => {},
    onWeights,
    stop = { aborted: false },
    hub = {},
  }: TrainRecipeOptions = {},
): Promise<TrainedRun> {
  const start = performance.now();
  const notice = (text: string): void => onEvent({ kind: 'notice', text });
  await using folder = await RunFolder.open(recipe, { resume, overwrite, onNotice: notice });
  const { saved } = folder;
  let trainer: Trainer;
  let task: TrainingTask;
  try {
    const from = await startOf(recipe, saved, hub);
    task = await makeTask(runtime, recipe, saved?.tokenizerFiles, from, () => trainer.arena, notice, hub);
    if ('distill' in recipe && recipe.distill) task = await taught(task, recipe.distill, recipe.train, hub);
    for (const text of task.notices) notice(text);
    trainer = await Trainer.create(runtime, recipe, task, {
      save: (contents) => folder.save(contents),
      record: (line) => folder.record(line),
      seconds: () => (performance.now() - start) / 1000,
      onEvent,
      ...(onWeights && {
        onWeights: (step) => onWeights({ step, runtime, task, parameters: trainer.arena.tensors }),
      }),
      stop,
    });
    const isFilled = saved !== undefined && task.model.lora === undefined;
    const filled = isFilled ? undefined : await from?.fill(task.model, trainer.arena);
    if (filled !== undefined && !saved) notice(filled);
  } catch (error) {
    if (!resume) await folder.abandon();
    throw error;
  }
  if (saved) {
    await folder.loadWeights(saved.snapshot.storage, task.model, trainer.arena);
    await loadOptimizer(saved.snapshot.storage, trainer.arena, trainer.arrays);
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
  const modelFolder = await folder.publish(published, task.modelFiles);
  await folder.loadWeights(nodeStorage(modelFolder), task.model, trainer.arena);
  return { ...run, modelFolder, test: await trainer.test() };
}

/** The model that is trained further; that of the snapshot, where there is one. */
async function startOf(recipe: Recipe, saved: SavedRun | undefined, hub: HubOptions): Promise<Start | undefined> {
  if (recipe.model.family !== 'pretrained') return undefined;
  if (saved && recipe.train.adapter === null) return openStart(saved.snapshot.storage);
  const { storage, gguf } = await locateModel(recipe.model.from, hub);
  const { layers, dropout } = recipe.model;
  return openStart(storage, { gguf, layers, dropout });
}

/** The task with the teacher that the recipe names. */
async function taught(
  task: TrainingTask,
  distill: DistillRecipe,
  train: Recipe['train'],
  hub: HubOptions,
): Promise<TrainingTask> {
  const { storage, gguf } = await locateModel(distill.teacher, hub);
  const { model } = task;
  const head = model.kind === 'encoder' ? { head: model.head.name } : {};
  const teacher = await loadPretrained(storage, { ...head, ...(gguf !== undefined && { gguf }) });
  const longest = 'blockSize' in train ? train.blockSize : 'maxLength' in train ? train.maxLength : null;
  return withTeacher(task, distill, teacher, longest ?? model.maxLength);
}

async function makeTask(
  runtime: Runtime,
  recipe: Recipe,
  files: TokenizerFiles | undefined,
  start: Start | undefined,
  arena: () => Trainer['arena'],
  onNotice: (text: string) => void,
  hub: HubOptions,
): Promise<TrainingTask> {
  if (recipe.task === 'translation') {
    const parts = await readPairs(recipe);
    const texts = () => parts.train.flatMap(({ source, target }) => [source, target]);
    files ??= await makeTokenizer(recipe, texts, start);
    return translationTask(recipe, parts, files, start, translatorFor(runtime, arena, recipe.evaluate));
  }
  if (isHeadRecipe(recipe)) {
    const records = await readHeadRecords(recipe, hub);
    files ??= await makeTokenizer(recipe, () => trainingTexts(recipe, records), start);
    const { model } = recipe;
    const vectors = recipe.task === 'sentence-embedding' && model.family === 'pretrained';
    const sentenceEncoder = vectors
      ? await sentenceEncoderAt((await locateModel(model.from, hub)).storage.location)
      : undefined;
    return headTask(recipe, records, files, start && { ...start, sentenceEncoder }, predictorFor(runtime, arena));
  }
  if (recipe.task === 'instruction') {
    const parts = await readConversations(recipe, hub);
    const texts = () => parts.train.flatMap(({ messages }) => messages.map(({ content }) => content));
    files ??= await makeTokenizer(recipe, texts, start);
    return instructionTask(recipe, parts, files, start, answererFor(runtime, arena, recipe.evaluate.maxLength));
  }
  const unit = recipe.task === 'language-model' ? 'text' : 'sentences';
  files ??= await makeTokenizer(recipe, () => tokenizerTexts(recipe, unit, hub), start);
  const tokenizer = openRecipeTokenizer(recipe, files);
  const corpora = await textCorpora(recipe, unit, tokenizer, files, onNotice, hub);
  const given = { tokenizer, files, corpora, start };
  switch (recipe.task) {
    case 'language-model':
      return languageModelTask(recipe, given, samplerFor(runtime, arena, recipe));
    case 'masked-language-model':
      return maskedLanguageModelTask(recipe, given, fillerFor(runtime, arena));
    case 'denoising': {
      const evaluate = { beam: 1, maxLength: recipe.train.maxLength, keepsSpecial: true };
      return denoisingTask(recipe, given, translatorFor(runtime, arena, evaluate));
    }
    default:
      return unreachable(recipe);
  }
}
