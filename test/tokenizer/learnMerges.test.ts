import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { learnMerges } from '../../src/tokenizer/learnMerges.ts';

/** The algorithm as the paper states it: count all pairs anew for each merge. */
function naive(
  words: readonly (readonly [string, number])[],
  alphabet: readonly string[],
  maxSymbols: number,
  minFrequency: number,
) {
  let runs = words.map(([word, count]) => [[...word], count] as const);
  const symbols = [...alphabet];
  const merges: [string, string][] = [];
  while (symbols.length < maxSymbols) {
    const counts = new Map<string, number>();
    for (const [run, count] of runs) {
      for (let i = 0; i + 1 < run.length; i++) {
        const key = `${run[i]} ${run[i + 1]}`;
        counts.set(key, (counts.get(key) ?? 0) + count);
      }
    }
    const pairs = [...counts].map(([key, count]) => [key.split(' ') as [string, string], count] as const);
    const better = (a: (typeof pairs)[0], b: (typeof pairs)[0]): number =>
      b[1] - a[1] || (a[0][0] === b[0][0] ? (a[0][1] > b[0][1] ? -1 : 1) : a[0][0] > b[0][0] ? -1 : 1);
    const best = pairs.sort(better)[0];
    if (best === undefined || best[1] < minFrequency) break;
    const [left, right] = best[0];
    merges.push([left, right]);
    symbols.push(left + right);
    runs = runs.map(([run, count]) => {
      const out: string[] = [];
      for (let i = 0; i < run.length; i++) {
        if (run[i] === left && run[i + 1] === right) {
          out.push(left + right);
          i += 1;
        } else out.push(run[i]!);
      }
      return [out, count] as const;
    });
  }
  return { merges, symbols };
}

function learn(
  words: readonly (readonly [string, number])[],
  alphabet: readonly string[],
  maxSymbols: number,
  minFrequency: number,
) {
  const learned = learnMerges(
    {
      symbols: Int32Array.from(words.flatMap(([word]) => [...word].map((char) => alphabet.indexOf(char)))),
      lengths: Int32Array.from(words, ([word]) => word.length),
      counts: Float64Array.from(words, ([, count]) => count),
    },
    alphabet,
    { maxSymbols, minFrequency },
  );
  return {
    merges: learned.merges.map(([left, right]) => [learned.symbols[left]!, learned.symbols[right]!]),
    symbols: learned.symbols,
  };
}

describe('learnMerges', () => {
  it('equals counting anew for each merge, with overlapping pairs', () => {
    const unit = fc.constantFrom(...'aaaaabc');
    const word = fc.tuple(fc.string({ unit, minLength: 1, maxLength: 20 }), fc.integer({ min: 1, max: 5 }));
    const words = fc.uniqueArray(word, { minLength: 1, maxLength: 10, selector: ([text]) => text });
    fc.assert(
      fc.property(
        words,
        fc.integer({ min: 3, max: 40 }),
        fc.integer({ min: 1, max: 6 }),
        (list, maxSymbols, minFrequency) => {
          const alphabet = ['a', 'b', 'c'];
          expect(learn(list, alphabet, maxSymbols, minFrequency)).toEqual(
            naive(list, alphabet, maxSymbols, minFrequency),
          );
        },
      ),
      { numRuns: 400, seed: 7 },
    );
  });
});
