import { absentParameters } from '../checkpoint/absentParameters.ts';
import type { DeclaredParam } from '../checkpoint/keyMap.ts';
import type { Model } from '../models/model.ts';
import { isLoraParameter } from '../nn/lora.ts';
import type { StartingPoint } from './recipeModel.ts';

/**
 * The paths of what a model's head does not find in the model that it starts from: the last layer where that has another
 * head, or one of another size, and a pooler where there is none. Heads that predict words are never new.
 */
export function newHead(
  model: Model,
  params: readonly DeclaredParam[],
  { config, tensors }: StartingPoint,
): Set<string> {
  if (predictsWords(model)) return new Set();
  const own = params.filter(({ path }) => !isLoraParameter(path));
  const absent = absentParameters(model.keyMap, tensors, own);
  const hadIt = `${config['architectures']}` === `${model.config['architectures']}`;
  const isNew = ({ path }: DeclaredParam): boolean =>
    isLastLayer(path) ? absent.has(path) || !hadIt : path.startsWith('pooler.') && absent.has(path);
  return new Set(own.filter(isNew).map(({ path }) => path));
}

/** Whether the loss is that of words, and no head's own. */
export function predictsWords(model: Model): boolean {
  return model.kind !== 'encoder' || model.head.name === 'masked-lm' || model.head.name === 'pretraining';
}

/** Of a head with classes. */
export function isLastLayer(path: string): boolean {
  return path.startsWith('classifier.');
}
