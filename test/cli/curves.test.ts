import { mkdirSync, mkdtempDisposableSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { qkv } from './qkv.ts';

const step = { loss: 5, learningRate: 1e-3, gradientNorm: 1, tokensPerSecond: 100 };

function makeRun(folder: string, name: string, lines: readonly object[]): string {
  mkdirSync(join(folder, name), { recursive: true });
  writeFileSync(join(folder, name, 'metrics.jsonl'), lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  return join(folder, name);
}

it('qkv curves reads validations, of words where there are several terms, and draws them', async () => {
  using folder = mkdtempDisposableSync(join(tmpdir(), 'qkv-curves-'));
  const one = makeRun(folder.path, 'one', [
    { step: 10, tokens: 1000, seconds: 1, ...step },
    { step: 10, tokens: 1000, seconds: 2, validation: { loss: 4, unigram: 5 } },
    { step: 20, tokens: 2500, seconds: 4, validation: { loss: 3, unigram: 5 } },
    { step: 20, test: {}, samples: [] },
  ]);
  const two = makeRun(folder.path, 'two', [
    { step: 5, tokens: 700, seconds: 1, validation: { loss: 4.5, unigram: 6, losses: { words: 3.9, sentences: 0.6 } } },
  ]);
  const json = await qkv(['curves', one, two, '--x', 'tokens', '--json']);
  expect(json).toMatchObject({ code: 0, stderr: '' });
  expect(JSON.parse(json.stdout)).toEqual({
    x: 'tokens',
    y: 'loss',
    curves: [
      {
        name: 'one',
        points: [
          { x: 1000, y: 4 },
          { x: 2500, y: 3 },
        ],
      },
      { name: 'two', points: [{ x: 700, y: 3.9 }] },
    ],
  });
  const gain = await qkv(['curves', one, two, '--y', 'gain', '--json']);
  expect(JSON.parse(gain.stdout).curves.map(({ points }: { points: object[] }) => points.at(-1))).toEqual([
    { x: 20, y: 2 },
    { x: 5, y: 6 - 3.9 },
  ]);
  const out = join(folder.path, 'c.svg');
  expect(await qkv(['curves', one, two, '--out', out])).toMatchObject({ code: 0, stdout: `${out}\n`, stderr: '' });
  expect(readFileSync(out, 'utf8')).toContain('>two</text>');
  expect((await qkv(['curves', one])).stdout).toContain('a one  3.0000 at 20');
});

it('qkv curves says what is missing', async () => {
  using folder = mkdtempDisposableSync(join(tmpdir(), 'qkv-curves-'));
  const old = makeRun(folder.path, 'old', [{ step: 5, seconds: 1, validation: { loss: 4 } }]);
  const fresh = makeRun(folder.path, 'fresh', [{ step: 1, tokens: 10, seconds: 1, ...step }]);
  const failures = [
    [[old, '--x', 'tokens'], /no number of tokens.*--x steps/s],
    [[old, '--y', 'gain'], /entropy/],
    [[fresh], /no validation yet/],
    [[join(folder.path, 'none')], /none.metrics\.jsonl/],
    [[old, '--out', 'a.pdf'], /\.svg, \.png or \.json/],
    [[old, '--json', '--out', 'a.svg'], /--out as well/],
  ] as const;
  const runs = await Promise.all(failures.map(([args]) => qkv(['curves', ...args])));
  for (const [i, { code, stderr }] of runs.entries()) {
    expect(stderr).toMatch(failures[i]![1]);
    expect(code).not.toBe(0);
  }
});
