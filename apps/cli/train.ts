import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { Command } from 'commander';
import { QkvError } from '../../src/base/errors.ts';
import { nearest } from '../../src/recipe/nearest.ts';
import { Interrupted } from './errors.ts';
import { interruptSignal } from './interrupt.ts';
import { packageRoot } from './packageRoot.ts';

interface Options {
  set: string[];
  resume?: boolean;
  overwrite?: boolean;
  json?: boolean;
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
    .option('--json', 'print each event as a line of JSON')
    .addHelpText(
      'after',
      '\nCtrl-C saves and ends the run; --resume goes on with it exactly. A second Ctrl-C ends at once.\n\nExample:\n  qkv train shakespeare --set train.steps=500 --set output=runs/short',
    )
    .action(train);
}

async function train(name: string, { set, resume = false, overwrite = false, json = false }: Options): Promise<void> {
  const stop = interruptSignal();
  const [{ loadRecipe }, { trainingRuntime }, { trainRecipe }, { TrainingReport, sampleText }] = await Promise.all([
    import('../../src/recipe/loadRecipe.node.ts'),
    import('./trainingRuntime.ts'),
    import('../../src/train/trainRecipe.node.ts'),
    import('./trainingReport.ts'),
  ]);
  const file = recipeFile(name);
  const recipe = loadRecipe(file, set);
  await using runtime = await trainingRuntime(recipe);
  const report = new TrainingReport(process.stdout);
  const print = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`);
  const run = await trainRecipe(runtime, recipe, {
    resume,
    overwrite,
    stop,
    onEvent: (event) => {
      if (!json) report.show(event);
      else if (event.kind !== 'step' || event.logged) print(event);
    },
  }).finally(() => report.end());
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
