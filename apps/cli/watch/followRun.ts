import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { StringDecoder } from 'node:string_decoder';
import { setTimeout } from 'node:timers/promises';
import { QkvError } from '../../../src/base/errors.ts';
import { parseRecipe } from '../../../src/recipe/parseRecipe.ts';
import type { WatchEvent } from '../../web/src/watch/events.ts';
import { eventOfLine } from './runHistory.ts';
import type { WatchLog } from './watchLog.ts';

const POLL_MS = 500;

type Run = Extract<WatchEvent, { kind: 'run' }>;

/** What the recipe in the folder of a run says of it. @throws QkvError `io`, `recipe` where it is no such folder */
export async function runOf(folder: string): Promise<Run> {
  const file = join(folder, 'recipe.yaml');
  const text = await readFile(file, 'utf8').catch((cause: Error) => {
    throw new QkvError('io', { where: file, got: cause.message, expected: 'the folder of a training run', cause });
  });
  const { name, task, train } = parseRecipe(text, file);
  return { kind: 'run', name, folder, task, step: 0, ...(train.steps !== null && { steps: train.steps }) };
}

/**
 * Tells of a run by the lines of its metrics.jsonl, which another process may be writing, until the signal is aborted. Where lines
 * have gone, since the run went on from an earlier step, all is told again.
 */
export async function followRun(run: Run, log: WatchLog, signal: AbortSignal): Promise<void> {
  log.add(run);
  const lines = new GrowingLines(join(run.folder, 'metrics.jsonl'));
  while (!signal.aborted) {
    for await (const line of lines.more()) {
      const event = line === undefined ? run : eventOfLine(line);
      if (event) log.add(event);
    }
    await setTimeout(POLL_MS, undefined, { signal }).catch(() => {});
  }
  await log.end();
}

/** The lines of a file that grows. */
class GrowingLines {
  readonly #path: string;
  #decoder = new StringDecoder('utf8');
  #read = 0;
  #rest = '';

  constructor(path: string) {
    this.#path = path;
  }

  /** Those that are whole and new; undefined before them where the file has become shorter and is read anew. */
  async *more(): AsyncGenerator<string | undefined> {
    const handle = await open(this.#path).catch(() => undefined);
    if (handle === undefined) return; // not yet written
    try {
      const { size } = await handle.stat();
      if (size < this.#read) {
        this.#decoder = new StringDecoder('utf8');
        this.#read = 0;
        this.#rest = '';
        yield undefined;
      }
      if (size === this.#read) return;
      const bytes = Buffer.alloc(size - this.#read);
      const { bytesRead } = await handle.read(bytes, 0, bytes.length, this.#read);
      this.#read += bytesRead;
      const lines = (this.#rest + this.#decoder.write(bytes.subarray(0, bytesRead))).split('\n');
      this.#rest = lines.pop()!;
      yield* lines;
    } finally {
      await handle.close();
    }
  }
}
