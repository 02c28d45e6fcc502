import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { Command } from 'commander';
import type { AttentionMap } from '../../src/draw/attention-map.ts';
import { drawPng } from '../../src/draw/png.node.ts';
import { bleu } from '../../src/eval/bleu.ts';
import { generate } from '../../src/generate/generate.ts';
import { captureAttention, headWeights } from '../../src/inspect/attention.ts';
import { loadRecipe } from '../../src/recipe/loadRecipe.node.ts';
import type { TranslationRecipe } from '../../src/recipe/recipe.ts';
import { readPairs } from '../../src/train/recipeData.node.ts';
import { freeName } from '../../src/train/runFolder.node.ts';
import { trainRecipe } from '../../src/train/trainRecipe.node.ts';
import { exitOnBrokenPipe, Interrupted, reportError } from './errors.ts';
import { interruptSignal } from './interrupt.ts';
import { openRunning, type RunningModel } from './openRunning.ts';
import { packageRoot } from './packageRoot.ts';
import { sampleText, TrainingReport } from './trainingReport.ts';
import { trainingRuntime } from './trainingRuntime.ts';
import { realNumber } from './values.ts';

/*
 * `npm start`: the project in five minutes. Trains a small Transformer on the Tatoeba pairs that come with it, scores it on
 * sentences that it has not seen, shows some of them, and draws where it looked.
 */

const RECIPE = 'recipes/tatoeba-en-zh.yaml';
/** Minutes of the time that are kept for the last validation, the test and the picture. */
const rest = (minutes: number): number => 0.15 + 0.08 * minutes;
const SHOWN = 5;

async function start({ minutes }: { minutes: number }): Promise<void> {
  const began = performance.now();
  const secondsLeft = (): number => 60 * minutes - (performance.now() - began) / 1000;
  const stop = interruptSignal();
  const first = join(process.cwd(), 'runs', 'tatoeba-en-zh');
  const output = existsSync(first) ? freeName(first) : first;
  const sets = [`output=${output}`, `train.minutes=${minutes - rest(minutes)}`, 'data.test=null'];
  const recipe = loadRecipe(join(packageRoot(), RECIPE), sets) as TranslationRecipe;
  say(`English to Chinese in ${minutes} minutes, by ${RECIPE}. Ctrl-C saves and ends.\n`);

  const report = new TrainingReport(process.stdout);
  const run = await train(recipe, report, stop).finally(() => report.end());
  if (run.modelFolder === undefined) {
    const options = sets.map((one) => ` --set '${one}'`).join('');
    say(`\nSaved at step ${run.step}. Go on with:\n  npm run qkv -- train ${RECIPE}${options} --resume`);
    throw new Interrupted();
  }

  await using model = await openRunning(run.modelFolder);
  const { train: seen, test } = await readPairs({
    ...recipe,
    data: {
      ...recipe.data,
      test: join(packageRoot(), 'data', 'tatoeba-en-zh', 'test.tsv'),
    } as TranslationRecipe['data'],
  });
  const outputs: string[] = [];
  const batch = 64;
  // As many as the time allows; the picture takes a few seconds.
  while (outputs.length < test.length && (outputs.length === 0 || secondsLeft() > 8)) {
    if (stop.aborted) throw new Interrupted();
    const sources = test.slice(outputs.length, outputs.length + batch).map(({ source }) => source);
    outputs.push(...(await translate(model, sources)));
  }
  const references = test.slice(0, outputs.length).map(({ target }) => target);
  const score = bleu(outputs, references, { tokenize: 'zh' });
  const part = outputs.length === test.length ? 'all' : 'the first';
  say(`\nTest: BLEU ${score.score.toFixed(2)} on ${part} ${outputs.length} sentences (${score.signature})`);

  const known = new Set(seen.map(({ source }) => source));
  const shown = outputs.map((_, i) => i).filter((i) => isWorthShowing(test[i]!.source) && !known.has(test[i]!.source));
  say('\nSentences that it never saw:');
  for (const i of shown.slice(0, SHOWN)) {
    say(`${sampleText({ input: test[i]!.source, output: outputs[i]!, reference: test[i]!.target })}\n`);
  }
  const chosen = shown[0] ?? 0;
  const picture = join(output, 'attention.png');
  await writeFile(picture, await drawPng(await crossAttention(model, test[chosen]!.source)));
  say(`Where it looked while it wrote the first of them: ${relative(process.cwd(), picture)}`);
  say(`The model: ${relative(process.cwd(), run.modelFolder)}`);
  say(`  npm run qkv -- translate ${relative(process.cwd(), run.modelFolder)} "I like music."`);
  say('See it think, and break it, in the browser:');
  say(`  npm run qkv -- look ${relative(process.cwd(), output)}`);
}

async function train(
  recipe: TranslationRecipe,
  report: TrainingReport,
  stop: AbortSignal,
): ReturnType<typeof trainRecipe> {
  await using runtime = await trainingRuntime(recipe);
  return await trainRecipe(runtime, recipe, { stop, onEvent: (event) => report.show(event) });
}

async function translate(
  { session, tokenizer, defaults }: RunningModel,
  sources: readonly string[],
): Promise<string[]> {
  const ids = sources.map((text) => tokenizer.encode(text, { maxLength: session.model.maxLength }).ids);
  const results = await generate(session, ids, defaults);
  return results.map(([best]) => tokenizer.decode(best!.ids, { skipSpecialTokens: true }));
}

/** The decoder's last layer, the mean over its heads; a row is named by the token that was chosen there. */
async function crossAttention({ session, tokenizer, defaults }: RunningModel, source: string): Promise<AttentionMap> {
  const sourceIds = tokenizer.encode(source).ids;
  const [results] = await generate(session, [sourceIds], defaults);
  const written = results![0]!.ids;
  const layers = await captureAttention(session, sourceIds, written.slice(0, -1));
  const last = layers.findLast(({ kind }) => kind === 'cross')!;
  const text = (id: number): string => tokenizer.idToToken(id) ?? `#${id}`;
  return {
    title: `${source} → ${tokenizer.decode([...written], { skipSpecialTokens: true })}`,
    kind: 'cross',
    layer: last.layer,
    head: 'mean',
    queryTokens: written.map(text),
    keyTokens: last.keyIds.map(text),
    weights: headWeights(last, 'mean'),
  };
}

/** Long enough to have something to translate, short enough for a picture. */
function isWorthShowing(source: string): boolean {
  const words = source.split(' ').length;
  return words >= 5 && words <= 10;
}

function say(text: string): void {
  process.stdout.write(`${text}\n`);
}

exitOnBrokenPipe();
try {
  await new Command('npm start --')
    .description('Trains a small Transformer on English–Chinese pairs, scores it and draws its attention.')
    .option('--minutes <n>', 'for everything', realNumber('--minutes', { above: 0.2, max: 600 }), 5)
    .action(start)
    .parseAsync();
} catch (error) {
  process.exitCode = reportError(error, false);
}
