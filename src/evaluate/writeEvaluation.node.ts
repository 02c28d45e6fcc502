import { existsSync, mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { QkvError } from '../base/errors.ts';
import type { Prediction } from './evaluation.ts';

/**
 * Makes the folder for what an evaluation writes: the one that is said, which must be new or empty, or else `eval/MODEL-DATA`, with a
 * number behind it from 2 on where there is one already.
 *
 * @throws QkvError `io` for a folder that has files, or cannot be made
 */
export function claimFolder(out: string | undefined, model: string, data: string): string {
  const folder = out ?? freeFolder(join('eval', `${plainName(model)}-${plainName(data).replace(/\..*$/, '')}`));
  try {
    mkdirSync(folder, { recursive: true });
    if (readdirSync(folder).length === 0) return folder;
  } catch (cause) {
    const got = (cause as Error).message;
    throw new QkvError('io', { where: folder, got, expected: 'a folder that can be written', cause });
  }
  throw new QkvError('io', { where: folder, got: 'a folder that has files', expected: 'a new or an empty one' });
}

/** Takes the folder away again where nothing came of it. */
export function releaseFolder(folder: string): void {
  for (const path of [folder, 'eval']) {
    if (existsSync(path) && readdirSync(path).length === 0) rmdirSync(path);
  }
}

/** Writes `metrics.json` and `predictions.jsonl`, one prediction a line in the order of the records. */
export async function writeEvaluation(
  folder: string,
  report: Readonly<Record<string, unknown>>,
  predictions: readonly Prediction[],
): Promise<void> {
  await writeFile(join(folder, 'metrics.json'), `${JSON.stringify(report, null, 2)}\n`);
  await writeFile(join(folder, 'predictions.jsonl'), predictions.map((one) => `${JSON.stringify(one)}\n`).join(''));
}

function plainName(path: string): string {
  return basename(path).replace(/[^\p{L}\p{N}._-]+/gu, '_');
}

function freeFolder(path: string): string {
  for (let n = 1; ; n++) {
    const folder = n === 1 ? path : `${path}-${n}`;
    if (!existsSync(folder)) return folder;
  }
}
