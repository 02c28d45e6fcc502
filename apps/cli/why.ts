import { writeFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { Command } from 'commander';
import { QkvError } from '../../src/base/errors.ts';
import type { Findings } from '../../src/why/experiment.ts';
import { formatFindings, type Language, languages } from '../../src/why/format.ts';
import { experimentNames, loadExperiment } from '../../src/why/registry.ts';
import { Interrupted } from './errors.ts';
import { interruptSignal } from './interrupt.ts';
import { Progress } from './progress.ts';
import { oneOf, wholeNumber } from './values.ts';
import { whyHost } from './whyHost.ts';

interface Options {
  seed: number;
  lang: Language;
  out?: string;
  quick?: boolean;
  json?: boolean;
}

export function whyCommand(): Command {
  return new Command()
    .argument('<NAME>', `all, or one of ${experimentNames.join(', ')}`)
    .option('--seed <n>', 'where its random numbers start', wholeNumber('--seed', { min: 0 }), 1)
    .option('--lang <language>', 'en or zh', oneOf('--lang', languages), 'en')
    .option(
      '--out <file>',
      'where the picture goes, an .svg or a .png, or the findings as .json (default: why-NAME.svg)',
    )
    .option('--quick', 'a few steps only: to see how an experiment goes, not what it shows')
    .option('--json', 'print the findings as JSON, a line for each experiment; a picture only with --out')
    .addHelpText(
      'after',
      [
        '',
        'Why attention is as it is, as small experiments: each trains and measures for up to three minutes on two cores, prints its',
        'figures and what they say about each claim, and writes its pictures. With all, the name of an experiment goes into that of its file.',
        '',
        'Examples:',
        '  qkv why scale',
        '  qkv why positions --lang zh --out positions.png',
        '  qkv why all --out findings.json',
      ].join('\n'),
    )
    .action(why);
}

async function why(name: string, options: Options): Promise<void> {
  const ending = options.out === undefined ? undefined : extname(options.out).toLowerCase();
  if (ending !== undefined && !['.svg', '.png', '.json'].includes(ending)) {
    const expected = 'a name that ends in .svg, .png or .json';
    throw new QkvError('usage', { where: '--out', got: options.out!, expected });
  }
  const isAll = name === 'all';
  const experiments = await Promise.all((isAll ? experimentNames : [name]).map(loadExperiment));
  const signal = interruptSignal();
  const { createNodeRuntime } = await import('../../src/runtime/node/node.ts');
  // two lanes everywhere: sums are taken in an order that follows from their number
  await using runtime = await createNodeRuntime({ lanes: 2, threads: 1 });
  for (const experiment of experiments) {
    using progress = new Progress(experiment.name, 100);
    const findings = await experiment
      .run({
        runtime,
        seed: options.seed,
        host: whyHost,
        isQuick: options.quick ?? false,
        stop: signal,
        onProgress: (done, note) => progress.update(Math.round(100 * done), note),
      })
      .catch((error: unknown) => {
        throw signal.aborted ? new Interrupted() : error;
      });
    progress[Symbol.dispose]();
    process.stdout.write(options.json ? `${JSON.stringify(findings)}\n` : formatFindings(findings, options.lang));
    const file = fileOf(experiment.name, isAll, options);
    if (file === undefined) continue;
    await write(file, findings, options.lang);
    // standard output is JSON alone where that was asked for
    (options.json ? process.stderr : process.stdout).write(`${file}\n`);
  }
}

/** Where the picture goes: `--out`, with the experiment's name in it where there are several. */
function fileOf(name: string, isAll: boolean, { out, json }: Options): string | undefined {
  if (out === undefined) return json ? undefined : `why-${name}.svg`;
  const ending = extname(out);
  return isAll ? `${out.slice(0, -ending.length)}-${name}${ending}` : out;
}

async function write(file: string, findings: Findings, language: Language): Promise<void> {
  await writeFile(file, await contentOf(file, findings, language)).catch((cause: Error) => {
    throw new QkvError('io', { where: file, got: cause.message, expected: 'a file that can be written', cause });
  });
}

async function contentOf(file: string, findings: Findings, language: Language): Promise<string | Uint8Array> {
  const ending = extname(file).toLowerCase();
  if (ending === '.json') return `${JSON.stringify(findings, null, 1)}\n`;
  const { drawFindings } = await import('../../src/why/picture.ts');
  if (ending === '.svg') return drawFindings(findings, language);
  const { drawnPng } = await import('../../src/draw/png.node.ts');
  return drawnPng((glyphs) => drawFindings(findings, language, glyphs));
}
