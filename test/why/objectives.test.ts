import { describe, expect, it } from 'vitest';
import { whyHost } from '../../apps/cli/whyHost.ts';
import { deriveSeed, normal, RandomStream } from '../../src/base/random.ts';
import { createReferenceRuntime } from '../../src/runtime/reference/reference.ts';
import { differenceOf, differenceText } from '../../src/why/differences.ts';
import { maskedHalves, maskingOf } from '../../src/why/maskedPoems.ts';
import { withErrors } from '../../src/why/masking.ts';
import { halfPoems, readPoems, special } from '../../src/why/poems.ts';
import { areaUnderCurve, fitProbe, readProbe } from '../../src/why/probe.ts';
import { pairOf } from '../../src/why/sentences.ts';
import { readStory, sameTopic, stories, storyVocabulary } from '../../src/why/stories.ts';

const context = { runtime: createReferenceRuntime(), seed: 1, host: whyHost };

describe('poems', () => {
  it('are four couplets of ten characters each, the rare ones unknown', async () => {
    const { train, held, vocabSize } = await readPoems(context, 50);
    expect(vocabSize).toBe(55);
    expect(train.length).toBeGreaterThan(13_000);
    expect(held.length).toBeGreaterThan(450);
    const ids = [...train, ...held].flat();
    expect(
      ids.every((couplet) => couplet.length === 10 && couplet.every((id) => id >= special.unknown && id < 55)),
    ).toBe(true);
    // id 5 is the most frequent character
    const count = (id: number): number => ids.reduce((sum, couplet) => sum + couplet.filter((x) => x === id).length, 0);
    expect(count(5)).toBeGreaterThan(count(6));
    expect(count(6)).toBeGreaterThan(count(54));
  });

  it('are drawn two couplets at a time that follow each other, by seed and step', () => {
    const poems = [0, 1].map((p) => [0, 1, 2, 3].map((c) => new Int32Array(10).fill(10 * p + c + 5)));
    const drawn = halfPoems(poems, 40, 1, 'a', 0);
    for (const ids of drawn) {
      expect([ids.length, ids[0], ids[21]]).toEqual([22, special.cls, special.sep]);
      expect(ids[11]! - ids[1]!).toBe(1);
    }
    expect(halfPoems(poems, 40, 1, 'a', 0)).toEqual(drawn);
    expect(halfPoems(poems, 40, 1, 'a', 1)).not.toEqual(drawn);
  });

  it('are masked at three places, as the shares say', () => {
    const poems = [[0, 1, 2, 3].map(() => new Int32Array(10).fill(7))];
    const all = maskedHalves(poems, 64, maskingOf(30, { maskShare: 1, randomShare: 0 }), 1)(0);
    expect(all.targets).toBe(3 * 64);
    expect([...all.inputs['inputIds']!.data].filter((id) => id === special.mask).length).toBe(3 * 64);
    const kept = maskedHalves(poems, 64, maskingOf(30, { maskShare: 0, randomShare: 0 }), 1)(0);
    expect([...kept.inputs['inputIds']!.data].includes(special.mask)).toBe(false);
    expect([...kept.inputs['targetPositions']!.data]).toEqual([...all.inputs['targetPositions']!.data]);
  });

  it('in errors one character in ten is another one', () => {
    const sequences = Array.from({ length: 200 }, () =>
      Int32Array.of(special.cls, ...new Int32Array(20).fill(9), special.sep),
    );
    const { sequences: changed, labels } = withErrors(sequences, 12, 'test');
    const wrong = labels.flat().reduce((a, b) => a + b, 0);
    expect(wrong / 4000).toBeGreaterThan(0.08);
    expect(wrong / 4000).toBeLessThan(0.12);
    changed.forEach((ids, row) => {
      labels[row]!.forEach((label, i) => {
        expect(ids[i + 1] !== 9).toBe(label === 1);
      });
    });
  });

  it('make pairs of one length for each question', () => {
    const poems = [0, 1].map((p) => [0, 1, 2, 3].map((c) => new Int32Array(10).fill(10 * p + c)));
    const shape = (question: 'next' | 'order', label: number): number[] => {
      const pair = pairOf(poems[0]!, poems[1]!, question, label);
      expect(pair.length).toBe(43);
      return [1, 11, 22, 32].map((t) => pair[t]!);
    };
    expect(shape('next', 0)).toEqual([0, 1, 2, 3]);
    expect(shape('order', 0)).toEqual([0, 1, 2, 3]);
    expect(shape('next', 1)).toEqual([0, 1, 12, 13]);
    expect(shape('order', 1)).toEqual([2, 3, 0, 1]);
  });
});

describe('stories', () => {
  it('have one topic, and four stages in a row', () => {
    const many = stories(2000, deriveSeed(1, 'stories'));
    for (const one of many) {
      expect(one.map((sentence) => sentence.length)).toEqual([10, 10, 10, 10]);
      expect(one.every((sentence) => sentence.every((id) => id > special.unknown && id < storyVocabulary))).toBe(true);
      const { topic, stages } = readStory(one);
      expect(one.every((_, i) => readStory(one.slice(i)).topic === topic)).toBe(true);
      expect(stages.map((stage) => stage - stages[0]!)).toEqual([0, 1, 2, 3]);
    }
    const same = many.filter((one, i) => i > 0 && readStory(one).topic === readStory(many[i - 1]!).topic).length;
    expect(Math.abs(same / 1999 - sameTopic)).toBeLessThan(4 * Math.sqrt((sameTopic * (1 - sameTopic)) / 1999));
  });
});

describe('probe', () => {
  it('finds the direction that tells, among others of any size', () => {
    const [count, width] = [400, 3];
    const features = Float32Array.from(normal(deriveSeed(1), count * width));
    const labels = Array.from({ length: count }, (_, n) =>
      Number(features[n * width + 1]! + 0.2 * features[n * width]! > 0),
    );
    for (let n = 0; n < count; n++) features[n * width + 2]! *= 100;
    const probe = fitProbe(features, labels);
    expect(probe.weights[0]! / probe.weights[1]!).toBeCloseTo(0.2, 1);
    expect(Math.abs(probe.weights[2]!)).toBeLessThan(0.01 * probe.weights[1]!);
    expect(areaUnderCurve(readProbe(probe, features), labels)).toBeGreaterThan(0.99);
  });

  it('knows the area under the curve', () => {
    expect(areaUnderCurve([0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1])).toBe(0.75);
    expect(areaUnderCurve([1, 1, 1], [0, 1, 0])).toBe(0.5);
    const stream = new RandomStream(deriveSeed(2));
    const scores = Array.from({ length: 2000 }, () => stream.uniform());
    expect(
      areaUnderCurve(
        scores,
        scores.map((_, i) => i % 2),
      ),
    ).toBeCloseTo(0.5, 1);
  });
});

it('says of a difference whether its interval leaves 0 out', () => {
  expect(differenceOf([2, 2.1, 2.2], [1, 1.1, 1.1]).verdict).toBe('more');
  expect(differenceOf([1, 1.1, 1.1], [2, 2.1, 2.2]).verdict).toBe('less');
  expect(differenceOf([1, 3, 2], [2, 2, 2]).verdict).toBe('unseen');
  expect(differenceText(differenceOf([2, 3], [1, 2]))).toBe('+1 (+1 … +1)');
});
