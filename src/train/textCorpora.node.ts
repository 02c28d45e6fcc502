import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { QkvError } from '../base/errors.ts';
import { Corpus, isHeldOut } from '../data/corpus.ts';
import { readLines } from '../data/files.node.ts';
import { readText, splitText } from '../data/lines.ts';
import { matchFiles } from '../data/matchFiles.node.ts';
import { type ReadDocumentsOptions, readRunningText, readSentences } from '../data/readDocuments.node.ts';
import { tokenFile } from '../data/tokenFile.node.ts';
import { memoryTokens, type TokenStore, type TokenWriter } from '../data/tokenStore.ts';
import { checkRevision, parseHubName } from '../hub/hubName.ts';
import type { HubOptions } from '../hub/hubSnapshot.node.ts';
import { type DataOrigin, type DocumentSource, type DocumentsData, documentSourcesOf } from '../recipe/dataSource.ts';
import type { DenoisingRecipe, LanguageModelRecipe, MaskedLanguageModelRecipe, TextData } from '../recipe/recipe.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { TokenizerFiles } from '../tokenizer/tokenizerFiles.ts';
import { type Encode, requireTokens, type TextUnit, wholeText } from './wholeText.ts';

export interface TextCorpora {
  readonly train: Corpus;
  readonly validation: Corpus;
}

/** Recipes that read text: their `data` and their seed. */
export type TextRecipe = Pick<LanguageModelRecipe | MaskedLanguageModelRecipe | DenoisingRecipe, 'seed' | 'data'>;

/** Bytes of files whose tokens are kept in memory, and not in the cache: to make them takes seconds. */
const SMALL = 8 << 20;
/** Characters of documents that a tokenizer is learnt from. */
const SAMPLE = 64e6;
/** Of what is in the cache; changes when the same files and tokenizer give other tokens. */
const VERSION = 1;

/** The files of a source: what its paths and globs name, or those of a dataset of the hub, fetched where they are not here. */
export async function originFiles(origin: DataOrigin, options: HubOptions = {}): Promise<string[]> {
  const { files, hub, revision, config, split } = origin;
  if (files !== undefined) return matchFiles(files);
  const name = parseHubName(hub!, 'dataset');
  if (!name) throw new QkvError('data', { where: 'hub', got: hub!, expected: 'org/name of a dataset' });
  const { hubDataset } = await import('../hub/hubDataset.node.ts');
  const revised = revision === undefined ? name : { ...name, revision: checkRevision(revision) };
  return hubDataset(revised, { config, split }, options);
}

/** The texts that the recipe's tokenizer is learnt from. */
export async function tokenizerTexts(recipe: TextRecipe, unit: TextUnit, hub: HubOptions = {}): Promise<string[]> {
  const { data, seed } = recipe;
  if (data.format === 'text') {
    const { train } = await readParts(data);
    return unit === 'text' ? [train] : train.split('\n');
  }
  const texts: string[] = [];
  const heldOut = isFraction(data.validation) ? data.validation.fraction : 0;
  const sources = documentSourcesOf(data.train);
  for (const [i, source] of sources.entries()) {
    let room = SAMPLE / sources.length;
    for await (const { text, document } of read(await readingOf(source, hub), unit)) {
      if (isHeldOut(seed, i, document, heldOut)) continue;
      texts.push(text);
      room -= text.length;
      if (room <= 0) break;
    }
  }
  return texts;
}

/**
 * The recipe's texts as tokens. Of documents in large files the tokens stay in a file of the cache,
 * `$XDG_CACHE_HOME/qkv/tokens/HASH`, where the hash is of the bytes of the files, the tokenizer and how they are read.
 *
 * Running text has behind each document the token that ends a text, or, of a tokenizer without one, a blank line.
 */
