import { Command } from 'commander';
import { QkvError } from '../../src/base/errors.ts';
import { modelArgument } from './openPretrained.ts';
import { oneOf, realNumber, wholeNumber } from './values.ts';

const kinds = ['encoder', 'decoder', 'cross'] as const;

interface Options {
  target?: string;
  pair?: string;
  kind?: (typeof kinds)[number];
  layer?: number;
  head?: number | 'mean';
  grid?: boolean;
  out?: string;
  max?: number;
  json?: boolean;
  page?: boolean;
  port?: number;
  host?: string;
  open?: boolean;
  watch?: boolean;
}

/** What only a picture has, and what only the page. */
const pictureOptions = ['kind', 'layer', 'head', 'grid', 'max', 'out'] as const;
const pageOptions = ['port', 'host', 'open', 'watch'] as const;

export function lookCommand(): Command {
  return new Command()
    .usage('[options] [MODEL...] [TEXT]')
    .argument(
      '[MODEL...]',
      `${modelArgument}; and TEXT, what it reads: with it the attention is drawn here, without it the page is served`,
    )
    .option('--target <text>', "the translation to look at (default: the model's own, greedy)")
    .option('--pair <text>', 'the second text of a pair that an encoder reads')
    .option('--kind <kind>', `${kinds.join(', ')} (default: cross, else decoder)`, oneOf('--kind', kinds))
    .option('--layer <n>', 'counted from 0 (default: the last)', wholeNumber('--layer', { min: 0 }))
    .option('--head <n>', 'a number from 0 on, or mean, the mean over the heads (default: mean)', headOf)
    .option('--grid', 'all layers and heads, small; with --kind, --layer or --head those of them')
    .option(
      '--max <weight>',
      'the weight drawn darkest (default: the largest)',
      realNumber('--max', { above: 0, max: 1 }),
    )
    .option(
      '--out <file>',
      'write an .svg, a .png, or an .html that shows all of it without a server, instead of drawing in the terminal',
    )
    .option('--page', 'the page with TEXT in it; every argument of the form org/name is a MODEL then')
    .option(
      '--port <n>',
      'where the page is served; 0: any (default: the first free one from 4173 on)',
      wholeNumber('--port', { min: 0, max: 65535 }),
    )
    .option('--host <address>', 'who can reach the page (default: 127.0.0.1, this machine alone)')
    .option('--open', 'open the page in the browser')
    .option('--watch', 'the curves of the run in the folder MODEL, which may be going on in another process')
    .option('--json', 'print tokens and weights, or the address of the page, as JSON')
    .addHelpText(
      'after',
      [
        '',
        'Without TEXT: a page in which one reads along, follows a token through the model, and breaks heads. All of it is computed in',
        'the browser; nothing leaves the machine. Ctrl-C ends it. Without MODEL too it has the models that come with qkv.',
        'An argument after the first is a MODEL where it is a folder with one or a .gguf file, else it is TEXT.',
        '',
        'In the heatmap a row shows where its token looks. The row of a target token is the attention with which the next is chosen.',
        '',
        'Examples:',
        '  qkv look runs/tatoeba-en-zh',
        '  qkv look runs/tatoeba-en-zh "Where is the station?"',
        '  qkv look runs/tatoeba-en-zh "Where is the station?" --grid --out attention.png',
        '  qkv look runs/tatoeba-en-zh "Where is the station?" --out attention.html',
        '  qkv look runs/shakespeare "To be, or not to be" --layer 0 --head 2',
        '  qkv look models/bert-zh "房间很干净。" --pair "下次还会住这家酒店。"',
        '  qkv look runs/shakespeare runs/shakespeare-llama "To be, or not to be" --page --open',
      ].join('\n'),
    )
    .action(look);
}

function headOf(text: string): number | 'mean' {
  if (text === 'mean') return 'mean';
  if (/^\d+$/.test(text)) return Number(text);
  throw new QkvError('usage', { where: '--head', got: JSON.stringify(text), expected: 'a number from 0 on, or mean' });
}

async function look(words: readonly string[], options: Options): Promise<void> {
  const { isModelHere } = await import('./page/servedModels.ts');
  const { parseHubName } = await import('../../src/hub/hubName.ts');
  const isModel = (word: string): boolean =>
    isModelHere(word) || (options.page === true && parseHubName(word) !== undefined);
  const end = words.findIndex((word, i) => i > 0 && !isModel(word));
  const models = words.slice(0, end === -1 ? words.length : end);
  const [text, ...more] = words.slice(models.length);
  if (more.length > 0) {
    throw new QkvError('usage', {
      where: 'qkv look',
      got: `${JSON.stringify(text)} and ${JSON.stringify(more[0])}`,
      expected: 'models, and one TEXT at the end',
      hint: 'Put a text of several words in quotes',
    });
  }
  const isPage = text === undefined || options.page === true;
  const useless = (isPage ? pictureOptions : pageOptions).find((name) => options[name] !== undefined);
  if (useless !== undefined) {
    const got =
      text === undefined ? 'no TEXT' : isPage ? '--page as well' : `a TEXT, ${JSON.stringify(text)}, which is no model`;
    const expected = isPage ? 'a TEXT to draw, without --page' : '--page as well, or no TEXT';
    throw new QkvError('usage', { where: `--${useless}`, got, expected });
  }
  if (isPage) {
    const { lookPage } = await import('./page/lookPage.ts');
    return lookPage(models, text, options);
  }
  if (models.length > 1) {
    const expected = 'one MODEL for a picture; --page shows several';
    throw new QkvError('usage', { where: 'qkv look', got: `${models.length} models`, expected });
  }
  if (options.out !== undefined && /\.html?$/i.test(options.out)) {
    const partial = (['kind', 'layer', 'head', 'grid', 'max', 'json'] as const).find(
      (name) => options[name] !== undefined,
    );
    if (partial !== undefined) {
      const got = `--out ${options.out} as well`;
      throw new QkvError('usage', {
        where: `--${partial}`,
        got,
        expected: 'a picture: the file has all layers and heads',
      });
    }
    const { lookHtml } = await import('./lookHtml.ts');
    return lookHtml(models[0]!, { text, target: options.target, pair: options.pair }, options.out);
  }
  const { lookPicture } = await import('./lookPicture.ts');
  return lookPicture(models[0]!, text, options);
}
