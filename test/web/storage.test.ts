import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { type Files, type HubServer, startHub } from '../hub/hubServer.ts';
import { type BuiltPage, buildPage } from './buildPage.ts';
import { callSuite } from './callSuite.ts';
import { describeInChromium, launchChromium, openPage, patience } from './chromium.ts';
import { type PageServer, servePage } from './pageServer.ts';

const root = resolve(import.meta.dirname, '../..');
const fixture = (name: string): Buffer => readFileSync(join(root, 'fixtures/parity/gpt2', name));

/** Bytes that tell their place, more than two blocks of a storage. */
const large = Buffer.alloc(40_000_000);
for (let i = 0; i < large.length; i++) large[i] = (i * 31 + (i >> 8) * 17 + (i >> 16)) & 255;
const ranges = [
  [0, 5],
  [16_777_210, 12],
  [39_999_990, 10],
  [20_000_000, 3],
] as const;
const bytesOf = ([offset, length]: readonly [number, number]): number[] => [...large.subarray(offset, offset + length)];

interface HubAnswer {
  readonly family?: string;
  readonly files?: string[];
  readonly first?: number[];
  readonly notes?: string[];
  readonly code?: string;
  readonly message?: string;
  readonly progress: { file: string; done: number; total: number }[];
}

describeInChromium('storages in a page', () => {
  let built: BuiltPage;
  let folder: string;
  let server: PageServer;
  let browser: Awaited<ReturnType<typeof launchChromium>>;
  let page: Page;
  beforeAll(async () => {
    built = await buildPage();
    folder = mkdtempSync(join(tmpdir(), 'qkv-http-'));
    writeFileSync(join(folder, 'large.bin'), large);
    writeFileSync(join(folder, 'small.json'), '{"a": 1}');
    writeFileSync(join(folder, 'empty'), '');
    writeFileSync(join(folder, 'files.json'), '["small.json", "large.bin", "empty"]');
    browser = await launchChromium();
  }, patience);
  beforeEach(async () => {
    server = await servePage({ '': built.folder, 'folder/': folder }, { isIsolated: true });
    ({ page } = await openPage(browser, server.url));
  });
  afterEach(async () => {
    await page.context().close();
    await server[Symbol.asyncDispose]();
  });
  afterAll(async () => {
    await browser?.close();
    await built?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });
  const call = <T>(name: string, ...args: unknown[]): Promise<T> => callSuite(page, 'storage', name, ...args);

  it('reads a folder on a server, large files in blocks', async () => {
    const { list, size, parts, progress } = await call<{
      list: string[];
      size: number;
      parts: number[][];
      progress: object[];
    }>('http', `${server.url}folder`, null, 'large.bin', ranges);
    expect(list).toEqual(['empty', 'large.bin', 'small.json']);
    expect(size).toBe(large.length);
    expect(parts).toEqual(ranges.map(bytesOf));
    expect(progress.at(-1)).toMatchObject({ file: 'large.bin', total: large.length });
    const asked = server.requests.filter((request) => request.includes('large.bin'));
    expect(asked).toEqual([
      'GET /folder/large.bin bytes=0-16777215',
      'GET /folder/large.bin bytes=16777216-33554431',
      'GET /folder/large.bin bytes=33554432-39999999',
    ]);
    expect(await call('http', `${server.url}folder/`, ['empty'], 'empty', [[0, 0]])).toMatchObject({
      size: 0,
      parts: [[]],
    });
    const small = await call('http', `${server.url}folder/`, ['small.json'], 'small.json', [[1, 3]]);
    expect(small).toMatchObject({ list: ['small.json'], size: 8, parts: [[...Buffer.from('"a"')]] });
    expect(server.requests.filter((request) => request.includes('small.json'))).toHaveLength(1);
  });

  it('reads whole files where the server knows no ranges', async () => {
    await using plain = await servePage(
      { '': built.folder, 'folder/': folder },
      { isIsolated: true, knowsRanges: false },
    );
    const { page: other } = await openPage(browser, plain.url);
    const { size, parts } = await callSuite<{ size: number; parts: number[][] }>(
      other,
      'storage',
      'http',
      `${plain.url}folder`,
      null,
      'large.bin',
      ranges,
    );
    expect(size).toBe(large.length);
    expect(parts).toEqual(ranges.map(bytesOf));
    expect(plain.requests.filter((request) => request.includes('large.bin'))).toHaveLength(1);
    await other.context().close();
  });

  it('says what a server does not give', async () => {
    const refusals = await call<{ code: string; message: string }[]>('httpRefusals', `${server.url}elsewhere`);
    expect(refusals.map(({ code }) => code)).toEqual(['io', 'io', 'io', 'io', 'io', 'io']);
    expect(refusals[0]!.message).toContain('elsewhere/files.json: got status 404');
    expect(refusals[5]!.message).toMatch(/no answer: .* Check the connection/);
  });

  it('reads dropped files, of a run those of its model', async () => {
    const { run, alone, refusals } = await call<Record<string, object[]>>('files');
    expect(run).toEqual(['run/model', ['config.json', 'model.safetensors'], '{}', 4]);
    expect(alone).toEqual([['a.gguf'], 'GGUF']);
    expect(refusals!.map((error) => (error as { code: string }).code)).toEqual(['io', 'io', 'io', 'io', 'io']);
  });

  it("keeps files in the browser's file system, each written whole or not at all", async () => {
    expect(await call('opfs')).toEqual({
      before: { code: 'io', message: 'opfs:/tests/one: got cannot list it: it is not there' },
      failed: [
        { code: 'io', message: 'opfs:/tests/one/a: got cannot write it: the power is gone' },
        { code: 'io', message: 'opfs:/tests/one/new: got cannot write it: the power is gone' },
      ],
      kept: 'first',
      values: [['a', 'b', 'c'], 'second', 'more than one', 'own'],
      after: ['a', 'c'],
      part: 'con',
      refusals: [
        { code: 'io', message: expect.stringContaining('bytes 4 to 7 were asked for and it has 6') },
        { code: 'io', message: expect.stringContaining('it is not there') },
        { code: 'io', message: expect.stringContaining('it is not there') },
        { code: 'io', message: expect.stringContaining('file name') },
      ],
    });
  });
});

