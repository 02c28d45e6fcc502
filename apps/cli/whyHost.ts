import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { QkvError } from '../../src/base/errors.ts';
import type { ExperimentHost } from '../../src/why/experiment.ts';
import { packageRoot } from './packageRoot.ts';

/** What experiments ask of a machine, by Node. */
export const whyHost: ExperimentHost = {
  now: () => performance.now(),
  readText: (path) => {
    const file = join(packageRoot(), 'data', path);
    return readFile(file, 'utf8').catch((cause: Error) => {
      throw new QkvError('io', { where: file, got: cause.message, expected: 'a text that comes with qkv', cause });
    });
  },
  // engine threads are threads of this process: its memory is theirs
  peakMemory: async (work) => {
    const before = process.memoryUsage.rss();
    let most = before;
    const look = (): void => {
      most = Math.max(most, process.memoryUsage.rss());
    };
    const timer = setInterval(look, 1);
    try {
      await work();
    } finally {
      clearInterval(timer);
    }
    look();
    return most - before;
  },
};
