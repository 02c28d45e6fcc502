import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { statistics } from './measure.ts';

/** Seconds from the start of the process to the first line about a step, five times. */
export async function benchFirstStep(): Promise<object> {
  const seconds: number[] = [];
  for (let i = 0; i < 5; i++) seconds.push(await once());
  return { seconds: statistics(seconds, 2) };
}

async function once(): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'qkv-bench-'));
  const main = resolve(import.meta.dirname, '../apps/cli/main.ts');
  const start = performance.now();
  const child = spawn(process.execPath, [
    main,
    'train',
    'shakespeare',
    '--json',
    '--set',
    `output=${join(folder, 'run')}`,
  ]);
  try {
    for await (const line of createInterface({ input: child.stdout })) {
      if ((JSON.parse(line) as { kind: string }).kind === 'step') return (performance.now() - start) / 1000;
    }
    throw new Error('the run ended without a step');
  } finally {
    const ended = new Promise((done) => child.once('exit', done));
    child.kill('SIGKILL');
    await ended;
    rmSync(folder, { recursive: true, force: true });
  }
}
