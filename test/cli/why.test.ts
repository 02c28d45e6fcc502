import { mkdtempDisposableSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import type { Both, Findings } from '../../src/why/experiment.ts';
import { experimentNames } from '../../src/why/registry.ts';
import { qkv } from './qkv.ts';

const isFull = ({ en, zh }: Both): boolean => en.length > 0 && zh.length > 0;

function checkFindings(findings: Findings): void {
  expect(isFull(findings.title)).toBe(true);
  expect(findings.charts.length).toBeGreaterThan(0);
  for (const { series, title, x, y } of findings.charts) {
    for (const text of [title, x.label, y.label, ...series.map(({ name }) => name)]) expect(isFull(text)).toBe(true);
    expect(series.flatMap(({ points }) => points).every((point) => Object.values(point).every(Number.isFinite))).toBe(
      true,
    );
  }
  for (const { columns, rows } of findings.tables) for (const row of rows) expect(row).toHaveLength(columns.length);
  for (const { rows, columns, values } of findings.matrices ?? []) {
    expect(values).toHaveLength(rows.names.length);
    for (const row of values) expect(row).toHaveLength(columns.names.length);
  }
  expect(findings.claims.length).toBeGreaterThan(0);
  for (const { text, evidence, holds } of findings.claims) {
    expect(isFull(text) && isFull(evidence)).toBe(true);
    expect(typeof holds).toBe('boolean');
  }
}

it('qkv why all runs every experiment and prints what it found', { timeout: 240_000 }, async () => {
  const { code, stdout } = await qkv(['why', 'all', '--quick', '--json', '--seed', '3']);
  expect(code).toBe(0);
  const all = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Findings);
  expect(all.map(({ experiment }) => experiment)).toEqual(experimentNames);
  for (const findings of all) {
    expect(findings).toMatchObject({ seed: 3, isQuick: true });
    checkFindings(findings);
  }
});

it('qkv why scale gives the same numbers for the same seed, as JSON and as pictures', {
  timeout: 120_000,
}, async () => {
  using folder = mkdtempDisposableSync(join(tmpdir(), 'qkv-why-'));
  const run = ['why', 'scale', '--quick'];
  const json = await qkv([...run, '--json']);
  const file = await qkv([...run, '--lang', 'zh', '--out', 'found.json'], { cwd: folder.path });
  expect(file).toMatchObject({ code: 0, stderr: '' });
  expect(file.stdout).toContain('成立');
  expect(file.stdout).toMatch(/found\.json\n$/);
  expect(JSON.parse(readFileSync(join(folder.path, 'found.json'), 'utf8'))).toEqual(JSON.parse(json.stdout));
  const other = await qkv([...run, '--json', '--seed', '2']);
  expect(JSON.parse(other.stdout).tables).not.toEqual(JSON.parse(json.stdout).tables);
  const picture = await qkv(run, { cwd: folder.path });
  expect(picture.stdout).toMatch(/(✓ holds|✗ does not hold): /);
  expect(picture.stdout).toMatch(/\nwhy-scale\.svg\n$/);
  expect(readFileSync(join(folder.path, 'why-scale.svg'), 'utf8')).toContain('Variance of q·k');
});

it('qkv why says what is wrong, and stops when it is asked to', { timeout: 60_000 }, async () => {
  expect((await qkv(['why', 'scal'])).stderr).toContain('Did you mean scale?');
  expect((await qkv(['why', 'scale', '--out', 'a.pdf'])).stderr).toContain('.svg, .png or .json');
  const stopped = await qkv(['why', 'all', '--quick', '--json'], { interruptAfter: '"experiment":"scale"' });
  expect(stopped).toMatchObject({ code: 130, stderr: 'stopped\n' });
  expect(stopped.stdout.split('\n').length).toBeLessThan(experimentNames.length);
});