export async function textCorpora(
  recipe: TextRecipe,
  unit: TextUnit,
  tokenizer: Tokenizer,
  files: TokenizerFiles,
  onNotice: (text: string) => void,
  hub: HubOptions = {},
): Promise<TextCorpora> {
  const { data, seed } = recipe;
  const encode = (text: string): readonly number[] => tokenizer.encode(text, { addSpecialTokens: false }).ids;
  if (data.format === 'text') {
    const parts = await readParts(data);
    const options = { seed, unit, encode, where: data.file };
    return { train: await wholeText(parts.train, options), validation: await wholeText(parts.validation, options) };
  }
  const { eos } = tokenizer.specialIds;
  const end = unit === 'sentences' ? [] : eos === undefined ? encode('\n\n') : [eos];
  const open = async (sources: readonly DocumentSource[], part: string): Promise<TokenStore> => {
    const readings = await Promise.all(sources.map((source) => readingOf(source, hub)));
    const write = async (writer: TokenWriter): Promise<void> => {
      for (const reading of readings) await writeDocuments(writer, read(reading, unit), encode, end);
    };
    const { bytes, hash } = await contentsOf(readings, [VERSION, unit, files['tokenizer.json']]);
    if (bytes <= SMALL) return memoryTokens(write, hash);
    const folder = join(process.env['XDG_CACHE_HOME'] || join(homedir(), '.cache'), 'qkv', 'tokens', hash);
    const writeNoticed = (writer: TokenWriter): Promise<void> => {
      onNotice(`tokenising the ${part} texts, ${(bytes / 1e6).toFixed(0)} MB, into ${folder}`);
      return write(writer);
    };
    return tokenFile(folder, tokenizer.vocabSize, hash, writeNoticed);
  };
  const sources = documentSourcesOf(data.train);
  const weights = sources.map(({ weight }) => weight);
  const store = requireTokens(await open(sources, 'training'), 'training texts');
  if (isFraction(data.validation)) {
    const heldOut = data.validation.fraction;
    const train = new Corpus(store, { seed, weights, part: { heldOut, is: 'train' } });
    return { train, validation: new Corpus(store, { seed, part: { heldOut, is: 'validation' } }) };
  }
  const validation = await open(documentSourcesOf(data.validation), 'validation');
  return {
    train: new Corpus(store, { seed, weights }),
    validation: new Corpus(requireTokens(validation, 'validation texts'), { seed }),
  };
}

async function readParts(data: TextData): Promise<{ readonly train: string; readonly validation: string }> {
  return splitText(await readText(readLines(data.file)), data.validationFraction);
}

type Reading = ReadDocumentsOptions & { readonly files: readonly string[] };

async function readingOf(source: DocumentSource, hub: HubOptions): Promise<Reading> {
  return {
    files: await originFiles(source, hub),
    field: source.field ?? undefined,
    format: source.format ?? undefined,
    header: source.header ?? undefined,
    documents: source.documents ?? undefined,
    sentences: source.sentences,
    limit: source.limit ?? undefined,
  };
}

function read(reading: Reading, unit: TextUnit): ReturnType<typeof readSentences> {
  return unit === 'text' ? readRunningText(reading) : readSentences(reading);
}

function isFraction(validation: DocumentsData['validation']): validation is { fraction: number } {
  return typeof validation === 'object' && 'fraction' in validation;
}

async function writeDocuments(
  writer: TokenWriter,
  parts: ReturnType<typeof readSentences>,
  encode: Encode,
  end: readonly number[],
): Promise<void> {
  let current = 0;
  const close = (): void => {
    writer.sentence(end);
    writer.endDocument();
  };
  for await (const { text, document } of parts) {
    if (document !== current) close();
    current = document;
    writer.sentence(encode(text));
  }
  close();
  writer.endSource();
}

/** Size and hash of what files hold and how they are read. */
async function contentsOf(
  readings: readonly Reading[],
  context: readonly unknown[],
): Promise<{ readonly bytes: number; readonly hash: string }> {
  const hasher = createHash('sha256');
  let bytes = 0;
  for (const { files, ...options } of readings) {
    hasher.update(JSON.stringify([context, options, files.length]));
    for (const file of files) {
      const { size } = await stat(file);
      hasher.update(`${size}\0`);
      bytes += size;
      for await (const chunk of createReadStream(file, { highWaterMark: 1 << 20 })) hasher.update(chunk as Uint8Array);
    }
  }
  return { bytes, hash: hasher.digest('hex') };
}
