import { describe, expect, it } from 'vitest';
import { RandomStream } from '../../src/base/random.ts';
import { denoising, type Noise } from '../../src/objectives/denoising.ts';
import { infill } from '../../src/objectives/textInfilling.ts';
import { boundOf, keyOf } from './sample.ts';

const MASK = 4;
const options = { maskId: MASK, startId: 0, eosId: 2 } as const;
const text = (length: number): number[] => Array.from({ length }, (_, i) => 100 + i);
const sorted = (ids: Iterable<number>): number[] => [...ids].sort((a, b) => a - b);
const source = (document: number[][], noise: Noise[] | undefined, ...labels: (string | number)[]): number[] => {
  const made = denoising(document, { ...options, ...(noise && { noise }) }, keyOf(...labels));
  expect(Array.from(made.target)).toEqual([0, ...document.flat(), 2]);
  expect([made.source[0], made.source.at(-1)]).toEqual([0, 2]);
  return Array.from(made.source.slice(1, -1));
};

describe('text infilling', () => {
  const run = (length: number, rate: number, ...labels: (string | number)[]) =>
    infill(text(length), { rate }, MASK, new RandomStream(keyOf(...labels)));

  it('can be undone with the spans, and takes exactly its share', () => {
    for (let seed = 0; seed < 500; seed++) {
      const length = 1 + ((seed * 13) % 200);
      const { ids, spans } = run(length, 0.3, 'undo', seed);
      let next = 0;
      const back = ids.flatMap((id) => {
        if (id !== MASK) return [id];
        const { start, end } = spans[next++]!;
        return text(length).slice(start, end);
      });
      expect(next).toBe(spans.length);
      expect(back).toEqual(text(length));
      expect(spans.reduce((sum, { start, end }) => sum + end - start, 0)).toBe(Math.ceil(length * 0.3));
    }
  });

  it('has spans of Poisson(3), lengths of 0 included', () => {
    const counts = new Float64Array(40);
    let total = 0;
    for (let seed = 0; seed < 100; seed++) {
      // the last span is cut to the budget: one of a thousand
      const { spans } = run(10_000, 0.3, 'poisson', seed);
      for (const { start, end } of spans) counts[end - start]!++;
      total += spans.length;
    }
    expect(total).toBeGreaterThan(90_000);
    let p = Math.exp(-3);
    for (let k = 0; k < 12; p *= 3 / ++k) {
      expect(Math.abs(counts[k]! - total * p), `length ${k}`).toBeLessThan(boundOf(total, p) + 100);
    }
  });

  it('puts spans everywhere alike', () => {
    // one token of six, always one span of 1 token once zeros are aside
    const counts = new Float64Array(6);
    for (let seed = 0; seed < 12_000; seed++) {
      const { spans } = run(6, 1 / 6, 'where', seed);
      counts[spans.find(({ start, end }) => end > start)!.start]!++;
    }
    for (const n of counts) expect(Math.abs(n - 2000)).toBeLessThan(boundOf(12_000, 1 / 6));
  });

  it('takes nothing or all', () => {
    expect(run(10, 0, 'nothing')).toEqual({ ids: text(10), spans: [] });
    expect(new Set(run(10, 1, 'all').ids)).toEqual(new Set([MASK]));
  });
});

