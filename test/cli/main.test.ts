import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { commands } from '../../apps/cli/commands.ts';
import { hasStack, qkv, root } from './qkv.ts';

describe('qkv', () => {
  it('lists its commands', async () => {
    const { code, stdout, stderr } = await qkv(['--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const [name, { summary }] of Object.entries(commands))
      expect(stdout).toMatch(new RegExp(`${name} .*${summary}`));
  });

  it('prints its version', async () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string };
    expect(await qkv(['--version'])).toEqual({ code: 0, stdout: `${version}\n`, stderr: '' });
  });

  it.each(Object.keys(commands))('%s has help with an example', async (name) => {
    const { code, stdout, stderr } = await qkv([name, '--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain(`Usage: qkv ${name}`);
    expect(stdout).toMatch(/Examples?:\n {2}qkv /);
    if (name !== 'tokenizer') expect(stdout).toContain('--json');
  });

  it('without a command prints help on stderr and fails', async () => {
    const { code, stdout, stderr } = await qkv([]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('Commands:');
  });

  it.each([
    [['translaet', 'x'], "unknown command 'translaet'", 'translate'],
    [['--versoin'], "unknown option '--versoin'", '--version'],
    [['translate', 'x', '--beem', '4'], "unknown option '--beem'", '--beam'],
    [['tokenizer', 'encod'], "unknown command 'encod'", 'encode'],
    [['eval', 'x', '--data', 'y', '--metric', 'blue'], '"blue"', 'bleu'],
  ])('%s is a usage error that names the nearest', async (args, got, meant) => {
    const finished = await qkv(args);
    expect(finished.code).toBe(2);
    expect(finished.stdout).toBe('');
    expect(finished.stderr).toMatch(/^error \(usage\): /);
    expect(finished.stderr).toContain(got);
    expect(finished.stderr).toContain(`Did you mean ${meant}?`);
    expect(hasStack(finished)).toBe(false);
  });

  it.each([
    [['translate'], "missing required argument 'MODEL'"],
    [['translate', 'x', '--beam'], 'argument missing'],
    [['translate', 'x', '--beam', '2.5'], '"2.5"'],
    [['translate', 'x', '--top-p', '1.5'], '"1.5"'],
    [['eval', 'x', '--metric', 'bleu'], "required option '--data <files>' not specified"],
    [['doctor', 'now'], 'too many arguments'],
  ])('%s is a usage error', async (args, got) => {
    const finished = await qkv(args);
    expect(finished).toMatchObject({ code: 2, stdout: '' });
    expect(finished.stderr).toContain(got);
  });

  it('gives an error as JSON where that is asked for', async () => {
    const { code, stdout, stderr } = await qkv(['translate', 'no-such-model', 'text', '--json']);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(JSON.parse(stderr)).toMatchObject({ error: { code: 'io', where: 'model no-such-model' } });
  });

  it('points to the benchmarks', async () => {
    const { code, stdout } = await qkv(['bench', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ command: 'npm run bench -- T1' });
  });
});
