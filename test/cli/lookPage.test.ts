import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isModelHere, servedModels } from '../../apps/cli/page/servedModels.ts';
import { type RunningSite, serveSite } from '../../apps/cli/page/serveSite.ts';
import { addFolder, type Site } from '../../apps/cli/page/site.ts';
import { look } from './lookServer.ts';
import { type Models, makeModels } from './models.ts';
import { hasStack, qkv, root } from './qkv.ts';

interface Answer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: Buffer;
}

/** A request as it is written: `fetch` would tidy the path, and set Host itself. */
function ask(
  url: string,
  path: string,
  { method = 'GET', headers = {} }: { method?: string; headers?: Record<string, string> } = {},
): Promise<Answer> {
  const { hostname, port } = new URL(url);
  return new Promise((done, fail) => {
    const sent = request({ host: hostname.replace(/[[\]]/g, ''), port, path, method, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        done({ status: response.statusCode!, headers: response.headers, body: Buffer.concat(chunks) }),
      );
    });
    sent.on('error', fail).end();
  });
}

describe('the server of the page', () => {
  let folder: string;
  let site: Site;
  let running: RunningSite;
  const weights = Uint8Array.from({ length: 1000 }, (_, i) => i % 251);
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'qkv-site-'));
    mkdirSync(join(folder, 'page/assets'), { recursive: true });
    writeFileSync(join(folder, 'secret.txt'), 'secret');
    writeFileSync(join(folder, 'page/index.html'), '<!doctype html><title>page</title>');
    writeFileSync(join(folder, 'page/assets/main-Ab3_x-9Q.js'), 'export {};');
    writeFileSync(join(folder, 'page/engine.wasm'), weights);
    writeFileSync(join(folder, 'page/空.json'), '');
    symlinkSync(join(folder, 'secret.txt'), join(folder, 'page/link.txt'));
    site = new Map();
    addFolder(site, join(folder, 'page'));
    running = await serveSite(site, { host: '127.0.0.1', port: 0 });
  });
  afterAll(async () => {
    await running[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  it('sends the page isolated, with its policy and its types', async () => {
    const page = await ask(running.url, '/?x#y');
    expect(page).toMatchObject({
      status: 200,
      headers: {
        'content-type': 'text/html; charset=utf-8',
        'cross-origin-opener-policy': 'same-origin',
        'cross-origin-embedder-policy': 'require-corp',
        'cross-origin-resource-policy': 'same-origin',
        'x-content-type-options': 'nosniff',
        'cache-control': 'no-cache',
      },
    });
    const policy = String(page.headers['content-security-policy']);
    for (const rule of ["default-src 'none'", "script-src 'self' 'wasm-unsafe-eval'", "frame-ancestors 'none'"]) {
      expect(policy.split('; ')).toContain(rule);
    }
    expect(policy).not.toMatch(/unsafe-(inline|eval)'.*script|script-src[^;]*'unsafe-(inline|eval)'/);
    const [script, wasm, head, empty, missing] = await Promise.all([
      ask(running.url, '/assets/main-Ab3_x-9Q.js'),
      ask(running.url, '/engine.wasm'),
      ask(running.url, '/engine.wasm', { method: 'HEAD' }),
      ask(running.url, `/${encodeURIComponent('空.json')}`),
      ask(running.url, '/nothing.js'),
    ]);
    expect(script.headers['content-type']).toBe('text/javascript; charset=utf-8');
    expect(script.headers['cache-control']).toBe('public, max-age=31536000, immutable');
    expect(wasm.headers['content-type']).toBe('application/wasm');
    expect(Uint8Array.from(wasm.body)).toEqual(weights);
    expect(head).toMatchObject({ status: 200, headers: { 'content-length': '1000' }, body: Buffer.alloc(0) });
    expect(empty).toMatchObject({ status: 200, headers: { 'content-length': '0' }, body: Buffer.alloc(0) });
    for (const one of [script, wasm, missing]) expect(one.headers['content-security-policy']).toBe(policy);
    expect(missing.status).toBe(404);
  });

  it('sends what changed since, and parts', async () => {
    const whole = await ask(running.url, '/engine.wasm');
    const tag = String(whole.headers['etag']);
    const known = (value: string) => ask(running.url, '/engine.wasm', { headers: { 'If-None-Match': value } });
    expect(await known(`"other", W/${tag}`)).toMatchObject({ status: 304, body: Buffer.alloc(0) });
    expect((await known('"other"')).status).toBe(200);
    const part = (range: string, more: Record<string, string> = {}) =>
      ask(running.url, '/engine.wasm', { headers: { Range: range, ...more } });
    for (const [range, first, last] of [
      ['bytes=0-0', 0, 0],
      ['bytes=10-19', 10, 19],
      ['bytes=990-', 990, 999],
      ['bytes=990-5000', 990, 999],
      ['bytes=-3', 997, 999],
      ['bytes=-5000', 0, 999],
    ] as const) {
      const found = await part(range);
      expect(found).toMatchObject({ status: 206, headers: { 'content-range': `bytes ${first}-${last}/1000` } });
      expect(Uint8Array.from(found.body)).toEqual(weights.slice(first, last + 1));
    }
    for (const range of ['bytes=1000-', 'bytes=-0']) {
      expect(await part(range)).toMatchObject({ status: 416, headers: { 'content-range': 'bytes */1000' } });
    }
    for (const range of ['bytes=5-4', 'bytes=-', 'bytes=0-1,3-4', 'lines=0-1']) {
      const found = await part(range);
      expect(found).toMatchObject({ status: 200 });
      expect(found.body).toHaveLength(1000);
    }
    expect((await part('bytes=0-1', { 'If-Range': tag })).status).toBe(206);
    expect((await part('bytes=0-1', { 'If-Range': '"other"' })).status).toBe(200);
  });

  it('gives nothing but what was put there, whatever the address', async () => {
    expect((await ask(running.url, '/link.txt')).status).toBe(404);
    const pieces = fc.constantFrom(
      '..', '.', '/', '\\', '%2e%2e', '%2E', '%2f', '%5c', '%252e%252e', '%00', '%c0%ae', '%', '//', 'secret.txt',
      'page', 'assets', '..;', '?', folder, 'file:', 'http://localhost', '%ff', 'index.html%20', '~', '__proto__',
    ); // biome-ignore format: a list
    await fc.assert(
      fc.asyncProperty(fc.array(pieces, { maxLength: 8 }), fc.constantFrom('', '/'), async (parts, between) => {
        const path = `/${parts.join(between)}`;
        const { status, body } = await ask(running.url, path);
        expect(body.toString()).not.toContain('secret');
        if (status === 200) expect(site.has(path.replace(/[?#].*/, '').slice(1) || 'index.html')).toBe(true);
        else expect(status).toBe(404);
      }),
      { numRuns: 500 },
    );
  });

  it('answers to its own names, and to reading alone', async () => {
    const as = async (host: string) => (await ask(running.url, '/', { headers: { Host: host } })).status;
    for (const host of ['localhost', 'localhost:4173', '127.0.0.1:80', '[::1]:9', '192.168.1.7']) {
      expect(await as(host)).toBe(200);
    }
    for (const host of [
      'evil.example',
      'localhost.evil.example:4173',
      '127.0.0.1.evil.example',
      'localhost@evil.example',
    ]) {
      expect(await as(host)).toBe(421);
    }
    for (const method of ['POST', 'PUT', 'DELETE', 'OPTIONS']) {
      expect(await ask(running.url, '/', { method })).toMatchObject({ status: 405, headers: { allow: 'GET, HEAD' } });
    }
    await using named = await serveSite(site, { host: 'localhost', port: 0 });
    expect((await ask(named.url, '/', { headers: { Host: 'qkv.example' } })).status).toBe(421);
  });

  it('survives who goes away in the middle, and ends with connections open', async () => {
    const other = await serveSite(site, { host: '127.0.0.1', port: 0 });
    const { port } = new URL(other.url);
    writeFileSync(join(folder, 'page/large.bin'), new Uint8Array(20_000_000));
    site.set('large.bin', { kind: 'file', path: join(folder, 'page/large.bin') });
    const socket = connect(Number(port), '127.0.0.1');
    socket.write('GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await once(socket, 'data');
    socket.destroy();
    expect((await ask(other.url, '/')).status).toBe(200);
    const waiting = connect(Number(port), '127.0.0.1');
    waiting.on('error', () => {});
    waiting.write('GET /large.bin HTTP/1.1\r\nHost: localhost\r\n\r\n');
    await once(waiting, 'data');
    waiting.pause();
    await other[Symbol.asyncDispose]();
    await expect(ask(other.url, '/')).rejects.toThrow();
    waiting.destroy();
  });
});

describe('the models that are served', () => {
  it('are the files that a model needs, under a name of their own', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'qkv-served-'));
    const put = (...files: string[]) => {
      for (const file of files) {
        mkdirSync(join(folder, file, '..'), { recursive: true });
        writeFileSync(
          join(folder, file),
          file.endsWith('.index.json') ? '{"weight_map":{"a":"model-1.safetensors"}}' : '{}',
        );
      }
    };
    put(
      'runs/小/model/config.json',
      'runs/小/model/model.safetensors',
      'runs/小/model/optimizer.safetensors',
      'runs/小/recipe.yaml',
    );
    put(
      'shards/config.json',
      'shards/model.safetensors.index.json',
      'shards/model-1.safetensors',
      'shards/examples.json',
      'shards/tuned-lens.safetensors',
    );
    put('one/tiny.Q4_1.gguf', 'one/other.txt', 'lora/adapter_config.json', 'notes/readme.md');
    const at = (path: string) => join(folder, path);
    const served = await servedModels(['runs/小', 'runs/小/model', 'shards', 'one/tiny.Q4_1.gguf', 'one'].map(at));
    expect(served.map(({ name, files }) => [name, [...files].sort()])).toEqual([
      ['小', ['config.json', 'model.safetensors']],
      ['小-2', ['config.json', 'model.safetensors']],
      [
        'shards',
        [
          'config.json',
          'examples.json',
          'model-1.safetensors',
          'model.safetensors.index.json',
          'tuned-lens.safetensors',
        ],
      ],
      ['tiny.Q4_1', ['tiny.Q4_1.gguf']],
      ['one', ['tiny.Q4_1.gguf']],
    ]);
    for (const path of ['runs/小', 'shards', 'one', 'one/tiny.Q4_1.gguf', 'lora'])
      expect(isModelHere(at(path))).toBe(true);
    for (const path of ['notes', 'notes/readme.md', 'nothing', '', 'no.gguf']) {
      expect(isModelHere(path === '' ? '' : at(path))).toBe(false);
    }
    await expect(servedModels([at('lora')])).rejects.toThrow(/LoRA adapter.*qkv convert/);
    await expect(servedModels([at('notes')])).rejects.toMatchObject({ code: 'io' });
    rmSync(folder, { recursive: true });
  });
});

describe('qkv look without a text', () => {
  let models: Models;
  beforeAll(() => {
    models = makeModels();
  });
  afterAll(() => models[Symbol.dispose]());

  it('serves the page and the files of its models, until Ctrl-C', { timeout: 300_000 }, async () => {
    writeFileSync(join(models.gpt2, 'notes.md'), 'not for others');
    const stories = 'fixtures/models/stories260K';
    const { line, stop } = await look([models.marian, models.gpt2, stories, models.gpt2, '--port', '0', '--json']);
    const { url, models: served } = JSON.parse(line) as { url: string; models: unknown };
    expect(served).toEqual([
      { name: 'marian', from: models.marian },
      { name: 'gpt2', from: models.gpt2 },
      { name: 'stories260K', from: stories },
      { name: 'gpt2-2', from: models.gpt2 },
    ]);
    expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/#model=served%3Amarian$/);
    const page = await ask(url, '/');
    expect(page.status).toBe(200);
    expect(page.body.toString()).toMatch(/^<!doctype html>/i);
    const list = JSON.parse((await ask(url, '/served/index.json')).body.toString()) as {
      name: string;
      bytes: number;
      files: string[];
    }[];
    expect(list.map(({ name }) => name)).toEqual(['marian', 'gpt2', 'stories260K', 'gpt2-2']);
    expect(list[1]!.files).toContain('model.safetensors');
    expect(list[1]!.files).toContain('tokenizer.json');
    expect(
      list[1]!.files.filter((file) => !/\.(json|safetensors)$/.test(file) || file === 'expected.safetensors'),
    ).toEqual([]);
    expect(list[1]!.bytes).toBe(list[1]!.files.reduce((sum, file) => sum + statSync(join(models.gpt2, file)).size, 0));
    for (const file of list[0]!.files) {
      expect((await ask(url, `/served/marian/${file}`)).body).toEqual(readFileSync(join(models.marian, file)));
    }
    for (const path of ['/served/gpt2/notes.md', '/served/gpt2/', '/served/gpt2', '/served/other/config.json']) {
      expect((await ask(url, path)).status).toBe(404);
    }
    const finished = await stop();
    expect(finished).toMatchObject({ code: 0 });
    expect(hasStack(finished)).toBe(false);
    await expect(ask(url, '/')).rejects.toThrow();
  });

  it('puts the text into the address, and takes the next port where one is taken', { timeout: 120_000 }, async () => {
    const first = await look([models.marian, 'Where & when?', '--target', '#1', '--page']);
    const second = await look([]);
    const at = new URL(first.line);
    const state = new URLSearchParams(at.hash.slice(1));
    expect(state.get('model')).toBe('served:marian');
    expect([state.get('text'), state.get('target')]).toEqual(['Where & when?', '#1']);
    await using pair = await look([
      join(root, 'models/bert-zh'),
      '你好。',
      '--pair',
      '再见。',
      '--page',
      '--port',
      '0',
    ]);
    expect(new URLSearchParams(new URL(pair.line).hash.slice(1)).get('pair')).toBe('再见。');
    expect(JSON.parse((await ask(second.line, '/served/index.json')).body.toString())).toEqual([]);
    expect(new URL(second.line).port).not.toBe(at.port);
    const taken = await qkv(['look', models.marian, '--port', at.port]);
    expect(taken).toMatchObject({ code: 1, stdout: '' });
    expect(taken.stderr).toContain(`port ${at.port}`);
    for (const one of [first, second]) expect(await one.stop()).toMatchObject({ code: 0 });
  });

  it.skipIf(process.platform === 'win32')('opens the browser when asked, and says so where it cannot', async () => {
    const tools = mkdtempSync(join(tmpdir(), 'qkv-open-'));
    const none = await look(['--port', '0', '--open'], { PATH: tools });
    await expect.poll(() => none.said(), { timeout: 20_000 }).toContain('no browser could be opened');
    expect(await none.stop()).toMatchObject({ code: 0 });
    for (const name of ['xdg-open', 'open']) {
      writeFileSync(join(tools, name), `#!/bin/sh\nprintf %s "$1" > '${tools}/opened'\n`, { mode: 0o755 });
    }
    const found = await look([models.marian, '--port', '0', '--open'], { PATH: `${tools}:/usr/bin:/bin` });
    await expect
      .poll(() => existsSync(join(tools, 'opened')) && readFileSync(join(tools, 'opened'), 'utf8'))
      .toBe(found.line);
    expect(await found.stop()).toMatchObject({ code: 0 });
    rmSync(tools, { recursive: true });
  });

  it.each([
    ['a picture without a text', ['--grid'], 2, 'no TEXT'],
    ['an option of the page with a picture', ['text', '--port', '0'], 2, '--page'],
    ['two texts', ['a text', 'another'], 2, 'quotes'],
    ['a picture of two models', ['fixtures/models/stories260K', 'text'], 2, '2 models'],
    ['a target of nothing', ['--target', 'x'], 2, 'no TEXT'],
    ['a pair of nothing', ['--pair', 'x'], 2, 'no TEXT'],
    ['an address of another machine', ['--host', '192.0.2.1'], 1, '192.0.2.1'],
  ] as const)('refuses %s', { timeout: 120_000 }, async (_, args, code, words) => {
    const finished = await qkv(['look', models.marian, ...args]);
    expect(finished).toMatchObject({ code, stdout: '' });
    expect(finished.stderr).toContain(words);
    expect(hasStack(finished)).toBe(false);
  });
});
