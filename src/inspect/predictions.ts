import { QkvError } from '../base/errors.ts';
import { float32, type HostTensor } from '../base/tensor.ts';
import type { Model } from '../models/model.ts';
import type { EditedReading, Edits } from './edits.ts';
import type { Inspection } from './inspection.ts';
import type { Reading } from './reading.ts';
import { scoreWords, type WordScores } from './wordHead.ts';

export interface PredictionOptions {
  readonly edits?: Edits;
  /** Tokens for each position; 5 when left out. */
  readonly top?: number;
  /** Of the probabilities and of the entropy; 1 when left out. */
  readonly temperature?: number;
  /** Which; all when left out. */
  readonly positions?: readonly number[];
  /** A token for each of the positions, of which the loss is; `targetsOf` when left out. */
  readonly targets?: readonly (number | null)[];
}

export interface Predictions extends WordScores {
  readonly positions: readonly number[];
}

/**
 * What the model says at each position: of a decoder the token after it, of an encoder the one that stands there.
 *
 * @throws QkvError `usage` for an encoder without a masked-LM head
 */
export async function predictions(
  inspection: Inspection,
  reading: Reading,
  { edits = {}, top = 5, temperature = 1, positions, targets }: PredictionOptions = {},
): Promise<Predictions> {
  requireCount('top', top);
  if (!(temperature > 0 && Number.isFinite(temperature))) {
    throw new QkvError('usage', { where: 'temperature', got: `${temperature}`, expected: 'a number above 0' });
  }
  const chosen = checkedPositions(reading, positions);
  const known = targetsOf(inspection.model, reading);
  const wanted = targets ?? chosen.map((position) => known[position]!);
  if (wanted.length !== chosen.length) {
    const expected = `${chosen.length}, one for each position`;
    throw new QkvError('usage', { where: 'targets', got: `${wanted.length}`, expected });
  }
  const [rows] = await outputRows(inspection, [{ reading, edits }]);
  const scores = await scoreWords(inspection, pickRows(rows!, chosen), { top, temperature, targets: wanted });
  return { positions: chosen, ...scores };
}

/** The token that is known to come at each position: the next one, null after the last; of an encoder the one there. */
export function targetsOf({ kind }: Model, { ids }: Reading): (number | null)[] {
  return kind === 'encoder' ? [...ids] : ids.map((_, i) => ids[i + 1] ?? null);
}

/** The loss of each token, −log P(token), nats: at the position whose prediction it is. */
export async function tokenLosses(
  inspection: Inspection,
  reading: Reading,
  edits: Edits = {},
): Promise<{ readonly loss: readonly (number | null)[]; readonly mean: number }> {
  const { loss } = await predictions(inspection, reading, { edits, top: 1 });
  const known = loss.filter((one) => one !== null);
  return { loss, mean: known.reduce((sum, one) => sum + one, 0) / known.length };
}

/** What the output layer gets of each reading: [T, D]. */
export async function outputRows(inspection: Inspection, batch: readonly EditedReading[]): Promise<HostTensor[]> {
  const task = { label: 'output', outputs: ({ graph }: Inspection['pass']) => ({ rows: graph.outputs['rows']! }) };
  const { rows } = await inspection.run(task, batch);
  const [total, width] = rows!.shape as [number, number];
  const length = total / batch.length;
  return batch.map((_, b) => {
    const part = rows!.data.subarray(b * length * width, (b + 1) * length * width);
    return float32([length, width], part as Float32Array);
  });
}

/** Some of the rows of [T, D]. */
export function pickRows({ shape, data }: HostTensor, positions: readonly number[]): HostTensor {
  const width = shape[1]!;
  const picked = new Float32Array(positions.length * width);
  positions.forEach((position, i) => {
    picked.set(data.subarray(position * width, (position + 1) * width), i * width);
  });
  return float32([positions.length, width], picked);
}

/** @throws QkvError `usage` for positions that a reading does not have */
export function checkedPositions({ ids }: Reading, positions: readonly number[] | undefined): readonly number[] {
  const wrong = positions?.find((position) => !Number.isInteger(position) || position < 0 || position >= ids.length);
  if (wrong !== undefined) {
    throw new QkvError('usage', { where: 'positions', got: `${wrong}`, expected: `from 0 to ${ids.length - 1}` });
  }
  return positions ?? ids.map((_, i) => i);
}

export function requireCount(where: string, count: number): void {
  if (Number.isSafeInteger(count) && count > 0) return;
  throw new QkvError('usage', { where, got: `${count}`, expected: 'a whole number from 1 on' });
}
