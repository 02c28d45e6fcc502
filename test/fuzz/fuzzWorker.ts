/** The thread in which `fuzz` runs a parser, so that an endless loop or a lack of memory ends the thread alone. */
import { parentPort, workerData } from 'node:worker_threads';
import { memoryStorage } from '../checkpoint/memoryStorage.ts';
import { countAllocations, largestAllocation } from './countAllocations.ts';
import type { FuzzFailure, FuzzReport, FuzzTask } from './fuzz.ts';
import { fuzzInput } from './fuzzInput.ts';
import { type Parser, parsers } from './parsers.ts';
import { refusedOr } from './refusal.ts';

/** What an array may have beside its share of the file: tables of fixed size, the least memory of an arena. */
const fixedBytes = 1 << 21;

const { names, inputs, seed, from, progress } = workerData as FuzzTask & { readonly progress: Int32Array };
countAllocations();
for (const [number, name] of names.entries()) {
  const report = { name, seed, inputs: 0, refused: 0, read: 0, largest: 0 };
  let failure: FuzzFailure | undefined;
  for (let index = from; index < from + inputs && !failure; index++) {
    Atomics.store(progress, 0, number);
    Atomics.store(progress, 1, index);
    failure = await runInput(parsers[name]!, index, report);
    report.inputs++;
  }
  parentPort!.postMessage({ ...report, ...(failure && { failure }) } satisfies FuzzReport);
}

async function runInput(
  parser: Parser,
  index: number,
  report: { refused: number; read: number; largest: number },
): Promise<FuzzFailure | undefined> {
  const input = fuzzInput(parser, seed, index);
  const storage = memoryStorage(input.files);
  const bytes = Object.values(input.files).reduce((sum, file) => sum + file.length, 0);
  largestAllocation();
  try {
    const isRead = await refusedOr(parser.codes, async () => {
      await parser.run(storage, input.seed.file);
      return true;
    });
    report[isRead ? 'read' : 'refused']++;
  } catch (error) {
    return { index, problem: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  const largest = largestAllocation();
  report.largest = Math.max(report.largest, largest);
  if (largest <= fixedBytes + (parser.widening ?? 16) * bytes) return undefined;
  return { index, problem: `an array of ${largest} bytes for files of ${bytes}` };
}
