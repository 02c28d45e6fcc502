import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TinyRecipe } from '../train/tinyRecipe.ts';
import { hasStack, qkv } from './qkv.ts';

let tiny: TinyRecipe;
beforeAll(() => {
  tiny = new TinyRecipe();
});
afterAll(() => tiny[Symbol.dispose]());

describe('qkv train', () => {
  it('trains models that the other commands take', async () => {
    const outputs = { translation: join(tiny.folder, 'a'), 'language-model': join(tiny.folder, 'b') };
    const [pairs, text] = await Promise.all(
      Object.entries(outputs).map(([task, output]) => {
        const sets = ['train.steps=6', `output=${output}`].flatMap((set) => ['--set', set]);
        return qkv(['train', tiny.file(task as keyof typeof outputs), ...sets, '--json']);
      }),
    );
    for (const run of [pairs!, text!]) {
      expect(run).toMatchObject({ code: 0, stderr: '' });
      const events = run.stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line) as { kind: string });
      expect(events.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['start', 'step', 'validation', 'saved']));
      expect(events.at(-1)).toMatchObject({ kind: 'end', reason: 'steps', step: 6 });
    }
    const [translated, generated, looked] = await Promise.all([
      qkv(['translate', outputs.translation, 'Tom is here.', 'I am.', '--json']),
      qkv(['generate', outputs['language-model'], 'Tom', '--temperature', '1', '--max-new-tokens', '40', '--json']),
      qkv(['look', outputs['language-model'], 'Tom said 你好。', '--json']),
    ]);
    for (const run of [translated, generated, looked]) expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(JSON.parse(translated.stdout)).toMatchObject([{ source: 'Tom is here.' }, { source: 'I am.' }]);
    expect(JSON.parse(generated.stdout)).toMatchObject({ prompt: 'Tom' });
    // Bytes that are whole characters are shown as these.
    const [{ keyTokens }] = (JSON.parse(looked.stdout) as { attention: [{ keyTokens: string[] }] }).attention;
    expect(keyTokens.join('')).toMatch(/^Tom said /);
  });

  it('tells where a recipe is wrong, and what a name may be', async () => {
    const file = join(tiny.folder, 'wrong.yaml');
    writeFileSync(file, readFileSync(tiny.file('translation'), 'utf8').replace('batchTokens', 'batchTokns'));
    const [wrong, unknown, value] = await Promise.all([
      qkv(['train', file]),
      qkv(['train', 'shakespear']),
      qkv(['train', tiny.file('translation'), '--set', 'train.steps=many']),
    ]);
    expect(wrong).toMatchObject({ code: 1, stdout: '' });
    expect(wrong.stderr).toMatch(/wrong\.yaml:\d+/);
    expect(wrong.stderr).toContain('batchTokens');
    expect(unknown).toMatchObject({ code: 2, stdout: '' });
    expect(unknown.stderr).toContain('Did you mean shakespeare?');
    expect(value.code).not.toBe(0);
    expect(value.stderr).toContain('train.steps');
    for (const run of [wrong, unknown, value]) expect(hasStack(run)).toBe(false);
  });
});
