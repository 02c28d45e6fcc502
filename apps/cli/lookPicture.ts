import { writeFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { QkvError } from '../../src/base/errors.ts';
import type { AttentionMap } from '../../src/draw/attention-map.ts';
import type { LayerAttention } from '../../src/inspect/attention.ts';
import type { Tokenizer } from '../../src/tokenizer/tokenizer.ts';
import { openPretrained } from './openPretrained.ts';
import { tokenText } from './tokenText.ts';

export interface PictureOptions {
  readonly target?: string;
  readonly pair?: string;
  readonly kind?: LayerAttention['kind'];
  readonly layer?: number;
  readonly head?: number | 'mean';
  readonly grid?: boolean;
  readonly out?: string;
  readonly max?: number;
  readonly json?: boolean;
}

/** Draws where the model looks while it reads `text`: in the terminal, as a picture, or as numbers. */
export async function lookPicture(path: string, text: string, options: PictureOptions): Promise<void> {
  const format = options.out === undefined ? undefined : formatOf(options.out);
  if (options.json && (format || options.max !== undefined)) {
    const got = `${format ? '--out' : '--max'} as well`;
    throw new QkvError('usage', { where: '--json', got, expected: 'the numbers, or a picture' });
  }
  const [{ OpenModel }, { attentionTitle }, { readLookTexts }, { attentionMaps }, { createNodeRuntime }] =
    await Promise.all([
      import('../web/src/worker/openModel.ts'),
      import('../web/src/views/attention/attentionTitle.ts'),
      import('./lookTexts.ts'),
      import('../../src/inspect/attention.ts'),
      import('../../src/runtime/node/node.ts'),
    ]);
  const pretrained = await openPretrained(path);
  const { model } = pretrained;
  await using runtime = await createNodeRuntime();
  using opened = new OpenModel(runtime, pretrained, { model: 1, name: path, examples: [] });
  const { input, reading } = await readLookTexts(opened, { text, target: options.target, pair: options.pair });
  const layers = await attentionMaps(opened.inspection, reading);
  const chosen = choose(layers, options);
  const maps = await mapsOf(opened.tokenizer, chosen, options, attentionTitle(input));

  if (options.json) {
    const attention = maps.map(({ title: _, weights, queryTokens, ...map }) => {
      const columns = map.keyTokens.length;
      const rows = queryTokens.map((_, t) => [...weights.subarray(t * columns, (t + 1) * columns)]);
      return { ...map, queryTokens, weights: rows };
    });
    const { target = null, pair = null } = input;
    process.stdout.write(`${JSON.stringify({ model: model.family, text, target, pair, attention })}\n`);
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
  throw new QkvError('usage', { where: '--out', got: out, expected: 'a name that ends in .svg, .png or .html' });
}

/** The layers to draw. @throws QkvError `usage` for one that the model does not have. */
function choose(
  layers: readonly LayerAttention[],
  { kind, layer, head, grid = false }: PictureOptions,
): LayerAttention[] {
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
  tokenizer: Tokenizer,
  layers: readonly LayerAttention[],
  { head, grid = false }: PictureOptions,
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

function maxOf({ max }: PictureOptions): { max?: number } {
  return max === undefined ? {} : { max };
}

async function picture(
  maps: readonly AttentionMap[],
  format: 'svg' | 'png',
  options: PictureOptions,
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
