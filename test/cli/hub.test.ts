import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { type HubServer, startHub } from '../hub/hubServer.ts';
import { type Models, makeModels } from './models.ts';
import { hasStack, qkv } from './qkv.ts';

const commit = 'c'.repeat(40);
const generate = (model: string) => ['generate', model, 'ROMEO:', '--max-new-tokens', '8'];

let models: Models;
let hub: HubServer;
let env: Record<string, string>;
beforeAll(async () => {
  models = makeModels();
  const files = Object.fromEntries(
    readdirSync(models.gpt2).map((name) => [name, readFileSync(join(models.gpt2, name))]),
  );
  const dataset = {
    'train.jsonl': Buffer.from('{"text": "no"}\n'),
    'test.jsonl': Buffer.from('{"text": "ROMEO: what"}\n'),
  };
  hub = await startHub({
    'tiny/gpt2': { commits: { [commit]: files }, refs: { main: commit } },
    'datasets/tiny/lines': { commits: { [commit]: dataset }, refs: { main: commit } },
  });
  const home = mkdtempSync(join(tmpdir(), 'qkv-home-'));
  env = { HF_ENDPOINT: hub.url, HF_HOME: home, HF_HUB_CACHE: '', HF_HUB_OFFLINE: '', HF_TOKEN: '' };
});
afterAll(async () => {
  await hub[Symbol.asyncDispose]();
  models[Symbol.dispose]();
  rmSync(env['HF_HOME']!, { recursive: true, force: true });
});

it('Ctrl-C stops a download, the next command goes on with it, and later ones need no network', async () => {
  const blobs = join(env['HF_HOME']!, 'hub/models--tiny--gpt2/blobs');
  hub.faults.isStopped = true;
  const interruptOn = vi.waitUntil(
    () => existsSync(blobs) && readdirSync(blobs).some((name) => statSync(join(blobs, name)).size === 1000),
    { timeout: 20_000 },
  );
  const stopped = await qkv(generate('tiny/gpt2'), { env, interruptOn });
  expect(stopped).toMatchObject({ code: 130, stdout: '', stderr: 'stopped\n' });

  hub.faults.isStopped = false;
  hub.requests.length = 0;
  const [fetched, local] = [await qkv(generate('tiny/gpt2'), { env }), await qkv(generate(models.gpt2))];
  expect(fetched).toEqual({ code: 0, stdout: local.stdout, stderr: '' }); // no bar: it is no terminal
  expect(hub.requests.filter(({ on }) => on === 'files').map(({ range }) => range)).toEqual(['bytes=1000-']);

  const unreachable = await qkv(generate('tiny/gpt2@main'), { env: { ...env, HF_ENDPOINT: 'http://127.0.0.1:9' } });
  expect(unreachable).toMatchObject({ code: 0, stdout: local.stdout });
  expect(unreachable.stderr).toMatch(/^note: .*using the copy in the cache\n$/);
  const offline = await qkv(generate('tiny/gpt2'), { env: { ...env, HF_HUB_OFFLINE: '1' } });
  expect(offline).toEqual({ code: 0, stdout: local.stdout, stderr: '' });
});

it('says that neither the hub nor the disk has a model', async () => {
  const finished = await qkv(generate('tiny/none'), { env });
  expect(finished).toMatchObject({ code: 1, stdout: '' });
  expect(finished.stderr).toContain('no such model');
  expect(finished.stderr).toContain('nor a folder of this name');
  expect(hasStack(finished)).toBe(false);
});

it('Ctrl-C stops what a training fetches and leaves no run; the next one goes on with it', async () => {
  const home = mkdtempSync(join(tmpdir(), 'qkv-home-'));
  const own = { ...env, HF_HOME: home };
  const output = join(home, 'run');
  const settings = ['model={family: pretrained, from: tiny/gpt2}', 'tokenizer={kind: model}', `output=${output}`];
  const short = ['train.steps=1', 'train.blockSize=16', 'evaluate={blocks: 1, sampleTokens: 0}'];
  const train = ['train', 'shakespeare', ...[...settings, ...short].flatMap((one) => ['--set', one])];
  const blobs = join(home, 'hub/models--tiny--gpt2/blobs');
  hub.faults.isStopped = true;
  const interruptOn = vi.waitUntil(
    () => existsSync(blobs) && readdirSync(blobs).some((name) => statSync(join(blobs, name)).size === 1000),
    { timeout: 20_000 },
  );
  expect(await qkv(train, { env: own, interruptOn })).toMatchObject({ code: 130, stdout: '', stderr: 'stopped\n' });
  expect(existsSync(output)).toBe(false);

  hub.faults.isStopped = false;
  const trained = await qkv(train, { env: own });
  expect(trained).toMatchObject({ code: 0, stderr: '' });
  expect(existsSync(join(output, 'model/model.safetensors'))).toBe(true);
  rmSync(home, { recursive: true, force: true });
});

it('evaluates on a split of a dataset', async () => {
  const evaluate = ['eval', models.gpt2, '--data', 'tiny/lines', '--no-out', '--json'];
  const found = await qkv([...evaluate, '--split', 'test'], { env });
  expect(found).toMatchObject({ code: 0, stderr: '' });
  const local = join(env['HF_HOME']!, 'hub/datasets--tiny--lines/snapshots', commit, 'test.jsonl');
  const same = await qkv(['eval', models.gpt2, '--data', local, '--no-out', '--json'], { env });
  const { split, ...ours } = JSON.parse(found.stdout) as Record<string, unknown>;
  expect(split).toBe('test');
  expect({ ...ours, data: local }).toEqual(JSON.parse(same.stdout));

  expect((await qkv([...evaluate, '--split', 'dev'], { env })).stderr).toContain('test');
  expect((await qkv([...evaluate, '--config', 'en'], { env })).stderr).toContain('--split as well');
  const path = await qkv(['eval', models.gpt2, '--data', './a/b/c.tsv', '--split', 'test', '--no-out'], { env });
  expect(path.stderr).toContain('org/name of a dataset');
});
