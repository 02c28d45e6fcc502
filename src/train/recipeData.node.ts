import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { QkvError } from '../base/errors.ts';
import type { Storage } from '../checkpoint/storage.ts';
import { readLines } from '../data/files.node.ts';
import { readText } from '../data/lines.ts';
import { readPairsTsv, readParallel, type TextPair } from '../data/pairs.ts';
import { readConll } from '../data/readConll.ts';
import { readRecords } from '../data/readRecords.node.ts';
import { readSquad } from '../data/readSquad.ts';
import type { DataRecord, FieldName } from '../data/records.ts';
import type { HubOptions } from '../hub/hubSnapshot.node.ts';
import type { Model } from '../models/model.ts';
import type { ParameterArena } from '../nn/parameterArena.ts';
import { fillArena, openParts } from '../pretrained/pretrained.ts';
import type { TokenizerSource } from '../pretrained/tokenizerSource.ts';
import { originOf, type RecordSource } from '../recipe/dataSource.ts';
import type { HeadRecipe } from '../recipe/headRecipes.ts';
import type { InstructionRecipe, Recipe, TranslationRecipe } from '../recipe/recipe.ts';
import type { TokenizerFiles } from '../tokenizer/tokenizerFiles.ts';
import { type Conversation, conversationOf } from './conversations.ts';
import { withDropout } from './dropoutRates.ts';
import type { RecordParts } from './headTask.ts';
import { withLayers } from './keptLayers.ts';
import { newHead } from './newHead.ts';
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
  hub: HubOptions = {},
): AsyncGenerator<DataRecord, void, undefined> {
  const origin = originOf(source);
  const { format, header } = origin;
  yield* readRecords({
    files: await originFiles(origin, hub),
    format: format ?? undefined,
    header: header ?? fields.some((field) => typeof field === 'string'),
  });
}

/** All records of a task with a head. */
export async function readHeadRecords({ data }: HeadRecipe, hub: HubOptions = {}): Promise<RecordParts> {
  const { train, validation, test } = data;
  const parts = async <Source>(read: (source: Source) => Promise<DataRecord[]>): Promise<RecordParts> => ({
    train: await read(train as Source),
    validation: await read(validation as Source),
    test: test === null ? [] : await read(test as Source),
  });
  if (data.format === 'conll') return parts((file: string) => all(readConll(readLines(file), data)));
  if (data.format === 'squad') return parts(async (file: string) => readSquad(file, await readText(readLines(file))));
  const fields = Object.values(data.fields as Record<string, FieldName | FieldName[] | undefined>);
  const names = fields.flatMap((field) => field ?? []);
  return parts((source: RecordSource) => all(recipeRecords(source, names, hub)));
}

async function all<T>(pairs: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const pair of pairs) list.push(pair);
  return list;
}

/** Conversations: those of the records, or of their prompt and completion. */
export async function readConversations(
  { data }: InstructionRecipe,
  hub: HubOptions = {},
): Promise<{ readonly train: Conversation[]; readonly validation: Conversation[] }> {
  const { fields } = data;
  const read = async (source: RecordSource): Promise<Conversation[]> => {
    const list: Conversation[] = [];
    const records = recipeRecords(source, Object.values(fields), hub);
    for await (const record of records) list.push(conversationOf(record, fields));
    return list;
  };
  return { train: await read(data.train), validation: await read(data.validation) };
}

/** The model that a run begins from, with its tokenizer and its weights. */
export interface Start extends StartingPoint {
  readonly tokenizer: TokenizerSource | undefined;
  /**
   * Reads the weights into the arena; what is of a new head (`newHead`) stays as it is there, and a sentence says so.
   *
   * @throws QkvError `checkpoint` for all else that does not fit
   */
  fill(model: Model, arena: ParameterArena): Promise<string | undefined>;
}

export interface StartOptions {
  /** The file to open, where it is not the folder's only one. */
  readonly gguf?: string | undefined;
  /** See `withLayers`; null: all. */
  readonly layers?: number | readonly number[] | null;
  /** See `withDropout`. */
  readonly dropout?: Readonly<Record<string, number>>;
}

/** Opens the model folder, GGUF file or model of the hub that a recipe trains further, without reading its weights. */
export async function openStart(
  storage: Storage,
  { gguf, layers = null, dropout = {} }: StartOptions = {},
): Promise<Start> {
  const { checkpoint: whole, tokenizer } = await openParts(storage, gguf);
  const checkpoint = withDropout(layers === null ? whole : withLayers(whole, layers), dropout);
  const { location, config, generationConfig, tensors } = checkpoint;
  return {
    location,
    config,
    generationConfig,
    tensors,
    tokenizer,
    fill: async (model, arena) => {
      const fresh = newHead(model, arena.placements, { location, config, generationConfig, tensors });
      const ignored = await fillArena(model, checkpoint, arena, fresh);
      return fresh.size > 0 ? fillNotice(location, fresh, ignored) : undefined;
    },
  };
}

function fillNotice(
  location: string,
  fresh: ReadonlySet<string>,
  ignored: readonly { readonly key: string }[],
): string {
  const unused = ignored.length > 0 ? `; ${ignored.map(({ key }) => key).join(', ')} of it are not used` : '';
  return `${location} does not have ${[...fresh].join(', ')}, which start from the seed${unused}`;
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
