import { QkvError } from '../base/errors.ts';
import type { Model } from '../models/model.ts';
import type { Pretrained } from '../pretrained/pretrained.ts';
import type { DistillRecipe } from '../recipe/distillSchema.ts';
import type { Tensors } from '../runtime/runtime.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { TEACHER } from './distillationTerms.ts';
import { Fingerprint } from './fingerprint.ts';
import type { TrainingTask } from './task.ts';

/**
 * A task whose model learns from a teacher as well. The teacher's weights stay in its own arena, from which the engine
 * reads them; they have no gradients. `longest` are the tokens that a sequence may have.
 *
 * @throws QkvError `recipe` for a teacher that does not fit its student
 */
export function withTeacher(
  task: TrainingTask,
  { teacher: _, temperature, layers, ...weights }: DistillRecipe,
  teacher: Pretrained,
  longest: number,
): TrainingTask {
  checkTeacher(task, teacher, longest, weights);
  const { arena, model } = teacher;
  const parameters: Tensors = Object.fromEntries(
    Object.entries(arena.tensors).map(([path, tensor]) => [`${TEACHER}.${path}`, tensor]),
  );
  const fingerprint = new Fingerprint();
  fingerprint.add(new Int32Array(arena.data.buffer, arena.data.byteOffset, arena.data.length));
  return {
    ...task,
    loss: { ...task.loss, distillation: { teacher: model, temperature, weights, layers } },
    teacher: { parameters, fingerprint: fingerprint.text },
  };
}

function checkTeacher(
  { model, tokenizer }: TrainingTask,
  teacher: Pretrained,
  longest: number,
  { soft, hard, hidden, embeddings }: Pick<DistillRecipe, 'soft' | 'hard' | 'hidden' | 'embeddings'>,
): void {
  const refuse = (got: string, expected: string): QkvError =>
    new QkvError('recipe', { where: `distill.teacher ${teacher.location}`, got, expected });
  const theirs = teacher.model;
  if (theirs.kind !== model.kind)
    throw refuse(`a ${theirs.family} model (${theirs.kind})`, `a model like the student (${model.kind})`);
  if (theirs.vocabSize !== model.vocabSize) {
    throw refuse(`a vocabulary of ${theirs.vocabSize}`, `${model.vocabSize} tokens, those of the student`);
  }
  const other = teacher.tokenizer && differentToken(tokenizer, teacher.tokenizer);
  if (other) throw refuse(`another tokenizer: ${other}`, "the student's");
  if (longest > theirs.maxLength)
    throw refuse(`${theirs.maxLength} positions`, `at least ${longest}, as sequences may have`);
  if (theirs.kind !== 'encoder' || model.kind !== 'encoder') return;
  if (hidden + embeddings > 0 && theirs.width !== model.width) {
    throw refuse(`width ${theirs.width}`, `${model.width}, the student's, for the terms hidden and embeddings`);
  }
  const [classes, ours] = [classesOf(theirs), classesOf(model)];
  if (soft + hard > 0 && classes !== ours)
    throw refuse(`the classes ${classes}`, `${ours}, those of the student, in this order`);
}

/** The first token that two tokenizers have otherwise. */
function differentToken(ours: Tokenizer, theirs: Tokenizer): string | undefined {
  const count = Math.max(ours.vocabSize, theirs.vocabSize);
  for (let id = 0; id < count; id++) {
    const [a, b] = [ours.idToToken(id), theirs.idToToken(id)];
    if (a !== b) return `${JSON.stringify(b) ?? 'nothing'} for the id ${id}, not ${JSON.stringify(a) ?? 'nothing'}`;
  }
  return undefined;
}

function classesOf(model: Model): string {
  return model.kind === 'encoder' && model.head.name !== 'masked-lm' ? model.head.classes.join(', ') : '';
}
