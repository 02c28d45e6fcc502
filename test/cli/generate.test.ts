import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Models, makeModels } from './models.ts';
import { qkv, root } from './qkv.ts';

let models: Models;
beforeAll(() => {
  models = makeModels();
});
afterAll(() => models[Symbol.dispose]());

const usageError = { code: 2, stdout: '' };

interface Generated {
  prompt: string;
  continuations: { text: string; ids: number[]; finish: string }[];
}

describe('qkv generate', () => {
  it('tells the documented story of a trained model', async () => {
    const run = await qkv(['generate', 'fixtures/models/stories260K', '', '--max-new-tokens', '256']);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(run.stdout).toBe(readFileSync(join(root, 'fixtures/models/stories260K.txt'), 'utf8'));
  });

  it('streams what JSON gives at once', async () => {
    const args = ['generate', models.gpt2, 'The dog', '--temperature', '1', '--seed', '5', '--max-new-tokens', '12'];
    const [streamed, json, piped] = await Promise.all([
      qkv(args),
      qkv([...args, '--json']),
      qkv([...args.slice(0, 2), ...args.slice(3)], { input: 'The dog\n' }),
    ]);
    expect(streamed).toMatchObject({ code: 0, stderr: '' });
    const { prompt, continuations } = JSON.parse(json.stdout) as Generated;
    expect(prompt).toBe('The dog');
    expect(continuations).toHaveLength(1);
    expect(streamed.stdout).toBe(`The dog${continuations[0]!.text}\n`);
    expect(piped.stdout).toBe(streamed.stdout);
  });

  it('goes on beyond the positions of the model, sample by sample', async () => {
    // Without an end token nothing stops it early: 100 tokens of a model with 40 positions.
    const endless = join(models.folder, 'endless');
    cpSync(models.gpt2, endless, { recursive: true });
    const config = JSON.parse(readFileSync(join(endless, 'config.json'), 'utf8')) as Record<string, unknown>;
    writeFileSync(join(endless, 'config.json'), JSON.stringify({ ...config, eos_token_id: null }));
    rmSync(join(endless, 'generation_config.json'));
    const args = ['generate', endless, 'A', '--top-k', '30', '--samples', '3', '--max-new-tokens', '100', '--json'];
    const run = await qkv(args);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    const { continuations } = JSON.parse(run.stdout) as Generated;
    expect(continuations.map(({ ids }) => ids.length)).toEqual([100, 100, 100]);
    expect(new Set(continuations.map(({ text }) => text)).size).toBe(3);
  });

  it('stops at Ctrl-C and says so', async () => {
    const args = ['generate', models.gpt2, 'Once', '--max-new-tokens', '100000', '--top-k', '5'];
    const run = await qkv(args, { interruptAfter: 'Once' });
    expect(run).toMatchObject({ code: 130, stderr: 'stopped\n' });
  });

  it('refuses several equal samples', async () => {
    const finished = await qkv(['generate', models.gpt2, 'A', '--samples', '2']);
    expect(finished).toMatchObject(usageError);
    expect(finished.stderr).toContain('--temperature 1');
  });

  it('begins with the token that begins texts where there is no prompt', async () => {
    const run = await qkv(['generate', models.gpt2, '', '--max-new-tokens', '3', '--json']);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect((JSON.parse(run.stdout) as Generated).continuations[0]!.ids.length).toBeGreaterThan(0);
  });
});
