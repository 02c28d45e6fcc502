import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { QkvError } from '../../src/base/errors.ts';
import { nearest } from '../../src/recipe/nearest.ts';
import type { Recipe } from '../../src/recipe/recipe.ts';
import { Interrupted } from './errors.ts';
import { interruptSignal } from './interrupt.ts';
import { withHub } from './openPretrained.ts';
import { packageRoot } from './packageRoot.ts';
import { wholeNumber } from './values.ts';
import type { ServedWatch } from './watch/serveWatch.ts';

interface Options {
  set: string[];
  resume?: boolean;
  overwrite?: boolean;
  json?: boolean;
  watch?: boolean;
  watchText?: string;
  watchTarget?: string;
  port?: number;
}

export function trainCommand(): Command {
  return new Command()
    .argument('<RECIPE>', `a recipe's file, or the name of one that comes with qkv: ${builtInRecipes().join(', ')}`)
    .option(
      '--set <key=value>',
      'put a value in place of the recipe’s, e.g. train.steps=100; may be given several times',
      (value: string, before: string[]) => [...before, value],
      [],
    )
    .option('--resume', "go on with the run in the recipe's output folder")
    .option('--overwrite', 'move a run that is in the output folder aside and start anew')
    .option('--watch', 'serve a page with the run as it goes: curves, samples, the attention of a text')
    .option('--watch-text <text>', 'the text whose attention is shown (default: one of the validation data)')
    .option('--watch-target <text>', 'its target, of a model that makes a target of a source')
    .option(
      '--port <n>',
      'where the page is served; 0: any (default: the first free one from 4173 on)',
      wholeNumber('--port', { min: 0, max: 65535 }),
    )
    .option('--json', 'print each event as a line of JSON')
    .addHelpText(
      'after',
      '\nCtrl-C saves and ends the run; --resume goes on with it exactly. A second Ctrl-C ends at once.\n\nExamples:\n  qkv train shakespeare --set train.steps=500 --set output=runs/short\n  qkv train tatoeba-en-zh --watch',
    )
    .action(train);
}

async function train(name: string, options: Options): Promise<void> {
  const { set, resume = false, overwrite = false, json = false } = options;
  const stop = interruptSignal();
  const [{ loadRecipe }, { trainingRuntime }, { trainRecipe }, { TrainingReport, sampleText }] = await Promise.all([
    import('../../src/recipe/loadRecipe.node.ts'),
    import('./trainingRuntime.ts'),
    import('../../src/train/trainRecipe.node.ts'),
    import('./trainingReport.ts'),
  ]);
  const file = recipeFile(name);
  const recipe = loadRecipe(file, set);
  await using watching = await watch(recipe.task, options);
  await using runtime = await trainingRuntime(recipe);
  const report = new TrainingReport(process.stdout);
  const print = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`);
  const work = withHub((hub) =>
    trainRecipe(runtime, recipe, {
      resume,
      overwrite,
      stop,
      hub,
      onEvent: (event) => {
        watching?.onEvent(event);
        if (!json) report.show(event);
        else if (event.kind !== 'step' || event.logged) print(event);
      },
      ...(watching && { onWeights: (live) => watching.onWeights(live) }),
    }),
  ).finally(() => report.end());
  const run = await (watching ? watching.during(work) : work);
  if (run.reason === 'interrupted') {
    const options = set.map((one) => ` --set '${one}'`).join('');
    process.stderr.write(`saved at step ${run.step}. Go on with:\n  qkv train ${name}${options} --resume\n`);
    throw new Interrupted();
  }
  if (json) return print({ kind: 'end', ...run });
  for (const sample of run.test?.samples ?? []) process.stdout.write(`${sampleText(sample)}\n`);
  const why = { steps: 'all steps done', minutes: 'the time is over', 'early-stopping': 'no better any more' }[
    run.reason
  ];
  const best = run.best === null ? '' : `, best at step ${run.best.step}`;
  process.stdout.write(`${why} at step ${run.step}${best}. The model: ${run.modelFolder}\n`);
}

/** The page that the run is watched on, where one is wanted. @throws QkvError `usage`, `io` */
async function watch(task: Recipe['task'], options: Options): Promise<ServedWatch | undefined> {
  const { watchText: text, watchTarget: target, port } = options;
  const flags = { '--watch-text': text, '--watch-target': target, '--port': port };
  const given = Object.entries(flags).find(([, value]) => value !== undefined)?.[0];
  if (!options.watch) {
    if (given === undefined) return undefined;
    throw new QkvError('usage', { where: given, got: 'no --watch', expected: '--watch as well' });
  }
  const isPair = task === 'translation' || task === 'denoising';
  if ((target !== undefined) !== (isPair && text !== undefined)) {
    throw new QkvError('usage', {
      where: target === undefined ? '--watch-text' : '--watch-target',
      got: target === undefined ? 'no --watch-target' : text === undefined ? 'no --watch-text' : `the task ${task}`,
      expected: isPair ? 'a text and its target' : 'a task with sources and targets',
    });
  }
  const { serveWatch } = await import('./watch/serveWatch.ts');
  return serveWatch(task, { ...(text !== undefined && { text }), ...(target !== undefined && { target }), port });
}

/** A path, or `recipes/NAME.yaml` of the package. */
export function recipeFile(name: string): string {
  if (existsSync(name) || /[/\\]|\.ya?ml$/.test(name)) return name;
  const names = builtInRecipes();
  if (names.includes(name)) return join(packageRoot(), 'recipes', `${name}.yaml`);
  const meant = nearest(name, names);
  throw new QkvError('usage', {
    where: 'RECIPE',
    got: name,
    expected: `a file, or one of ${names.join(', ')}`,
    ...(meant !== undefined && { hint: `Did you mean ${meant}?` }),
  });
}

function builtInRecipes(): string[] {
  return readdirSync(join(packageRoot(), 'recipes'))
    .filter((file) => file.endsWith('.yaml'))
    .map((file) => file.slice(0, -'.yaml'.length));
}
