import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { QkvError } from '../base/errors.ts';
import type { Storage } from '../checkpoint/storage.ts';
import { columnOf } from '../data/columns.ts';
import { readLines } from '../data/files.node.ts';
import { readText, splitText } from '../data/lines.ts';
import { readPairsTsv, readParallel, type TextPair } from '../data/pairs.ts';
import { readRecords } from '../data/readRecords.node.ts';
import type { DataRecord, FieldName } from '../data/records.ts';
import type { Model } from '../models/model.ts';
import type { ParameterArena } from '../nn/parameterArena.ts';
import { fillArena, openParts } from '../pretrained/pretrained.ts';
import type { TokenizerSource } from '../pretrained/tokenizerSource.ts';
import { originOf, type RecordSource } from '../recipe/dataSource.ts';
import type {
  DenoisingRecipe,
  InstructionRecipe,
  LanguageModelRecipe,
  MaskedLanguageModelRecipe,
  Recipe,
  TranslationRecipe,
} from '../recipe/recipe.ts';
import type { TokenizerFiles } from '../tokenizer/tokenizerFiles.ts';
import { type Conversation, conversationOf } from './conversations.ts';
import { withLayers } from './keptLayers.ts';
import { maxLengthOf, type StartingPoint } from './recipeModel.ts';
import { existingTokenizerFiles, trainRecipeTokenizer } from './recipeTokenizer.ts';
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
  const { files, format, header } = originOf(source);
  yield* readRecords({
    files: files!,
    format: format ?? undefined,
    header: header ?? fields.some((field) => typeof field === 'string'),
  });
}

async function all(pairs: AsyncIterable<TextPair>): Promise<TextPair[]> {
  const list: TextPair[] = [];
  for await (const pair of pairs) list.push(pair);
  return list;
}

export async function readTexts({ data }: LanguageModelRecipe | MaskedLanguageModelRecipe | DenoisingRecipe): Promise<{
  readonly train: string;
  readonly validation: string;
}> {
  const read = (path: string): Promise<string> => {
    const lines = readLines(path);
    return readText(data.column === null ? lines : columnOf(lines, data.column));
  };
  if (data.format === 'text') return splitText(await read(data.file), data.validationFraction);
  return { train: await read(data.train), validation: await read(data.validation) };
}

/** Conversations: those of the records, or of their prompt and completion. */
export async function readConversations({
  data,
}: InstructionRecipe): Promise<{ readonly train: Conversation[]; readonly validation: Conversation[] }> {
  const { fields } = data;
  const read = async (source: RecordSource): Promise<Conversation[]> => {
    const list: Conversation[] = [];
    for await (const record of recipeRecords(source, Object.values(fields))) list.push(conversationOf(record, fields));
    return list;
  };
  return { train: await read(data.train), validation: await read(data.validation) };
}

/** The model that a run begins from, with its tokenizer and its weights. */
export interface Start extends StartingPoint {
  readonly tokenizer: TokenizerSource | undefined;
  fill(model: Model, arena: ParameterArena): Promise<void>;
}

/** Opens the model folder, GGUF file or model of the hub that a recipe trains further, without reading its weights; `layers`: see `withLayers`. */
export async function openStart(
  storage: Storage,
  gguf?: string,
  layers: number | readonly number[] | null = null,
): Promise<Start> {
  const { checkpoint: whole, tokenizer } = await openParts(storage, gguf);
  const checkpoint = layers === null ? whole : withLayers(whole, layers);
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
  texts: () => Iterable<string>,
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
  if (recipe.tokenizer.kind !== 'file') return trainRecipeTokenizer(recipe, recipe.tokenizer, texts(), maxLength);
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
