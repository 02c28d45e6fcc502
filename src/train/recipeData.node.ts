import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { QkvError } from '../base/errors.ts';
import type { Storage } from '../checkpoint/storage.ts';
import { readLines } from '../data/files.node.ts';
import { readPairsTsv, readParallel, type TextPair } from '../data/pairs.ts';
import { readRecords } from '../data/readRecords.node.ts';
import type { DataRecord, FieldName } from '../data/records.ts';
import type { Model } from '../models/model.ts';
import type { ParameterArena } from '../nn/parameterArena.ts';
import { fillArena, openParts } from '../pretrained/pretrained.ts';
import type { TokenizerSource } from '../pretrained/tokenizerSource.ts';
import { originOf, type RecordSource } from '../recipe/dataSource.ts';
import type { Recipe, TranslationRecipe } from '../recipe/recipe.ts';
import type { TokenizerFiles } from '../tokenizer/tokenizerFiles.ts';
import { maxLengthOf, type StartingPoint } from './recipeModel.ts';
import { existingTokenizerFiles, trainRecipeTokenizer } from './recipeTokenizer.ts';
import { originFiles } from './textCorpora.node.ts';
import type { PairParts } from './translationTask.ts';

export async function readPairs({ data }: TranslationRecipe): Promise<PairParts> {
  if (data.format === 'tsv') {
    const read = (path: string | null): Promise<TextPair[]> =>
      path === null ? Promise.resolve([]) : all(readPairsTsv(readLines(path), data.columns));
    return { train: await read(data.train), validation: await read(data.validation), test: await read(data.test) };
  }
  const read = (paths: readonly [string, string] | null): Promise<TextPair[]> =>
    paths === null ? Promise.resolve([]) : all(readParallel(readLines(paths[0]), readLines(paths[1])));
  return { train: await read(data.train), validation: await read(data.validation), test: await read(data.test) };
}

/**
 * The records of a recipe's source, one at a time. A TSV or CSV file has a header unless the recipe says otherwise or names
 * all `fields` by numbers.
 */
export async function* recipeRecords(
  source: RecordSource,
  fields: readonly FieldName[],
): AsyncGenerator<DataRecord, void, undefined> {
  const origin = originOf(source);
  const { format, header } = origin;
  yield* readRecords({
    files: await originFiles(origin),
    format: format ?? undefined,
    header: header ?? fields.some((field) => typeof field === 'string'),
  });
}

async function all(pairs: AsyncIterable<TextPair>): Promise<TextPair[]> {
  const list: TextPair[] = [];
  for await (const pair of pairs) list.push(pair);
  return list;
}

/** The model that a run begins from, with its tokenizer and its weights. */
export interface Start extends StartingPoint {
  readonly tokenizer: TokenizerSource | undefined;
  fill(model: Model, arena: ParameterArena): Promise<void>;
}

/** Opens the model folder, GGUF file or model of the hub that a recipe trains further, without reading its weights. */
export async function openStart(storage: Storage, gguf?: string): Promise<Start> {
  const { checkpoint, tokenizer } = await openParts(storage, gguf);
  const { location, config, generationConfig, tensors } = checkpoint;
  return {
    location,
    config,
    generationConfig,
    stored: new Set(tensors.keys()),
    tokenizer,
    fill: async (model, arena) => void (await fillArena(model, checkpoint, arena)),
  };
}

/** The recipe's tokenizer: trained from `texts`, or the one that it names, with the tokenizer_config.json beside it. */
export async function makeTokenizer(
  recipe: Recipe,
  texts: () => Iterable<string> | Promise<Iterable<string>>,
  start: Start | undefined,
): Promise<TokenizerFiles> {
  const maxLength = maxLengthOf(recipe, start);
  if (recipe.tokenizer.kind === 'model') {
    if (!start!.tokenizer) {
      throw new QkvError('tokenizer', {
        where: start!.location,
        got: 'no tokenizer',
        expected: 'one beside the model',
      });
    }
    const { json, config } = start!.tokenizer;
    const files = existingTokenizerFiles(json, config, maxLength);
    const all = { ...(JSON.parse(files['tokenizer_config.json']) as object), ...config };
    return { ...files, 'tokenizer_config.json': `${JSON.stringify(all, null, 2)}\n` };
  }
  if (recipe.tokenizer.kind !== 'file') return trainRecipeTokenizer(recipe, recipe.tokenizer, await texts(), maxLength);
  const { path } = recipe.tokenizer;
  const beside = join(dirname(path), 'tokenizer_config.json');
  return existingTokenizerFiles(await readJson(path), existsSync(beside) ? await readJson(beside) : {}, maxLength);
}

async function readJson(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, 'utf8'));
  } catch (cause) {
    throw new QkvError('io', { where: path, got: (cause as Error).message, expected: 'a readable JSON file', cause });
  }
}
