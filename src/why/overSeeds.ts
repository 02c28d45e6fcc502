import type { ExperimentContext } from './experiment.ts';

/**
 * Learns each kind with each seed, and says so as it begins: the results of each kind, in the order of the seeds.
 * `start` is the part of the experiment that was done before.
 */
export async function overSeeds<Kind, Result>(
  { onProgress }: ExperimentContext,
  kinds: readonly Kind[],
  seeds: readonly number[],
  noteOf: (kind: Kind) => string,
  learn: (kind: Kind, seed: number) => Promise<Result>,
  start = 0,
): Promise<Result[][]> {
  const results: Result[][] = kinds.map(() => []);
  for (const [s, seed] of seeds.entries()) {
    for (const [k, kind] of kinds.entries()) {
      const share = (kinds.length * s + k) / (kinds.length * seeds.length);
      onProgress?.(start + (1 - start) * share, `${noteOf(kind)}, seed ${seed}`);
      results[k]!.push(await learn(kind, seed));
    }
  }
  onProgress?.(1, 'done');
  return results;
}