const [first, second] = ['a'.repeat(40), 'b'.repeat(40)];
const gpt2: Files = {
  'README.md': Buffer.from('# Tiny'),
  'config.json': fixture('config.json'),
  'model.safetensors': fixture('model.safetensors'),
  'pytorch_model.bin': Buffer.alloc(10),
  '1_Pooling/config.json': Buffer.from('{}'),
};
const repositories = {
  'tiny/gpt2': {
    commits: { [first]: gpt2, [second]: { ...gpt2, 'generation_config.json': Buffer.from('{"top_k": 3}') } },
    refs: { main: first, 'refs/pr/1': second },
  },
  'tiny/large': {
    commits: { [first]: { 'config.json': Buffer.from('{}'), 'model.safetensors': large } },
    refs: { main: first },
  },
  'tiny/private': { commits: { [first]: gpt2 }, refs: { main: first }, token: 'hf_secret' },
  'tiny/gated': { commits: { [first]: gpt2 }, refs: { main: first }, isGated: true },
  'tiny/empty': { commits: { [first]: { 'model.gguf': Buffer.alloc(3) } }, refs: { main: first } },
  'tiny/climbing': { commits: { [first]: { ...gpt2, '../../evil.json': Buffer.from('{}') } }, refs: { main: first } },
};

