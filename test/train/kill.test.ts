import { type ChildProcess, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { TinyRecipe } from './tinyRecipe.ts';

const main = new URL('../../apps/cli/main.ts', import.meta.url).pathname;

function qkvTrain(tiny: TinyRecipe, output: string, ...more: string[]): ChildProcess {
  const args = [main, 'train', tiny.file('translation'), '--set', `output=${output}`, '--set', 'train.steps=60'];
  const sets = ['train.saveEvery=3', 'train.validateEvery=10', 'evaluate.sentences=1'].flatMap((one) => ['--set', one]);
  return spawn(process.execPath, [...args, ...sets, ...more], { stdio: ['ignore', 'pipe', 'pipe'] });
}

async function ended(child: ChildProcess): Promise<void> {
  let errors = '';
  child.stderr!.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  child.stdout!.resume();
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0 && child.signalCode === null) throw new Error(errors);
}

function sha(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex');
}

it('a process killed at random moments and resumed ends with the weights of one that was not', async () => {
  using tiny = new TinyRecipe();
  const whole = join(tiny.folder, 'whole');
  await ended(qkvTrain(tiny, whole));

  const output = join(tiny.folder, 'killed');
  let kills = 0;
  // A little after some line of its report: a kill before the first leaves nothing to resume.
  for (let attempt = 0; attempt < 8 && kills < 3; attempt++) {
    const child = qkvTrain(tiny, output, ...(existsSync(join(output, 'recipe.yaml')) ? ['--resume'] : []));
    const done = ended(child);
    let lines = 1 + Math.floor(6 * Math.random());
    child.stdout!.on('data', () => {
      if (--lines === 0) setTimeout(() => child.kill('SIGKILL'), 100 * Math.random());
    });
    await done;
    if (child.signalCode === 'SIGKILL') kills++;
    else break; // it came to its end before
  }
  expect(kills).toBeGreaterThan(0);
  await ended(qkvTrain(tiny, output, '--resume'));
  expect(sha(join(output, 'model', 'model.safetensors'))).toBe(sha(join(whole, 'model', 'model.safetensors')));
  const steps = tiny.metrics(output).filter((line) => line.loss !== undefined);
  expect(steps.map(({ step, loss }) => [step, loss])).toEqual(
    tiny
      .metrics(whole)
      .filter((line) => line.loss !== undefined)
      .map(({ step, loss }) => [step, loss]),
  );
}, 120_000);

it('Ctrl-C saves and says how to go on', async () => {
  using tiny = new TinyRecipe();
  const child = qkvTrain(tiny, tiny.output, '--set', 'train.steps=100000', '--set', 'train.validateEvery=100000');
  let errors = '';
  child.stderr!.on('data', (chunk: Buffer) => {
    errors += chunk.toString();
  });
  const closed = once(child, 'close');
  child.stdout!.on('data', (chunk: Buffer) => {
    if (chunk.toString().includes('step 1/')) child.kill('SIGINT');
  });
  const [code] = await closed;
  expect(code).toBe(130);
  const step = Number(/saved at step (\d+)/.exec(errors)?.[1]);
  expect(errors).toContain('--resume');
  expect(existsSync(join(tiny.output, `step-${String(step).padStart(6, '0')}`, 'manifest.json'))).toBe(true);
  expect(existsSync(join(tiny.output, 'run.lock'))).toBe(false);
}, 60_000);
