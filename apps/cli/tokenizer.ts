import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Command } from 'commander';
import { QkvError } from '../../src/base/errors.ts';
import type { Tokenizer } from '../../src/tokenizer/tokenizer.ts';
import type { SpecialTokenRoles } from '../../src/tokenizer/tokenizerFiles.ts';
import type { TrainBpeOptions } from '../../src/tokenizer/trainBpe.ts';
import { textsOf } from './texts.ts';
import { oneOf, wholeNumber } from './values.ts';

export function tokenizerCommand(): Command {
  return new Command()
    .addCommand(trainSubcommand())
    .addCommand(encodeSubcommand())
    .addCommand(decodeSubcommand())
    .addHelpText(
      'after',
      '\nExample:\n  qkv tokenizer train book.txt --kind byte-bpe --vocab-size 2000 --out book-tokenizer',
    );
}

const kinds = ['bpe', 'byte-bpe', 'char'] as const;
type Kind = (typeof kinds)[number];

/** Special tokens of a new tokenizer by role; their order is that of their ids. */
const roles: { readonly [kind in Kind]: SpecialTokenRoles } = {
  bpe: { eos: '</s>', unk: '<unk>', pad: '<pad>' },
  'byte-bpe': { bos: '<|endoftext|>', eos: '<|endoftext|>', unk: '<|endoftext|>' },
  char: { unk: '<unk>' },
};
const schemes = { bpe: 'word', 'byte-bpe': 'byte', char: 'char' } as const;

interface TrainOptions {
  kind: Kind;
  vocabSize?: number;
  out: string;
  unit?: 'line' | 'file';
  minFrequency?: number;
  limitAlphabet?: number;
  maxLength: number;
  force?: boolean;
  json?: boolean;
}

function trainSubcommand(): Command {
  return new Command('train')
    .description('learn a vocabulary from text files (UTF-8; .gz is unpacked)')
    .argument('<FILE...>', 'text files')
    .requiredOption(
      '--kind <kind>',
      `${kinds.join(', ')}: word pieces, bytes as in GPT-2, characters`,
      oneOf('--kind', kinds),
    )
    .option('--vocab-size <n>', 'tokens, special ones included; not for char', wholeNumber('--vocab-size', { min: 1 }))
    .requiredOption('--out <folder>', 'where tokenizer.json and its companions go')
    .option(
      '--unit <unit>',
      'what is encoded at once: line (default of bpe) or file (of the others)',
      oneOf('--unit', ['line', 'file']),
    )
    .option('--min-frequency <n>', 'leave out what occurs less often', wholeNumber('--min-frequency', { min: 1 }))
    .option(
      '--limit-alphabet <n>',
      'keep the n most frequent characters; not for byte-bpe',
      wholeNumber('--limit-alphabet', { min: 1 }),
    )
    .option(
      '--max-length <n>',
      "the model's longest input in tokens, for model_max_length",
      wholeNumber('--max-length', { min: 1 }),
      512,
    )
    .option('--force', 'replace a tokenizer that the folder has')
    .option('--json', 'print the result as JSON')
    .addHelpText(
      'after',
      '\nExample:\n  qkv tokenizer train data/en.txt data/zh.txt --kind bpe --vocab-size 6000 --out my-tokenizer',
    )
    .action(train);
}

async function train(files: string[], options: TrainOptions): Promise<void> {
  const { kind, vocabSize, out, minFrequency, limitAlphabet, maxLength } = options;
  if ((vocabSize === undefined) !== (kind === 'char')) {
    const got = vocabSize === undefined ? 'none' : String(vocabSize);
    const expected = kind === 'char' ? 'none with --kind char: every character is a token' : 'a number of tokens';
    throw new QkvError('usage', { where: '--vocab-size', got, expected });
  }
  if (limitAlphabet !== undefined && kind === 'byte-bpe') {
    const expected = 'none with --kind byte-bpe, whose alphabet is the 256 bytes';
    throw new QkvError('usage', { where: '--limit-alphabet', got: String(limitAlphabet), expected });
  }
  if (existsSync(join(out, 'tokenizer.json')) && !options.force) {
    const hint = '--force replaces it';
    throw new QkvError('io', { where: out, got: 'a folder with a tokenizer.json', expected: 'a new folder', hint });
  }
  const [{ trainBpe }, { tokenizerFiles }, { nodeStorage }, { encodeUtf8 }] = await Promise.all([
    import('../../src/tokenizer/trainBpe.ts'),
    import('../../src/tokenizer/tokenizerFiles.ts'),
    import('../../src/checkpoint/storage.node.ts'),
    import('../../src/checkpoint/utf8.ts'),
  ]);
  const start = performance.now();
  const specialTokens = [...new Set(Object.values(roles[kind]))];
  const trainOptions: TrainBpeOptions = {
    kind: schemes[kind],
    specialTokens,
    ...(kind !== 'byte-bpe' && { unk: '<unk>' }),
    ...(kind === 'bpe' && { around: { after: '</s>' } }),
    ...(vocabSize !== undefined && { vocabSize }),
    ...(minFrequency !== undefined && { minFrequency }),
    ...(limitAlphabet !== undefined && { limitAlphabet }),
  };
  const json = trainBpe(await unitsOf(files, options.unit ?? (kind === 'bpe' ? 'line' : 'file')), trainOptions);
  const written = tokenizerFiles(json, { specialTokens: roles[kind], modelMaxLength: maxLength });
  const storage = nodeStorage(out);
  for (const [name, text] of Object.entries(written)) await storage.writeAtomic(name, [encodeUtf8(text)]);

  const result = {
    folder: out,
    kind,
    vocabSize: Object.keys(json.model.vocab).length,
    merges: json.model.merges.length,
    specialTokens,
    seconds: Number(((performance.now() - start) / 1000).toFixed(2)),
  };
  if (vocabSize !== undefined && result.vocabSize < vocabSize) {
    process.stderr.write(`note: the text ran out of pairs at ${result.vocabSize} of ${vocabSize} tokens\n`);
  }
  process.stdout.write(
    options.json
      ? `${JSON.stringify(result)}\n`
      : `${result.vocabSize} tokens, ${result.merges} merges, in ${result.seconds} s: ${join(out, 'tokenizer.json')}\n`,
  );
}