describeInChromium('the hub in a page', () => {
  let built: BuiltPage;
  let browser: Awaited<ReturnType<typeof launchChromium>>;
  let server: PageServer;
  let page: Page;
  let hub: HubServer;
  beforeAll(async () => {
    built = await buildPage();
    browser = await launchChromium();
    server = await servePage({ '': built.folder }, { isIsolated: true });
  }, patience);
  beforeEach(async () => {
    hub = await startHub(repositories);
    ({ page } = await openPage(browser, server.url));
  });
  afterEach(async () => {
    await page.context().close();
    await hub[Symbol.asyncDispose]();
  });
  afterAll(async () => {
    await browser?.close();
    await server?.[Symbol.asyncDispose]();
    await built?.[Symbol.asyncDispose]();
  });
  const open = (name: string, more: object = {}): Promise<HubAnswer> =>
    callSuite(page, 'storage', 'hub', { name, endpoint: hub.url, ...more });
  const bytes = (): Promise<number[][]> =>
    callSuite(page, 'storage', 'hubBytes', { name: 'tiny/large', endpoint: hub.url }, 'model.safetensors', ranges);
  const onFiles = () => hub.requests.filter(({ on }) => on === 'files').map(({ range }) => range ?? 'all');

  it('fetches a model once, and opens it again without its files, over a reload', async () => {
    const found = await open('tiny/gpt2');
    expect(found).toMatchObject({ family: 'gpt2', files: ['config.json', 'model.safetensors'], notes: [] });
    const total = gpt2['config.json']!.length + gpt2['model.safetensors']!.length;
    expect(found.progress.at(-1)).toEqual({ file: 'model.safetensors', done: total, total });
    hub.requests.length = 0;
    await page.reload();
    expect((await open('tiny/gpt2')).first).toEqual(found.first);
    expect(hub.requests.map(({ path }) => path)).toEqual(['/api/models/tiny/gpt2/revision/main']);
    const other = await open('tiny/gpt2@refs/pr/1');
    expect(other.files).toEqual(['config.json', 'generation_config.json', 'model.safetensors']);
  });

  it('goes on where a connection broke, and where the page stopped', async () => {
    hub.faults.broken = { 'model.safetensors': [18_000_000, 1_000_000], json: [1] };
    const broken = await open('tiny/large'); // an answer cut off is no answer
    expect(broken).toMatchObject({ code: 'io', message: expect.stringContaining('no answer') });
    const stopped = await open('tiny/large', { stopAt: 25_000_000 });
    expect(stopped.message).toBe('stopped');
    // what the browser had of a broken connection may be lost, but for whole parts
    const starts = onFiles().map((range) => Number(/\d+/.exec(range)?.[0] ?? 0));
    expect(starts).toHaveLength(3);
    expect(starts[0]).toBe(0);
    expect(starts[1]).toBeGreaterThanOrEqual(16_777_216);
    expect(starts[2]).toBeGreaterThan(starts[1]!);
    hub.requests.length = 0;
    await page.reload();
    expect(await bytes()).toEqual(ranges.map(bytesOf));
    expect(onFiles()).toEqual(['bytes=16777216-']);
  });

  it('starts anew where the server knows no ranges', async () => {
    await open('tiny/large', { stopAt: 25_000_000 });
    hub.faults.ignoresRanges = true;
    expect(await bytes()).toEqual(ranges.map(bytesOf));
  });

  it('refuses bytes that are not those of the hash, and does not keep them', async () => {
    for (const file of ['config.json', 'model.safetensors']) {
      hub.faults.damaged.add(file);
      const message = expect.stringMatching(`${file}: got bytes with the checksum`);
      expect(await open('tiny/gpt2')).toMatchObject({ code: 'checkpoint', message });
      hub.faults.damaged.clear();
    }
    expect(await open('tiny/gpt2')).toMatchObject({ family: 'gpt2' });
  });

  it('opens the copy that is there when the hub does not answer', async () => {
    await open('tiny/gpt2');
    hub.faults.status = 503;
    expect(await open('tiny/gpt2')).toMatchObject({ family: 'gpt2', notes: [expect.stringContaining('status 503')] });
    await page.context().setOffline(true);
    expect(await open('tiny/gpt2')).toMatchObject({ family: 'gpt2', notes: [expect.stringContaining('offline')] });
    expect(await open('tiny/large')).toMatchObject({
      code: 'io',
      message: expect.stringContaining('Check the connection'),
    });
    await page.context().setOffline(false);
  });

  it.each([
    ['tiny/none', 'io', /no such model .*A private model needs a token/],
    ['tiny/gated', 'io', /owner gives access on request .*Accept its terms at .*tiny\/gated/],
    ['tiny/gpt2@v9', 'io', /no revision "v9"/],
    ['tiny/empty', 'checkpoint', /no config.json among model.gguf/],
    ['tiny/climbing', 'checkpoint', /a file named .*evil.json/],
    ['gpt2', 'usage', /expected org\/name/],
  ])('refuses %s in words', async (name, code, message) => {
    expect(await open(name)).toMatchObject({ code, message: expect.stringMatching(message) });
  });

  it('shows the token to the hub alone', async () => {
    expect(await open('tiny/private', { token: 'hf_secret' })).toMatchObject({ family: 'gpt2' });
    expect(hub.requests.filter(({ on }) => on === 'files').map(({ authorization }) => authorization)).toEqual([
      undefined,
    ]);
    expect(await open('tiny/private')).toMatchObject({ code: 'io' });
  });

  it('says that there is no room', async () => {
    const session = await page.context().newCDPSession(page);
    await session.send('Storage.overrideQuotaForOrigin', {
      origin: server.url.replace(/\/$/, ''),
      quotaSize: 20_000_000,
    });
    expect(await open('tiny/large')).toMatchObject({ code: 'io', message: expect.stringContaining('no more room') });
    expect(await open('tiny/gpt2')).toMatchObject({ family: 'gpt2' });
  });
});
