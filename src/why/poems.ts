import { deriveSeed, RandomStream } from '../base/random.ts';
import type { ExperimentContext } from './experiment.ts';
import { hostOf } from './hostOf.ts';

/** [PAD], [CLS], [SEP], [MASK] and [UNK], the first ids of the vocabulary. */
export const special = { pad: 0, cls: 1, sep: 2, mask: 3, unknown: 4 } as const;
export const specialIds: ReadonlySet<number> = new Set(Object.values(special));

/** A poem's four couplets, ten characters each, as ids. */
export type Poem = readonly Int32Array[];

export interface Poems {
  readonly vocabSize: number;
  readonly train: readonly Poem[];
  readonly held: readonly Poem[];
}

/** Regulated verse of eight lines of five characters: all of one form, so that no length gives anything away. */
const FORM = '五言律诗：';

/**
 * The poems of data/tang-poems of one form, without their punctuation; the `characters` most frequent of the training part
 * have ids, the others are [UNK].
 */
export async function readPoems(context: ExperimentContext, characters: number): Promise<Poems> {
  const { readText } = hostOf(context);
  const [train, held] = await Promise.all(['train', 'dev'].map((part) => readText(`tang-poems/${part}.txt`)));
  const lines = coupletsOf(train!);
  const ids = idsOf(lines, characters);
  const encode = (poem: readonly string[]): Poem =>
    poem.map((couplet) => Int32Array.from(couplet, (character) => ids.get(character) ?? special.unknown));
  return {
    vocabSize: specialIds.size + ids.size,
    train: lines.map(encode),
    held: coupletsOf(held!).map(encode),
  };
}

/** Of poems whose sentences are couplets: nearly all. */
/** Of poems whose sentences are couplets, which nearly all are. */
function coupletsOf(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line.startsWith(FORM))
    .map((line) =>
      line
        .slice(FORM.length)
        .split(/[。？！]/)
        .map((couplet) => couplet.replace(/\P{Script=Han}/gu, ''))
        .filter(Boolean),
    )
    .filter((poem) => poem.length === 4 && poem.every((couplet) => couplet.length === 10));
}

/** The most frequent characters, in the order of their frequency, then of their code. */
function idsOf(poems: readonly (readonly string[])[], characters: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (const character of poems.flat().join('')) counts.set(character, (counts.get(character) ?? 0) + 1);
  const order = [...counts].sort(([a, n], [b, m]) => m - n || (a < b ? -1 : 1)).slice(0, characters);
  return new Map(order.map(([character], i) => [character, specialIds.size + i]));
}

/** [CLS] and two neighbouring couplets of a random poem and [SEP]: sequences of 22, of `count` poems by seed and step. */
export function halfPoems(
  poems: readonly Poem[],
  count: number,
  seed: number,
  site: string,
  step: number,
): Int32Array[] {
  const stream = new RandomStream(deriveSeed(seed, site, step));
  return Array.from({ length: count }, () => {
    const poem = poems[stream.below(poems.length)]!;
    const first = stream.below(poem.length - 1);
    return Int32Array.of(special.cls, ...poem[first]!, ...poem[first + 1]!, special.sep);
  });
}
