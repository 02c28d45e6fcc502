import { type DataName, dataNames, type TrainingSettings } from './contract.ts';

/** What the sliders offer: each value from the least to the largest. */
export const choices = {
  layers: [1, 2, 3, 4, 6],
  heads: [1, 2, 4, 8],
  width: [32, 64, 96, 128, 192, 256],
  block: [16, 32, 48, 64, 96, 128],
  batch: [2, 4, 8, 12, 16, 24, 32],
  rate: [1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 3e-3, 5e-3, 1e-2],
  steps: [20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000],
} as const satisfies { readonly [name in keyof TrainingSettings]?: readonly number[] };

export type SizeName = keyof typeof choices;
export const sizeNames = Object.keys(choices) as readonly SizeName[];

const usual = { ownText: '', layers: 2, heads: 4, width: 64, block: 64, batch: 12, rate: 2e-3, steps: 500, seed: 1 };

/** What learns something to see within a minute or two. */
export function settingsFor(data: DataName): TrainingSettings {
  return { ...usual, data, ...(data === 'translation' && { block: 32, batch: 16 }) };
}

/** Settings that were stored; null for what is none. */
export function parseSettings(value: unknown): TrainingSettings | null {
  if (typeof value !== 'object' || value === null) return null;
  const { data, ownText, seed, ...sizes } = value as Readonly<Record<string, unknown>>;
  const name = dataNames.find((one) => one === data);
  if (name === undefined || typeof ownText !== 'string' || !Number.isInteger(seed)) return null;
  const isKnown = sizeNames.every((size) => (choices[size] as readonly unknown[]).includes(sizes[size]));
  return isKnown ? ({ ...sizes, data: name, ownText, seed } as TrainingSettings) : null;
}
