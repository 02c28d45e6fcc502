import { describe, expect, it } from 'vitest';
import { planSteps, revisionsDue } from '../../src/train/plan.ts';
import { learningRate, type Schedule } from '../../src/train/schedule.ts';

describe('learningRate', () => {
  it('rises on a line to peak, as in nanoGPT', () => {
    const schedule: Schedule = { name: 'constant', peak: 1, warmup: 4 };
    expect([0, 1, 2, 3, 4, 99].map((step) => learningRate(schedule, step, 100))).toEqual([0.2, 0.4, 0.6, 0.8, 1, 1]);
  });

  it('is nanoGPT’s cosine: warmup 100, 2,000 steps, 1e-3 to 1e-4', () => {
    const schedule: Schedule = { name: 'cosine', peak: 1e-3, warmup: 100, final: 1e-4 };
    // get_lr of https://github.com/karpathy/nanoGPT/blob/master/train.py with these values
    const ratio = (it: number) => (it - 100) / (2000 - 100);
    const nanoGpt = (it: number) => 1e-4 + 0.5 * (1 + Math.cos(Math.PI * ratio(it))) * (1e-3 - 1e-4);
    for (const step of [100, 101, 575, 1050, 1999]) {
      expect(learningRate(schedule, step, 2000)).toBeCloseTo(nanoGpt(step), 15);
    }
    expect(learningRate(schedule, 99, 2000)).toBeCloseTo((1e-3 * 100) / 101, 15);
    expect(learningRate(schedule, 1050, 2000)).toBeCloseTo(5.5e-4, 15);
    expect(learningRate(schedule, 2000, 2000)).toBeCloseTo(1e-4, 15);
  });

  it('is torch’s CosineAnnealingLR without warmup', () => {
    // η_min + (η − η_min)(1 + cos(πt/T))/2 at t = 0, 1, 2, 3, 4 of T = 4, η = 0.1, η_min = 0.02
    const schedule: Schedule = { name: 'cosine', peak: 0.1, warmup: 0, final: 0.02 };
    const expected = [0.1, 0.08828427124746191, 0.06, 0.03171572875253811, 0.02];
    expected.forEach((rate, step) => {
      expect(learningRate(schedule, step, 4)).toBeCloseTo(rate, 15);
    });
  });

  it('falls on a line', () => {
    const schedule: Schedule = { name: 'linear', peak: 1, warmup: 2, final: 0.2 };
    expect(learningRate(schedule, 2, 10)).toBe(1);
    expect(learningRate(schedule, 6, 10)).toBeCloseTo(0.6, 15);
    expect(learningRate(schedule, 10, 10)).toBeCloseTo(0.2, 15);
  });

  it('is the paper’s schedule: width^-½ · min(t^-½, t · warmup^-1.5), t from 1', () => {
    const [width, warmup] = [512, 4000];
    const schedule: Schedule = { name: 'inverse-sqrt', peak: (width * warmup) ** -0.5, warmup: warmup - 1 };
    const paper = (t: number) => width ** -0.5 * Math.min(t ** -0.5, t * warmup ** -1.5);
    for (const t of [1, 100, 3999, 4000, 4001, 16000, 100000]) {
      expect(learningRate(schedule, t - 1, 100000)).toBeCloseTo(paper(t), 15);
    }
  });
});

describe('the plan of a run with a time limit', () => {
  it('is what the speed allows, never more than the steps', () => {
    const pace = { step: 100, steps: 1000, seconds: 20, limit: 60, secondsPerStep: 0.1 };
    expect(planSteps(pace)).toBe(500);
    expect(planSteps({ ...pace, secondsPerStep: 0.01 })).toBe(1000);
    expect(planSteps({ ...pace, seconds: 70 })).toBe(101);
  });

  it('is revised at a few moments', () => {
    expect([0, 2, 31, 59, 60].map((seconds) => revisionsDue(seconds, 60))).toEqual([0, 1, 5, 8, 8]);
  });
});