async function unitsOf(files: readonly string[], unit: 'line' | 'file'): Promise<string[]> {
  const [{ readLines }, { readText }] = await Promise.all([
    import('../../src/data/files.node.ts'),
    import('../../src/data/lines.ts'),
  ]);
  const units: string[] = [];
  for (const file of files) {
    if (unit === 'file') units.push(await readText(readLines(file)));
    else for await (const { text } of readLines(file)) if (text !== '') units.push(text);
  }
  return units;
}

function encodeSubcommand(): Command {
  return new Command('encode')
    .description('print the ids of texts, a line for each')
    .argument('<TOKENIZER>', 'a model or tokenizer folder, or a tokenizer.json')
    .argument('[TEXT...]', 'texts; without any, the lines of --file or of standard input')
    .option('--file <file>', 'read texts from the lines of a file')
    .option('--tokens', 'print tokens instead of ids')
    .option('--no-special-tokens', 'do not put bos, eos, … around the text')
    .option('--json', 'print ids and tokens as JSON')
    .addHelpText('after', '\nExample:\n  qkv tokenizer encode my-model "Where is the station?"')
    .action(encode);
}

interface EncodeOptions {
  file?: string;
  tokens?: boolean;
  specialTokens: boolean;
  json?: boolean;
}

async function encode(location: string, texts: string[], options: EncodeOptions): Promise<void> {
  if (options.tokens && options.json) {
    throw new QkvError('usage', {
      where: '--tokens',
      got: '--json as well',
      expected: 'one of them: the JSON has both',
    });
  }
  const tokenizer = await openTokenizer(location);
  const results: { text: string; ids: number[]; tokens: string[] }[] = [];
  for await (const text of textsOf({ texts, file: options.file })) {
    const { ids, tokens } = tokenizer.encode(text, { addSpecialTokens: options.specialTokens });
    if (options.json) results.push({ text, ids, tokens });
    else process.stdout.write(`${(options.tokens ? tokens : ids).join(' ')}\n`);
  }
  if (options.json) process.stdout.write(`${JSON.stringify(results)}\n`);
}

function decodeSubcommand(): Command {
  return new Command('decode')
    .description('print the text of ids')
    .argument('<TOKENIZER>', 'a model or tokenizer folder, or a tokenizer.json')
    .argument('[ID...]', 'the ids of one text; without any, lines of ids of --file or of standard input')
    .option('--file <file>', 'read ids from the lines of a file')
    .option('--skip-special-tokens', 'leave out pad, bos, eos, …')
    .option('--json', 'print ids and texts as JSON')
    .addHelpText('after', '\nExample:\n  qkv tokenizer decode my-model 17 4 93')
    .action(decode);
}

async function decode(
  location: string,
  words: string[],
  options: { file?: string; skipSpecialTokens?: boolean; json?: boolean },
): Promise<void> {
  const tokenizer = await openTokenizer(location);
  const results: { ids: number[]; text: string }[] = [];
  const read = wholeNumber('ID', { min: 0 });
  for await (const line of textsOf({ texts: words.length > 0 ? [words.join(' ')] : [], file: options.file })) {
    const ids = line
      .split(/[\s,]+/)
      .filter((word) => word !== '')
      .map(read);
    const text = tokenizer.decode(ids, { skipSpecialTokens: options.skipSpecialTokens ?? false });
    if (options.json) results.push({ ids, text });
    else process.stdout.write(`${text}\n`);
  }
  if (options.json) process.stdout.write(`${JSON.stringify(results)}\n`);
}

/** The tokenizer of a folder or a file, with the roles of its special tokens from tokenizer_config.json beside it. */
async function openTokenizer(location: string): Promise<Tokenizer> {
  const isFolder = existsSync(location) && statSync(location).isDirectory();
  const inRun = isFolder && !existsSync(join(location, 'tokenizer.json')) && existsSync(join(location, 'model'));
  const folder = inRun ? join(location, 'model') : location;
  const file = isFolder ? join(folder, 'tokenizer.json') : location;
  const config = join(isFolder ? folder : dirname(location), 'tokenizer_config.json');
  const { loadTokenizer } = await import('../../src/tokenizer/tokenizer.ts');
  return loadTokenizer(readJson(file), existsSync(config) ? readJson(config) : {});
}

function readJson(file: string): unknown {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    const got = (cause as Error).message;
    throw new QkvError('io', { where: file, got, expected: 'a tokenizer.json, or a folder that has one', cause });
  }
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new QkvError('tokenizer', { where: file, got: (cause as Error).message, expected: 'JSON', cause });
  }
}
