import { writeFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { Command } from 'commander';
import { QkvError } from '../../src/base/errors.ts';
import type { AttentionMap } from '../../src/draw/attention-map.ts';
import type { LayerAttention } from '../../src/inspect/attention.ts';
import type { Tokenizer } from '../../src/tokenizer/tokenizer.ts';
import { modelArgument } from './openPretrained.ts';
import { openRunning, type RunningModel } from './openRunning.ts';
import { oneOf, realNumber, wholeNumber } from './values.ts';

const kinds = ['encoder', 'decoder', 'cross'] as const;
type Kind = (typeof kinds)[number];

interface Options {
  target?: string;
  kind?: Kind;
  layer?: number;
  head?: number | 'mean';
  grid?: boolean;
  out?: string;
  max?: number;
  json?: boolean;
}

export function lookCommand(): Command {
  return new Command()
    .argument('<MODEL>', modelArgument)
    .argument('<TEXT>', 'what the model reads')
    .option('--target <text>', "the translation to look at (default: the model's own, greedy)")
    .option('--kind <kind>', `${kinds.join(', ')} (default: cross, else decoder)`, oneOf('--kind', kinds))
    .option('--layer <n>', 'counted from 0 (default: the last)', wholeNumber('--layer', { min: 0 }))
    .option('--head <n>', 'a number from 0 on, or mean, the mean over the heads (default: mean)', headOf)
    .option('--grid', 'all layers and heads, small; with --kind, --layer or --head those of them')
    .option(
      '--max <weight>',
      'the weight drawn darkest (default: the largest)',
      realNumber('--max', { above: 0, max: 1 }),
    )
    .option('--out <file>', 'write an .svg or a .png instead of drawing in the terminal')
    .option('--json', 'print tokens and weights as JSON')
    .addHelpText(
      'after',
      [
        '',
        'A row shows where its token looks. The row of a target token is the attention with which the next is chosen.',
        '',
        'Examples:',
        '  qkv look runs/tatoeba-en-zh "Where is the station?"',
        '  qkv look runs/tatoeba-en-zh "Where is the station?" --grid --out attention.png',
        '  qkv look runs/shakespeare "To be, or not to be" --layer 0 --head 2',
      ].join('\n'),
    )
    .action(look);
}

function headOf(text: string): number | 'mean' {
  if (text === 'mean') return 'mean';
  if (/^\d+$/.test(text)) return Number(text);
  throw new QkvError('usage', { where: '--head', got: JSON.stringify(text), expected: 'a number from 0 on, or mean' });
}

async function look(path: string, text: string, options: Options): Promise<void> {
  const format = options.out === undefined ? undefined : formatOf(options.out);
  if (options.json && (format || options.max !== undefined)) {
    const got = `${format ? '--out' : '--max'} as well`;
    throw new QkvError('usage', { where: '--json', got, expected: 'the numbers, or a picture' });
  }
  await using running = await openRunning(path);
  const { captureAttention } = await import('../../src/inspect/attention.ts');
  const { model } = running.pretrained;
  const { sourceIds, targetIds, target } = await read(running, text, options.target);
  const layers = await captureAttention(running.session, sourceIds, targetIds);
  const chosen = choose(layers, options);
  const title = target === undefined ? text : `${text} → ${target}`;
  const maps = await mapsOf(running, chosen, options, title);

  if (options.json) {
    const attention = maps.map(({ title: _, weights, queryTokens, ...map }) => {
      const columns = map.keyTokens.length;
      const rows = queryTokens.map((_, t) => [...weights.subarray(t * columns, (t + 1) * columns)]);
      return { ...map, queryTokens, weights: rows };
    });
    process.stdout.write(`${JSON.stringify({ model: model.family, text, target: target ?? null, attention })}\n`);
  } else if (options.out === undefined) {
    const { drawTerminal } = await import('../../src/draw/terminal.ts');
    const width = Math.max(30, process.stdout.columns ?? 100);
    process.stdout.write(drawTerminal(maps, { width, colour: colours(), ...maxOf(options) }));
  } else {
    await writeFile(options.out, await picture(maps, format!, options)).catch((cause: Error) => {
      throw new QkvError('io', {
        where: options.out!,
        got: cause.message,
        expected: 'a file that can be written',
        cause,
      });
    });
    process.stdout.write(`${options.out}\n`);
  }
}

function formatOf(out: string): 'svg' | 'png' {
  const format = extname(out).toLowerCase();
  if (format === '.svg' || format === '.png') return format.slice(1) as 'svg' | 'png';
  throw new QkvError('usage', { where: '--out', got: out, expected: 'a name that ends in .svg or .png' });
}

/** Ids of what is looked at: a source and its target, given or the model's own, or a prompt. */
async function read(
  { session, tokenizer, defaults }: RunningModel,
  text: string,
  given: string | undefined,
): Promise<{ sourceIds: readonly number[] | null; targetIds: readonly number[]; target?: string }> {
  const { model } = session;
  const ids = tokenizer.encode(text).ids;
  if (ids.length === 0) throw new QkvError('usage', { where: 'TEXT', got: 'no tokens', expected: 'a text' });
  if (ids.length > model.maxLength) {
    const expected = `at most ${model.maxLength}, the positions of the model`;
    throw new QkvError('usage', { where: 'TEXT', got: `${ids.length} tokens`, expected });
  }
  if (model.kind === 'causal') {
    if (given === undefined) return { sourceIds: null, targetIds: ids };
    throw new QkvError('usage', {
      where: '--target',
      got: `a ${model.family} model, which continues a text`,
      expected: 'an encoder-decoder model',
    });
  }
  if (given !== undefined) return { sourceIds: ids, targetIds: tokenizer.encode(given).ids, target: given };
  const [{ generate }, { forMode }] = await Promise.all([
    import('../../src/generate/generate.ts'),
    import('../../src/pretrained/generationDefaults.ts'),
  ]);
  // The start token takes a position of its own, so the last token of the longest translation has none.
  const most = Math.max(1, model.maxLength - 1);
  const greedy = {
    ...defaults,
    sample: false,
    numBeams: 1,
    maxNewTokens: Math.min(defaults.maxNewTokens ?? most, most),
  };
  const [results] = await generate(session, [ids], forMode(greedy));
  const targetIds = results![0]!.ids;
  return { sourceIds: ids, targetIds, target: tokenizer.decode(targetIds, { skipSpecialTokens: true }) };
}

/** The layers to draw. @throws QkvError `usage` for one that the model does not have. */
function choose(layers: readonly LayerAttention[], { kind, layer, head, grid = false }: Options): LayerAttention[] {
  const found = [...new Set(layers.map((one) => one.kind))];
  if (kind !== undefined && !found.includes(kind)) {
    throw new QkvError('usage', { where: '--kind', got: kind, expected: `what the model has: ${found.join(', ')}` });
  }
  const wanted = kind ?? (grid ? undefined : found.at(-1)!);
  const ofKind = layers.filter((one) => wanted === undefined || one.kind === wanted);
  const last = Math.max(...ofKind.map((one) => one.layer));
  const only = layer ?? (grid ? undefined : last);
  const chosen = ofKind.filter((one) => only === undefined || one.layer === only);
  if (chosen.length === 0) {
    throw new QkvError('usage', { where: '--layer', got: String(layer), expected: `from 0 to ${last}` });
  }
  const heads = chosen[0]!.weights.shape[0]!;
  if (typeof head === 'number' && head >= heads) {
    throw new QkvError('usage', { where: '--head', got: String(head), expected: `mean, or from 0 to ${heads - 1}` });
  }
  return chosen;
}

async function mapsOf(
  { tokenizer }: RunningModel,
  layers: readonly LayerAttention[],
  { head, grid = false }: Options,
  title: string,
): Promise<AttentionMap[]> {
  const { headWeights } = await import('../../src/inspect/attention.ts');
  const tokens = (ids: readonly number[]): string[] => ids.map((id) => tokenText(tokenizer, id));
  return layers.flatMap((one) => {
    const all = Array.from({ length: one.weights.shape[0]! }, (_, h) => h);
    const heads: (number | 'mean')[] = head !== undefined ? [head] : grid ? all : ['mean'];
    const shared = {
      title,
      kind: one.kind,
      layer: one.layer,
      queryTokens: tokens(one.queryIds),
      keyTokens: tokens(one.keyIds),
    };
    return heads.map((h) => ({ ...shared, head: h, weights: headWeights(one, h) }));
  });
}

/** A token as a reader knows it: bytes that are whole characters as these (GPT-2 has ` the` as `Ġthe`), else as it is. */
function tokenText(tokenizer: Tokenizer, id: number): string {
  const token = tokenizer.idToToken(id);
  if (token === undefined) return `#${id}`;
  const text = tokenizer.decode([id]);
  return token.includes('▁') || text === '' || text.includes('\ufffd') ? token : text;
}

function maxOf({ max }: Options): { max?: number } {
  return max === undefined ? {} : { max };
}

async function picture(
  maps: readonly AttentionMap[],
  format: 'svg' | 'png',
  options: Options,
): Promise<string | Uint8Array> {
  if (format === 'svg') return (await import('../../src/draw/svg.ts')).drawSvg(maps, maxOf(options));
  return (await import('../../src/draw/png.node.ts')).drawPng(maps, maxOf(options));
}

/** What the terminal can show; block characters where standard output is none, or NO_COLOR asks for it. */
function colours(): 'truecolor' | 'ansi256' | 'none' {
  if (!process.stdout.isTTY || process.env['NO_COLOR']) return 'none';
  const depth = process.stdout.getColorDepth();
  return depth >= 24 ? 'truecolor' : depth >= 8 ? 'ansi256' : 'none';
}
