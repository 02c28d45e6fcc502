import { existsSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { QkvError } from '../base/errors.ts';
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
  return mapPaths(
    recipe,
    (path, key) => {
      const isSet = set.some((one) => one.path.every((part, i) => part === key[i]));
      return resolve(isSet ? workingFolder : recipeFolder, path);
    },
    (path) => resolve(workingFolder, path),
  );
}

function mapPaths(
  recipe: Recipe,
  input: (path: string, key: KeyPath) => string,
  output: (path: string) => string,
): Recipe {
  const at = (key: string, path: string): string => input(path, ['data', key]);
  const both = (key: string, [source, target]: [string, string]): [string, string] => [
    input(source, ['data', key, 0]),
    input(target, ['data', key, 1]),
  ];
  const tokenizer =
    recipe.tokenizer.kind === 'file'
      ? { ...recipe.tokenizer, path: input(recipe.tokenizer.path, ['tokenizer', 'path']) }
      : recipe.tokenizer;
  const shared = { output: output(recipe.output), tokenizer };
  if (recipe.model.family === 'pretrained') {
    // a name of the hub looks like a path: it is one where there is something of this name
    const path = input(recipe.model.from, ['model', 'from']);
    if (existsSync(path) || /^[./]/.test(recipe.model.from)) recipe.model.from = path;
  }
  if (recipe.task !== 'translation') {
    const { data } = recipe;
    return {
      ...recipe,
      ...shared,
      data:
        data.format === 'text'
          ? { ...data, file: at('file', data.file) }
          : { ...data, train: at('train', data.train), validation: at('validation', data.validation) },
    };
  }
  const { data } = recipe;
  return {
    ...recipe,
    ...shared,
    data:
      data.format === 'tsv'
        ? {
            ...data,
            train: at('train', data.train),
            validation: at('validation', data.validation),
            test: data.test === null ? null : at('test', data.test),
          }
        : {
            ...data,
            train: both('train', data.train),
            validation: both('validation', data.validation),
            test: data.test === null ? null : both('test', data.test),
          },
  };
}
