import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { hubModel } from '../../src/hub/hubModel.node.ts';
import { parseHubName } from '../../src/hub/hubName.ts';
import { openModel } from '../../src/pretrained/openModel.node.ts';
import { type Files, type HubServer, type Repository, startHub } from './hubServer.ts';

const fixture = resolve(import.meta.dirname, '../../fixtures/parity/gpt2');
const read = (name: string) => readFileSync(join(fixture, name));
const weights = read('model.safetensors');
const [first, second] = ['a'.repeat(40), 'b'.repeat(40)];
const gpt2: Files = {
  '.gitattributes': Buffer.from('*.safetensors filter=lfs'),
  'README.md': Buffer.from('# Tiny'),
  'config.json': read('config.json'),
  'model.safetensors': weights,
  'onnx/model.bin': Buffer.alloc(10),
  'pytorch_model.bin': Buffer.alloc(10),
  '1_Pooling/config.json': Buffer.from('{"pooling_mode_mean_tokens": true}'),
};
const half = weights.length >> 1;
const sharded: Files = {
  'config.json': gpt2['config.json']!,
  'model.safetensors.index.json': Buffer.from(
    '{"weight_map": {"x": "model-1.safetensors", "y": "model-2.safetensors"}}',
  ),
  'model-1.safetensors': weights.subarray(0, half),
  'model-2.safetensors': weights.subarray(half),
  'model-3.safetensors': Buffer.alloc(5),
};
const repositories: Record<string, Repository> = {
  'tiny/gpt2': {
    commits: { [first]: gpt2, [second]: { ...gpt2, 'generation_config.json': Buffer.from('{"top_k": 3}') } },
    refs: { main: first, 'refs/pr/1': second },
  },
  'tiny/sharded': { commits: { [first]: sharded }, refs: { main: first } },
  'tiny/private': { commits: { [first]: gpt2 }, refs: { main: first }, token: 'hf_secret' },
  'tiny/gated': { commits: { [first]: gpt2 }, refs: { main: first }, isGated: true },
  'tiny/empty': { commits: { [first]: { 'model.gguf': Buffer.alloc(3) } }, refs: { main: first } },
  'tiny/climbing': {
    commits: { [first]: { ...gpt2, '../../../evil.json': Buffer.from('{}') } },
    refs: { main: first },
  },
  'tiny/escaping': {
    commits: {
      [first]: { ...sharded, 'model.safetensors.index.json': Buffer.from('{"weight_map": {"x": "../../evil.bin"}}') },
    },
    refs: { main: first },
  },
};

