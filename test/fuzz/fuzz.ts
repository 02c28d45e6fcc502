import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { fuzzInput } from './fuzzInput.ts';
import { parsers } from './parsers.ts';

export interface FuzzTask {
  readonly names: readonly string[];
  /** How many for each parser, from number `from` on. */
  readonly inputs: number;
  readonly from: number;
  readonly seed: number;
}

export interface FuzzFailure {
  readonly index: number;
  readonly problem: string;
}

export interface FuzzReport {
  readonly name: string;
  readonly seed: number;
  readonly inputs: number;
  readonly refused: number;
  readonly read: number;
  /** Bytes of the largest array that was made. */
  readonly largest: number;
  readonly failure?: FuzzFailure;
}

/** An input that takes longer has found an endless loop, or one that is not in proportion to the file. */
const hangSeconds = 30;
/** Of a thread's heap, for inputs of some kilobytes. */
const heapMiB = 512;

/**
 * Gives damaged files to parsers, in a thread. Each must be read or refused by a QkvError of the parser's codes, without
 * arrays beyond a multiple of the files' bytes, a full heap or a loop that does not end. A parser stops at its first failure.
 */
export async function fuzz(task: FuzzTask, onReport: (report: FuzzReport) => void = () => {}): Promise<FuzzReport[]> {
  const reports: FuzzReport[] = [];
  const progress = new Int32Array(new SharedArrayBuffer(8));
  const worker = new Worker(new URL('./fuzzWorker.ts', import.meta.url), {
    workerData: { ...task, progress },
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: heapMiB },
  });
  const failed = (problem: string): void => {
    const [number, index] = [Atomics.load(progress, 0), Atomics.load(progress, 1)];
    const name = task.names[number]!;
    const report = { name, seed: task.seed, inputs: index - task.from + 1, refused: 0, read: 0, largest: 0 };
    reports.push({ ...report, failure: { index, problem } });
  };
  await new Promise<void>((done) => {
    let last = '';
    let since = Date.now();
    const watch = setInterval(() => {
      const now = progress.join();
      if (now !== last) [last, since] = [now, Date.now()];
      else if (Date.now() - since > 1000 * hangSeconds) {
        failed(`it takes more than ${hangSeconds} seconds`);
        void worker.terminate();
      }
    }, 1000);
    worker.on('message', (report: FuzzReport) => {
      reports.push(report);
      onReport(report);
    });
    worker.on('error', (error) => failed(String(error)));
    worker.on('exit', () => {
      clearInterval(watch);
      done();
    });
  });
  return reports;
}

/** A failure in words, with what brings it about again; writes the input to a folder. */
export function describeFailure({ name, seed, failure }: FuzzReport): string {
  const { files, seed: original } = fuzzInput(parsers[name]!, seed, failure!.index);
  const file = join(mkdtempSync(join(tmpdir(), 'qkv-fuzz-')), original.file);
  writeFileSync(file, files[original.file]!);
  const again = `npm run fuzz -- ${name} --seed ${seed} --from ${failure!.index} --inputs 1`;
  return `${name}: ${failure!.problem}\n  input: ${file}\n  again: ${again}`;
}
