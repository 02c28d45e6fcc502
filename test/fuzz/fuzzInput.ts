import { mutateBytes, mutateJson, randomSource } from './mutate.ts';
import type { Parser, Seed } from './parsers.ts';

export interface FuzzInput {
  readonly seed: Seed;
  /** The damaged file, and those beside it. */
  readonly files: Readonly<Record<string, Uint8Array>>;
}

/** Input number `index` of a run with this seed: each can be made alone. */
export function fuzzInput(parser: Parser, runSeed: number, index: number): FuzzInput {
  const random = randomSource(Math.imul(runSeed, 0x9e3779b1) ^ index);
  const seed = parser.seeds[random(parser.seeds.length)]!;
  const original = seed.files[seed.file]!;
  // A file is JSON for two mutations in three, and bytes for the third.
  const isJson = seed.file.endsWith('.json') && random(3) > 0;
  const damaged = isJson
    ? new TextEncoder().encode(mutateJson(new TextDecoder().decode(original), random))
    : mutateBytes(original, random, seed.focus);
  return { seed, files: { ...seed.files, [seed.file]: damaged } };
}
