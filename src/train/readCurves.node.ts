import { basename, join, resolve } from 'node:path';
import { QkvError } from '../base/errors.ts';
import { readLines } from '../data/files.node.ts';

/** One validation of a run. */
export interface CurvePoint {
  readonly step: number;
  /** Not padding; absent of a run whose tokens were not counted. */
  readonly tokens?: number;
  readonly seconds: number;
  /** Of predicted words where the loss has several terms, in nats a target token. */
  readonly loss: number;
  /** The loss of knowing only how frequent each target is, in nats; absent where targets are no tokens. */
  readonly unigram?: number;
}

export interface RunCurve {
  readonly name: string;
  readonly points: readonly CurvePoint[];
}

interface Line {
  readonly step: number;
  readonly tokens?: number;
  readonly seconds: number;
  readonly validation?: {
    readonly loss: number;
    readonly losses?: { readonly words?: number };
    readonly unigram?: number;
  };
}

/** The validations of runs by their `metrics.jsonl`, each run under its folder's name. @throws QkvError `io`, `data` */
export async function readRunCurves(folders: readonly string[]): Promise<RunCurve[]> {
  const names = folders.map((folder) => basename(resolve(folder)));
  const curves: RunCurve[] = [];
  for (const [i, folder] of folders.entries()) {
    const points: CurvePoint[] = [];
    for await (const { text, file, line } of readLines(join(folder, 'metrics.jsonl'))) {
      const { step, seconds, tokens, validation } = parse(text, `${file}:${line}`);
      if (validation === undefined) continue;
      const { loss, losses, unigram } = validation;
      points.push({
        step,
        seconds,
        ...(tokens !== undefined && { tokens }),
        loss: losses?.words ?? loss,
        ...(unigram !== undefined && { unigram }),
      });
    }
    if (points.length === 0) {
      throw new QkvError('data', { where: folder, got: 'no validation yet', expected: 'a run with one at least' });
    }
    const isUnique = names.indexOf(names[i]!) === names.lastIndexOf(names[i]!);
    curves.push({ name: isUnique ? names[i]! : folder, points });
  }
  return curves;
}

function parse(text: string, where: string): Line {
  try {
    return JSON.parse(text) as Line;
  } catch (cause) {
    throw new QkvError('data', { where, got: (cause as Error).message, expected: 'a line of metrics', cause });
  }
}
