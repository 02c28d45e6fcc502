import { writeFile } from 'node:fs/promises';
import { extname } from 'node:path';
import { Command } from 'commander';
import { QkvError } from '../../src/base/errors.ts';
import type { Curve, CurvesOptions } from '../../src/draw/curves.ts';
import type { CurvePoint, RunCurve } from '../../src/train/readCurves.node.ts';
import { oneOf } from './values.ts';

const xNames = { steps: 'steps', tokens: 'tokens seen, padding left out', seconds: 'seconds' } as const;
const yNames = {
  loss: 'validation loss, nats a target',
  gain: 'nats a target below the entropy of the targets',
} as const;
type X = keyof typeof xNames;
type Y = keyof typeof yNames;

interface Options {
  x: X;
  y: Y;
  log?: boolean;
  out?: string;
  json?: boolean;
}

export function curvesCommand(): Command {
  return new Command()
    .argument('<RUN...>', 'folders of runs')
    .option('--x <what>', 'steps, tokens or seconds', oneOf('--x', Object.keys(xNames) as X[]), 'steps')
    .option(
      '--y <what>',
      'loss, or gain: how far it is below that of guessing targets by their frequency',
      oneOf('--y', Object.keys(yNames) as Y[]),
      'loss',
    )
    .option('--log', 'a logarithmic x axis')
    .option('--out <file>', 'write an .svg, a .png or a .json instead of drawing in the terminal')
    .option('--json', 'print the points as JSON')
    .addHelpText(
      'after',
      [
        '',
        'Validation losses of several runs in one picture. Losses of different tasks are about different targets: a masked',
        'word is not the next word. --y gain takes off what the frequencies of the targets alone would give.',
        '',
        'Example:',
        '  qkv curves runs/roberta-pretrain runs/gpt-pretrain --x tokens --out curves.svg',
      ].join('\n'),
    )
    .action(run);
}

async function run(folders: readonly string[], options: Options): Promise<void> {
  if (options.json && options.out !== undefined) {
    throw new QkvError('usage', { where: '--json', got: '--out as well', expected: 'one of the two' });
  }
  const ending = options.out === undefined ? undefined : extname(options.out).toLowerCase();
  if (ending !== undefined && !['.svg', '.png', '.json'].includes(ending)) {
    const expected = 'a name that ends in .svg, .png or .json';
    throw new QkvError('usage', { where: '--out', got: options.out!, expected });
  }
  const { readRunCurves } = await import('../../src/train/readCurves.node.ts');
  const runs = await readRunCurves(folders);
  const curves = runs.map((one) => curveOf(one, options));
  const text = `${JSON.stringify({ x: options.x, y: options.y, curves })}\n`;
  if (options.json) process.stdout.write(text);
  else if (options.out === undefined) {
    const { drawCurvesTerminal } = await import('../../src/draw/curves-terminal.ts');
    process.stdout.write(
      drawCurvesTerminal(curves, lookOf(options, runs.length), Math.max(30, process.stdout.columns ?? 100)),
    );
  } else {
    const content = ending === '.json' ? text : await picture(curves, lookOf(options, runs.length), ending!);
    await writeFile(options.out, content).catch((cause: Error) => {
      const expected = 'a file that can be written';
      throw new QkvError('io', { where: options.out!, got: cause.message, expected, cause });
    });
    process.stdout.write(`${options.out}\n`);
  }
}

function lookOf({ x, y, log = false }: Options, runs: number): CurvesOptions {
  return {
    title: y === 'loss' ? 'Validation loss' : 'What a model knows beyond the frequencies of its targets',
    xName: xNames[x],
    yName: yNames[y],
    logX: log,
    ...(runs > 1 && {
      note: 'Runs of different tasks or tokenizers predict different targets: compare each of them with itself.',
    }),
  };
}

function curveOf({ name, points }: RunCurve, { x, y, log = false }: Options): Curve {
  const value = ({ step, tokens, seconds }: CurvePoint): number => {
    if (x !== 'tokens') return x === 'steps' ? step : seconds;
    if (tokens !== undefined) return tokens;
    throw lacks(name, 'no number of tokens in its metrics', 'a run that counted them; --x steps goes without');
  };
  const height = ({ loss, unigram }: CurvePoint): number => {
    if (y === 'loss') return loss;
    if (unigram !== undefined) return unigram - loss;
    throw lacks(name, 'no entropy of its targets in its metrics', 'a run that noted it; --y loss goes without');
  };
  const all = points.map((point) => ({ x: value(point), y: height(point) }));
  return { name, points: log ? all.filter((point) => point.x > 0) : all };
}

function lacks(where: string, got: string, expected: string): QkvError {
  return new QkvError('data', { where, got, expected });
}

async function picture(curves: readonly Curve[], look: CurvesOptions, ending: string): Promise<string | Uint8Array> {
  if (ending === '.svg') return (await import('../../src/draw/curves-svg.ts')).drawCurvesSvg(curves, look);
  return (await import('../../src/draw/png.node.ts')).drawCurvesPng(curves, look);
}