describe('denoising', () => {
  const document = [text(40).slice(0, 7), text(40).slice(7, 15), text(40).slice(15, 22), text(40).slice(22)];

  it('permutes whole sentences, every order alike', () => {
    const three = [[11, 12], [21], [31, 32, 33]];
    const counts = new Map<string, number>();
    for (let seed = 0; seed < 1800; seed++) {
      const order = source(three, [{ kind: 'sentence-permutation' }], 'permute', seed).join();
      counts.set(order, (counts.get(order) ?? 0) + 1);
    }
    expect([...counts.keys()].sort()).toEqual(
      ['11,12,21,31,32,33', '11,12,31,32,33,21', '21,11,12,31,32,33', '21,31,32,33,11,12'].concat([
        '31,32,33,11,12,21',
        '31,32,33,21,11,12',
      ]),
    );
    for (const n of counts.values()) expect(Math.abs(n - 300)).toBeLessThan(boundOf(1800, 1 / 6));
  });

  it('masks and deletes a share of the tokens, in their order', () => {
    for (let seed = 0; seed < 100; seed++) {
      const masked = source(document, [{ kind: 'token-masking', rate: 0.15 }], 'mask', seed);
      expect(masked.filter((id) => id === MASK)).toHaveLength(6);
      masked.forEach((id, i) => {
        if (id !== MASK) expect(id).toBe(100 + i);
      });
      const rest = source(document, [{ kind: 'token-deletion', rate: 0.15 }], 'delete', seed);
      expect(rest).toHaveLength(34);
      expect(sorted(rest)).toEqual(rest);
    }
  });

  it('rotates the document to begin with any of its tokens', () => {
    const firsts = new Float64Array(5);
    for (let seed = 0; seed < 1500; seed++) {
      const rotated = source(
        [
          [0, 1, 2],
          [3, 4],
        ],
        [{ kind: 'document-rotation' }],
        'rotate',
        seed,
      );
      firsts[rotated[0]!]!++;
      expect(rotated).toEqual([0, 1, 2, 3, 4].map((i) => (rotated[0]! + i) % 5));
    }
    for (const n of firsts) expect(Math.abs(n - 300)).toBeLessThan(boundOf(1500, 0.2));
  });

  it("is BART's mixture by default: sentences permuted, then 30% infilled", () => {
    const noise: Noise[] = [{ kind: 'sentence-permutation' }, { kind: 'text-infilling', rate: 0.3, meanLength: 3 }];
    expect(source(document, undefined, 'bart')).toEqual(source(document, noise, 'bart'));
    const kept = source(document, undefined, 'bart').filter((id) => id !== MASK);
    expect(kept).toHaveLength(28);
    expect(sorted(kept)).not.toEqual(kept);
    expect(source(document, undefined, 'other')).not.toEqual(source(document, undefined, 'bart'));
  });

  it('mixes noises in their order, each with its probability', () => {
    const noise: Noise[] = [
      { kind: 'token-deletion', rate: 0.5, probability: 0.25 },
      { kind: 'token-masking', rate: 0.1 },
    ];
    let deleted = 0;
    for (let seed = 0; seed < 800; seed++) {
      const ids = source(document, noise, 'mix', seed);
      if (ids.length === 20) deleted++;
      expect(ids.filter((id) => id === MASK)).toHaveLength(ids.length / 10);
    }
    expect(Math.abs(deleted - 200)).toBeLessThan(boundOf(800, 0.25));
    expect(source(document, [], 'none')).toEqual(document.flat());
  });

  it('refuses what cannot be', () => {
    const run =
      (...noise: object[]) =>
      () =>
        source(document, noise as Noise[], 'bad');
    expect(run({ kind: 'shuffle' })).toThrow('got shuffle, expected sentence-permutation');
    expect(run({ kind: 'document-rotation', rate: 0.1 })).toThrow('got rate');
    expect(run({ kind: 'token-masking', rate: 2 })).toThrow('noise 0: rate');
    expect(run({ kind: 'token-masking', rate: 0.1, probability: -1 })).toThrow('probability');
    expect(run({ kind: 'text-infilling', rate: 0.1, meanLength: 0 })).toThrow('meanLength');
    expect(run({ kind: 'document-rotation' }, { kind: 'sentence-permutation' })).toThrow('noise 1');
    expect(() => denoising([], options, keyOf('bad'))).toThrow('no sentences');
    expect(() => denoising(document, { ...options, rate: 1 } as typeof options, keyOf('bad'))).toThrow('got rate');
  });
});
