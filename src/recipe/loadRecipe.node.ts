import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { QkvError } from '../base/errors.ts';
import { mapPaths } from './dataSource.ts';
import { parseOverride } from './overrides.ts';
import { parseRecipe } from './parseRecipe.ts';
import type { Recipe } from './recipe.ts';
import type { KeyPath } from './recipeError.ts';

/**
 * Reads and checks a recipe file and makes its paths absolute: those of the data and of a tokenizer start at the
 * recipe's folder, so that a recipe works from anywhere; those given by an override, and `output`, start at
 * `workingFolder` (the process's), as on any command line.
 *
 * @throws QkvError `io` if the file cannot be read, `recipe` for what is wrong in it.
 */
export function loadRecipe(
  file: string,
  overrides: readonly string[] = [],
  workingFolder: string = process.cwd(),
): Recipe {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(readFileSync(file));
  } catch (cause) {
    throw new QkvError('io', { where: file, got: (cause as Error).message, expected: 'a readable UTF-8 file', cause });
  }
  const recipe = parseRecipe(text, file, overrides);
  const set = overrides.flatMap((one) => parseOverride(one, []) ?? []);
  const recipeFolder = dirname(resolve(workingFolder, file));
  return withPaths(
    recipe,
    (path, key) => {
      const isSet = set.some((one) => one.path.every((part, i) => part === key[i]));
      return resolve(isSet ? workingFolder : recipeFolder, path);
    },
    (path) => resolve(workingFolder, path),
  );
}

function withPaths(
  recipe: Recipe,
  input: (path: string, key: KeyPath) => string,
  output: (path: string) => string,
): Recipe {
  const sources = ['file', 'train', 'validation', 'test'];
  const data = Object.entries(recipe.data).map(([key, value]) => [
    key,
    sources.includes(key) ? mapPaths(value, (path, rest) => input(path, ['data', key, ...rest])) : value,
  ]);
  const tokenizer =
    recipe.tokenizer.kind === 'file'
      ? { ...recipe.tokenizer, path: input(recipe.tokenizer.path, ['tokenizer', 'path']) }
      : recipe.tokenizer;
  const shared = { output: output(recipe.output), tokenizer };
  // a name of the hub looks like a path: it is one where there is something of this name
  const modelPath = (name: string, key: KeyPath): string => {
    const path = input(name, key);
    return existsSync(path) || /^[./]/.test(name) ? path : name;
  };
  if (recipe.model.family === 'pretrained') recipe.model.from = modelPath(recipe.model.from, ['model', 'from']);
  if ('distill' in recipe && recipe.distill) {
    recipe.distill.teacher = modelPath(recipe.distill.teacher, ['distill', 'teacher']);
  }
  return { ...recipe, ...shared, data: Object.fromEntries(data) } as Recipe;
}
