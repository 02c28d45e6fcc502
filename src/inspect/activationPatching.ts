import { QkvError } from '../base/errors.ts';
import { type CaptureOptions, capture, matchNames, type NamePattern, valueNames } from './capture.ts';
import type { Edits, ValueEdit } from './edits.ts';
import { liveValues, siteOf } from './hooks.ts';
import type { Inspection } from './inspection.ts';
import type { Reading } from './reading.ts';
import { type Score, scoreInputs, scoreLabel, scoreOf } from './score.ts';

/**
 * What is patched at a time: a value as a whole, at one position, one head of it at all positions, or one head at one
 * position.
 */
export type PatchUnit = 'whole' | 'position' | 'head' | 'head and position';

export interface ActivationPatchingOptions {
  /** Which values, e.g. `**.residualPre`, or `**.context` by head. */
  readonly names: readonly NamePattern[];
  readonly by: PatchUnit;
  readonly score: Score;
  /** Of both runs, besides the patches. */
  readonly edits?: Edits;
  readonly maxBytes?: CaptureOptions['maxBytes'];
  readonly signal?: { throwIfAborted(): void };
  readonly onProgress?: (done: number, total: number) => void;
}

export interface PatchedCell {
  readonly name: string;
  readonly head: number | null;
  readonly position: number | null;
  /** The score of the corrupt text with the clean text's value here. */
  readonly score: number;
  /** 0: as the corrupt text alone; 1: as the clean one. */
  readonly restored: number;
}

export interface ActivationPatching {
  readonly clean: number;
  readonly corrupt: number;
  readonly cells: readonly PatchedCell[];
}

/** Tokens that are worked on together: enough to fill the cores, few enough that memory stays small. */
const BATCH_TOKENS = 1024;

/**
 * Activation patching (Vig et al. 2020; Meng et al. 2022, "causal tracing"): reads the clean text and keeps some values, then
 * reads the corrupt text once for every one of these, with that one put in place of its own, and looks at a score. Texts
 * have equal numbers of tokens. One program runs all patches, many in a batch.
 *
 * @throws QkvError `usage` for texts of different lengths, and where values have no heads or positions to go by
 */
export async function activationPatching(
  inspection: Inspection,
  clean: Reading,
  corrupt: Reading,
  { names: patterns, by, score, edits = {}, maxBytes, signal, onProgress }: ActivationPatchingOptions,
): Promise<ActivationPatching> {
  for (const side of ['ids', 'sourceIds'] as const) {
    const [a, b] = [clean[side]?.length ?? 0, corrupt[side]?.length ?? 0];
    if (a === b) continue;
    throw new QkvError('usage', {
      where: side === 'ids' ? 'texts' : 'sources',
      got: `${a} tokens and ${b}`,
      expected: 'equal numbers of tokens, so that each position has a counterpart',
    });
  }
  const names = matchNames(valueNames(inspection), patterns);
  const values = await capture(inspection, clean, names, { edits, ...(maxBytes !== undefined && { maxBytes }) });
  const places = names.flatMap((name) => placesOfPatch(inspection, clean, name, by));
  const patchOf = ({ name, head, position }: (typeof places)[number]): ValueEdit => ({
    name,
    how: 'patch',
    value: values.get(name)!,
    ...(head !== null && { heads: [head] }),
    ...(position !== null && { positions: [position] }),
  });
  // one set of names, so one program: a text without a patch has it at no position
  const idle = names.map((name): ValueEdit => ({ name, how: 'patch', value: values.get(name)!, positions: [] }));
  const run = async (reading: Reading, patches: readonly (ValueEdit | null)[]): Promise<number[]> => {
    const batch = patches.map((patch) => ({
      reading,
      edits: { ...edits, values: [...(edits.values ?? []), ...idle, ...(patch ? [patch] : [])] },
    }));
    const found = await inspection.run(
      {
        label: `score ${scoreLabel(score)}`,
        outputs: (pass) => ({ score: scoreOf(pass, score) }),
      },
      batch,
      scoreInputs(inspection, reading, score, batch.length),
    );
    return [...found['score']!.data];
  };
  const [cleanScore] = (await run(clean, [null])) as [number];
  const [corruptScore] = (await run(corrupt, [null])) as [number];
  const most = Math.max(1, Math.floor(BATCH_TOKENS / (clean.ids.length + (clean.sourceIds?.length ?? 0))));
  const cells: PatchedCell[] = [];
  for (let start = 0; start < places.length; start += most) {
    signal?.throwIfAborted();
    const part = places.slice(start, start + most);
    const scores = await run(corrupt, part.map(patchOf));
    part.forEach((place, i) => {
      const restored = (scores[i]! - corruptScore) / (cleanScore - corruptScore);
      cells.push({ ...place, score: scores[i]!, restored });
    });
    onProgress?.(cells.length, places.length);
  }
  return { clean: cleanScore, corrupt: corruptScore, cells };
}

function placesOfPatch(
  { pass }: Inspection,
  { ids, sourceIds = [] }: Reading,
  name: string,
  by: PatchUnit,
): Pick<PatchedCell, 'name' | 'head' | 'position'>[] {
  const { heads, headAxis, side } = siteOf(pass, name, liveValues(pass));
  const [byHead, byPosition] = [by.startsWith('head'), by.endsWith('position')];
  if ((byHead && headAxis === null) || (byPosition && side === null)) {
    const lacks = byHead && headAxis === null ? 'heads' : 'positions';
    throw new QkvError('usage', { where: name, got: `a value without ${lacks}`, expected: `one with ${lacks}` });
  }
  const length = (side === 'source' ? sourceIds : ids).length;
  const headsOf = byHead ? Array.from({ length: heads }, (_, head) => head) : [null];
  const positionsOf = byPosition ? Array.from({ length }, (_, position) => position) : [null];
  return headsOf.flatMap((head) => positionsOf.map((position) => ({ name, head, position })));
}