let hub: HubServer;
let home: string;
beforeEach(async () => {
  hub = await startHub(repositories);
  home = mkdtempSync(join(tmpdir(), 'qkv-hub-'));
  for (const name of Object.keys(process.env))
    if (/^(HF_|HUGGING|TRANSFORMERS_)/.test(name)) vi.stubEnv(name, undefined);
  vi.stubEnv('HF_HOME', home);
  vi.stubEnv('HF_ENDPOINT', `${hub.url}/`);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await hub[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

const fetchModel = (text: string, options = {}) => hubModel(parseHubName(text)!, options);
const folderOf = (id: string) => join(home, 'hub', `models--${id.replace('/', '--')}`);
const snapshot = (id: string, commit: string) => join(folderOf(id), 'snapshots', commit);
const rangesOf = (path: string) =>
  hub.requests.filter((seen) => seen.on === 'files' && seen.path.includes(path)).map(({ range }) => range);
/** The one unfinished file. */
const partial = (id: string) => {
  const names = readdirSync(join(folderOf(id), 'blobs')).filter((name) => name.endsWith('incomplete'));
  expect(names).toHaveLength(1);
  return join(folderOf(id), 'blobs', names[0]!);
};

describe('hubModel', () => {
  it("fetches what a model needs into the cache that Python's library has too", async () => {
    const progress: number[] = [];
    const folder = await fetchModel('tiny/gpt2', {
      onProgress: ({ done, total }: { done: number; total: number }) => progress.push(done / total),
    });
    expect(folder).toBe(snapshot('tiny/gpt2', first));
    expect(readdirSync(folder, { recursive: true }).sort()).toEqual([
      '1_Pooling',
      '1_Pooling/config.json',
      'config.json',
      'model.safetensors',
    ]);
    expect(readFileSync(join(folder, 'model.safetensors'))).toEqual(weights);
    const blob = readlinkSync(join(folder, '1_Pooling/config.json'));
    expect(blob).toMatch(/^\.\.\/\.\.\/\.\.\/blobs\/[0-9a-f]{40}$/);
    expect(readlinkSync(join(folder, 'model.safetensors'))).toMatch(/^\.\.\/\.\.\/blobs\/[0-9a-f]{64}$/);
    expect(readFileSync(join(folderOf('tiny/gpt2'), 'refs/main'), 'utf8')).toBe(first);
    expect(progress.at(-1)).toBe(1);
    expect(progress).toEqual(progress.toSorted((a, b) => a - b));

    const before = hub.requests.length;
    expect(await fetchModel('tiny/gpt2')).toBe(folder);
    expect(hub.requests.length - before).toBe(1); // is main still this commit?
  });

  it('opens a model', async () => {
    const { model, arena } = await openModel('tiny/gpt2');
    const local = await openModel(fixture);
    expect(model.family).toBe('gpt2');
    expect(arena.tensors).toEqual(local.arena.tensors);
  });

  it('takes a folder of the name first', async () => {
    await expect(openModel(fixture, { revision: 'main' })).rejects.toMatchObject({ code: 'usage' });
    await expect(openModel('tiny/gpt2@main', { revision: 'main' })).rejects.toMatchObject({ code: 'usage' });
    await expect(openModel('./tiny/gpt2')).rejects.toMatchObject({ code: 'io' });
    expect(hub.requests).toEqual([]);
  });

  it('fetches the shards that the index names', async () => {
    const folder = await fetchModel('tiny/sharded');
    expect(readdirSync(folder).sort()).toEqual([
      'config.json',
      'model-1.safetensors',
      'model-2.safetensors',
      'model.safetensors.index.json',
    ]);
  });

  it.each(['refs/pr/1', second])('fetches the revision %s', async (revision) => {
    const { generationConfig } = await openModel('tiny/gpt2', { revision });
    expect(generationConfig).toEqual({ top_k: 3 });
    expect(await fetchModel(`tiny/gpt2@${revision}`)).toBe(snapshot('tiny/gpt2', second));
    const refs = join(folderOf('tiny/gpt2'), 'refs');
    expect(existsSync(refs) ? readFileSync(join(refs, revision), 'utf8') : second).toBe(second);
    expect(existsSync(join(refs, 'main'))).toBe(false);
  });

  it('fetches a new commit of a branch, and of it only what is new', async () => {
    await fetchModel('tiny/gpt2');
    repositories['tiny/gpt2']!.refs['main'] = second;
    try {
      expect(await fetchModel('tiny/gpt2')).toBe(snapshot('tiny/gpt2', second));
    } finally {
      repositories['tiny/gpt2']!.refs['main'] = first;
    }
    expect(rangesOf('model.safetensors')).toHaveLength(1);
    expect(readFileSync(join(folderOf('tiny/gpt2'), 'refs/main'), 'utf8')).toBe(second);
  });
});

describe('a broken connection', () => {
  it('is opened again where it broke', async () => {
    hub.faults.broken['model.safetensors'] = [10_000, 5_000];
    const folder = await fetchModel('tiny/gpt2');
    expect(readFileSync(join(folder, 'model.safetensors'))).toEqual(weights);
    const starts = rangesOf('model.safetensors').map((range) => Number(/^bytes=(\d+)-$/.exec(range ?? 'bytes=0-')![1]));
    expect(starts).toHaveLength(3);
    expect(starts[1]).toBeGreaterThan(0);
    expect(starts[1]).toBeLessThanOrEqual(10_000);
    expect(starts[2]).toBeGreaterThan(starts[1]!);
    expect(starts[2]).toBeLessThanOrEqual(15_000);
  });

  it('goes on in the next call after an abort', async () => {
    hub.faults.isStopped = true;
    const controller = new AbortController();
    const onProgress = ({ file, done }: { file: string; done: number }) => {
      if (file === 'model.safetensors' && done >= 1000) controller.abort(new Error('enough'));
    };
    await expect(fetchModel('tiny/gpt2', { signal: controller.signal, onProgress })).rejects.toThrow('enough');
    const { size } = statSync(partial('tiny/gpt2'));
    expect(size).toBe(1000);
    expect(existsSync(join(folderOf('tiny/gpt2'), 'refs'))).toBe(false);

    hub.faults.isStopped = false;
    hub.requests.length = 0;
    const folder = await fetchModel('tiny/gpt2');
    expect(rangesOf('model.safetensors')).toEqual(['bytes=1000-']);
    expect(readFileSync(join(folder, 'model.safetensors'))).toEqual(weights);
  });

  it('starts anew where the server knows no ranges', async () => {
    hub.faults.ignoresRanges = true;
    hub.faults.broken['model.safetensors'] = [10_000];
    const folder = await fetchModel('tiny/gpt2');
    expect(readFileSync(join(folder, 'model.safetensors'))).toEqual(weights);
  });
});

describe('several at once', () => {
  it('in one process', async () => {
    hub.faults.broken['model.safetensors'] = [10_000, 20_000];
    const folders = await Promise.all(Array.from({ length: 4 }, () => fetchModel('tiny/gpt2')));
    expect(readFileSync(join(folders[0]!, 'model.safetensors'))).toEqual(weights);
    expect(new Set(folders).size).toBe(1);
    const blobs = readdirSync(join(folderOf('tiny/gpt2'), 'blobs'));
    expect(blobs.filter((name) => !/^[0-9a-f]+$/.test(name))).toEqual([]);
  });

  it('in several processes', async () => {
    const code = `
      import { hubModel } from ${JSON.stringify(resolve(import.meta.dirname, '../../src/hub/hubModel.node.ts'))};
      await hubModel({ kind: 'model', id: 'tiny/sharded', revision: undefined });`;
    const run = () =>
      new Promise<number | null>((done) => {
        const child = spawn(process.execPath, ['--input-type=module', '-e', code], { stdio: 'inherit' });
        child.on('close', done);
      });
    expect(await Promise.all([run(), run(), run()])).toEqual([0, 0, 0]);
    const folder = snapshot('tiny/sharded', first);
    const bytes = [1, 2].map((i) => readFileSync(join(folder, `model-${i}.safetensors`)));
    expect(Buffer.concat(bytes)).toEqual(weights);
  });
});

describe('refused', () => {
  const refusal = (code: string, ...words: string[]) => ({
    code,
    message: expect.stringMatching(new RegExp(words.join('[^]*'))),
  });

  it.each([
    ['a model that does not exist', 'tiny/none', 'io', ['no such model', 'HF_TOKEN']],
    ['a revision that does not exist', 'tiny/gpt2@v9', 'io', ['no revision "v9"', 'tree/main']],
    ['a model with terms', 'tiny/gated', 'io', ['access on request', 'Accept its terms at .*/tiny/gated']],
    ['a repository without config.json', 'tiny/empty', 'checkpoint', ['no config.json among model.gguf']],
    ['a file name that climbs', 'tiny/climbing', 'checkpoint', ['evil.json', 'stay within']],
    ['a shard elsewhere', 'tiny/escaping', 'checkpoint', ['evil.bin', 'files of the repository']],
  ])('%s', async (_, id, code, words) => {
    await expect(fetchModel(id)).rejects.toMatchObject(refusal(code, ...words));
    expect(readdirSync(home).filter((name) => name !== 'hub')).toEqual([]);
  });

  it.each(['model.safetensors', 'config.json'])('%s with a wrong checksum', async (file) => {
    hub.faults.damaged.add(file);
    await expect(fetchModel('tiny/gpt2')).rejects.toMatchObject(refusal('checkpoint', file, 'checksum', 'try again'));
    expect(existsSync(join(snapshot('tiny/gpt2', first), file))).toBe(false);
    hub.faults.damaged.clear();
    const folder = await fetchModel('tiny/gpt2');
    expect(readFileSync(join(folder, file))).toEqual(gpt2[file]);
  });

  it('a file that is listed and missing', async () => {
    hub.faults.lost.add('config.json');
    await expect(fetchModel('tiny/gpt2')).rejects.toMatchObject(refusal('io', 'no file at .*config.json'));
  });

  it.each(['runs', 'a/b/c', '../up', 'a/..', 'a--b/c', '/etc/passwd', './runs/x', 'a/b.', 'C:\\x\\y', 'a/'])(
    '%s is no id',
    (name) => expect(parseHubName(name)).toBeUndefined(),
  );
  it.each(['a/b@', 'a/b@../x', 'a/b@x/../y', 'a/b@/x', 'a/b@x y', 'a/b@c:d'])('%s has no revision', (name) => {
    expect(() => parseHubName(name)).toThrow('revision');
  });

  it.each([
    ['a hash that is a path', { oid: '../../x' }, 'an answer of the hub'],
    ['no hash', { oid: undefined }, 'an answer of the hub'],
    ['more bytes than the disk has', { size: 2 ** 52 }, 'not enough space'],
    ['fewer bytes than there are', { size: 10 }, 'more bytes'],
  ])('a list with %s', async (_, listed, words) => {
    hub.faults.listed['config.json'] = listed;
    await expect(fetchModel('tiny/gpt2')).rejects.toMatchObject(refusal('io', words));
  });

  it('a cache that cannot be written', async () => {
    writeFileSync(join(home, 'file'), '');
    vi.stubEnv('HF_HUB_CACHE', join(home, 'file', 'cache'));
    await expect(fetchModel('tiny/gpt2')).rejects.toMatchObject(refusal('io', 'cannot write', 'Set HF_HUB_CACHE'));
  });

  it.each([
    '<html>Log in</html>',
    '{}',
    'null',
    '{"sha": "../../x", "siblings": []}',
    `{"sha": "${first}", "siblings": [{"rfilename": 7}]}`,
    `{"sha": "${first}", "siblings": [null]}`,
    `{"sha": "${first}", "siblings": [{"rfilename": "config.json"}, {"rfilename": "model.safetensors"}]}`,
  ])('what no hub answers: %s', async (answer) => {
    hub.faults.answer = answer;
    await expect(fetchModel('tiny/gpt2')).rejects.toMatchObject(
      refusal('io', 'expected an answer of the hub', 'HF_ENDPOINT'),
    );
    expect(readdirSync(home)).toEqual([]);
  });

  it('an endpoint that is none', async () => {
    vi.stubEnv('HF_ENDPOINT', 'somewhere');
    await expect(fetchModel('tiny/gpt2')).rejects.toMatchObject(refusal('usage', 'HF_ENDPOINT'));
  });
});

describe('a private model', () => {
  const saveToken = () => writeFileSync(join(home, 'token'), 'hf_secret\n');
  it.each([
    ['HF_TOKEN', () => vi.stubEnv('HF_TOKEN', 'hf_secret')],
    ['the token file', saveToken],
  ])('is fetched with %s, which the servers of files do not see', async (_, prepare) => {
    prepare();
    await fetchModel('tiny/private');
    const seen = (on: string) => hub.requests.filter((one) => one.on === on).map(({ authorization }) => authorization);
    expect(new Set(seen('hub'))).toEqual(new Set(['Bearer hf_secret']));
    expect(seen('files')).toEqual([undefined]);
  });

  it('is not there without a token or with another', async () => {
    await expect(fetchModel('tiny/private')).rejects.toThrow(/set HF_TOKEN to a token from .*\/settings\/tokens/);
    vi.stubEnv('HF_TOKEN', 'hf_other');
    await expect(fetchModel('tiny/private')).rejects.toThrow(/token in HF_TOKEN or .* may be wrong/);
  });
});

describe('without the network', () => {
  const offline: readonly (readonly [string, () => void])[] = [
    ['no server', () => vi.stubEnv('HF_ENDPOINT', 'http://127.0.0.1:9')],
    ['a server that fails', () => void (hub.faults.status = 503)],
    ['an answer that breaks off', () => void (hub.faults.broken['json'] = [10, 10, 10, 10])],
    ['HF_HUB_OFFLINE', () => vi.stubEnv('HF_HUB_OFFLINE', '1')],
  ];
  it.each(offline)('the cache does: %s', async (cause, goOffline) => {
    const folder = await fetchModel('tiny/sharded');
    goOffline();
    hub.requests.length = 0;
    const notes: string[] = [];
    expect(await fetchModel('tiny/sharded', { onNote: (note: string) => notes.push(note) })).toBe(folder);
    expect(await fetchModel(`tiny/sharded@${first}`)).toBe(folder);
    const isAsked = cause !== 'HF_HUB_OFFLINE';
    expect(notes).toEqual(isAsked ? [expect.stringContaining('using the copy in the cache')] : []);
    if (!isAsked) expect(hub.requests).toEqual([]);

    rmSync(join(folder, 'model-2.safetensors'));
    await expect(fetchModel('tiny/sharded')).rejects.toMatchObject({ code: 'io' });
  });

  it.each(offline)('nothing in the cache is an error: %s', async (_, goOffline) => {
    goOffline();
    await expect(fetchModel('tiny/gpt2')).rejects.toMatchObject({
      code: 'io',
      parts: { got: expect.stringMatching(/no answer|HF_HUB_OFFLINE/), hint: expect.any(String) },
    });
  });

  it('a folder of links, as a cache on a read-only disk, is not written to', async () => {
    const folder = await fetchModel('tiny/gpt2');
    const times = () =>
      readdirSync(home, { recursive: true }).map((name) => lstatSync(join(home, String(name))).ctimeMs);
    const before = times();
    await fetchModel('tiny/gpt2');
    expect(times()).toEqual(before);
    mkdirSync(join(home, 'copy'));
    cpSync(folder, join(home, 'copy'), { recursive: true, dereference: true });
    expect((await openModel(join(home, 'copy'))).model.family).toBe('gpt2');
  });
});
