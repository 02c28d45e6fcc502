import { lstatSync, mkdtempSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { fieldText } from '../../src/data/records.ts';
import type { DatasetPart } from '../../src/hub/datasetFiles.ts';
import { hubDataset } from '../../src/hub/hubDataset.node.ts';
import { parseHubName } from '../../src/hub/hubName.ts';
import type { DataOrigin } from '../../src/recipe/dataSource.ts';
import { recipeRecords } from '../../src/train/recipeData.node.ts';
import { type Files, type HubServer, type Repository, startHub } from './hubServer.ts';

const commit = 'c'.repeat(40);
const text = (content: string) => Buffer.from(content);
const parquet = readFileSync(new URL('../../fixtures/data/snappy.parquet', import.meta.url));
const readme = `---
license: mit
configs:
- config_name: cola
  data_files:
  - split: train
    path: cola/tr*.jsonl
  - split: validation
    path: [cola/held.jsonl]
- config_name: sst2
  default: true
  data_dir: sst2/
  data_files: "**/*.jsonl"
- config_name: described
  description: the names of files tell
---
# A card
`;
const datasets: Record<string, Files> = {
  'tiny/parquet': {
    '.gitattributes': text('*'),
    'README.md': text('# No YAML'),
    'data/train-00000-of-00002.parquet': parquet,
    'data/train-00001-of-00002.parquet': parquet,
    'data/test-00000-of-00001.parquet': parquet,
    'extra.csv': text('a\n1\n'),
  },
  'tiny/files': {
    'dev.tsv': text('label\tsentence\n1\tgood\n'),
    'train.tsv.gz': gzipSync('label\tsentence\n0\tbad\n'),
  },
  'tiny/folders': { 'en/train.csv': text('a\n1\n'), 'zh/train.csv': text('a\n2\n'), 'zh/latest.csv': text('a\n3\n') },
  'tiny/configs': {
    'README.md': text(readme),
    'cola/train.jsonl': text('{"i": 1}\n'),
    'cola/held.jsonl': text('{"i": 2}\n'),
    'sst2/a/b.jsonl': text('{"i": 3}\n'),
    'sst2/c.jsonl': text('{"i": 4}\n'),
  },
  'tiny/one': { 'README.md': text(''), 'LICENSE.txt': text('free'), 'poems.txt': text('one\n\ntwo\n') },
  'tiny/pictures': { 'a.png': text('') },
  'tiny/wrong': { 'README.md': text('---\nconfigs: [\n---\n'), 'train.csv': text('a\n') },
  'tiny/climbing': { 'train.csv': text('a\n'), '../../../evil.csv': text('a\n') },
};
const repositories: Record<string, Repository> = Object.fromEntries(
  Object.entries(datasets).map(([id, files]) => [
    `datasets/${id}`,
    { commits: { [commit]: files }, refs: { main: commit, v1: commit } },
  ]),
);

let hub: HubServer;
let home: string;
beforeEach(async () => {
  hub = await startHub(repositories);
  home = mkdtempSync(join(tmpdir(), 'qkv-datasets-'));
  vi.stubEnv('HF_ENDPOINT', hub.url);
  vi.stubEnv('HF_HOME', home);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await hub[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

const folderOf = (id: string) => join(home, 'hub', `datasets--${id.replace('/', '--')}`, 'snapshots', commit);
const fetched = async (id: string, part: DatasetPart = {}) =>
  (await hubDataset(parseHubName(id, 'dataset')!, part)).map((path) => relative(folderOf(id), path));

describe('hubDataset', () => {
  it("fetches the shards of a split, and no more, into the cache of Python's library", async () => {
    const files = await fetched('tiny/parquet', { split: 'train' });
    expect(files).toEqual(['data/train-00000-of-00002.parquet', 'data/train-00001-of-00002.parquet']);
    const path = join(folderOf('tiny/parquet'), files[1]!);
    expect(readFileSync(path)).toEqual(parquet);
    expect(readlinkSync(path)).toMatch(/^\.\.\/\.\.\/\.\.\/blobs\/[0-9a-f]{64}$/);
    expect(lstatSync(join(folderOf('tiny/parquet'), 'extra.csv'), { throwIfNoEntry: false })).toBeUndefined();
    expect(hub.requests.filter(({ path: asked }) => asked.includes('/resolve/')).length).toBe(2); // README.md, and one blob of two names
  });

  it.each<[id: string, part: DatasetPart, files: string[]]>([
    ['tiny/parquet', { split: 'test' }, ['data/test-00000-of-00001.parquet']],
    ['tiny/files', { split: 'train' }, ['train.tsv.gz']],
    ['tiny/files', { split: 'validation' }, ['dev.tsv']],
    ['tiny/folders', { config: 'zh', split: 'train' }, ['zh/train.csv']],
    ['tiny/configs', { config: 'cola', split: 'train' }, ['cola/train.jsonl']],
    ['tiny/configs', { config: 'cola', split: 'validation' }, ['cola/held.jsonl']],
    ['tiny/configs', {}, ['sst2/a/b.jsonl', 'sst2/c.jsonl']],
    ['tiny/one', {}, ['poems.txt']],
    ['tiny/one@v1', { split: 'train' }, ['poems.txt']],
  ])('finds in %s of %j', async (id, part, files) => {
    const paths = await hubDataset(parseHubName(id, 'dataset')!, part);
    expect(paths.map((path) => relative(folderOf(id.replace('@v1', '')), path))).toEqual(files);
  });

  it.each<[id: string, part: DatasetPart, message: string]>([
    ['tiny/parquet', {}, 'split: got none, of several, expected train, test'],
    ['tiny/parquet', { split: 'dev' }, 'split: got "dev", expected train, test'],
    ['tiny/folders', { config: 'de' }, 'config: got "de", expected en, zh'],
    ['tiny/configs', { config: 'mrpc' }, 'config: got "mrpc", expected cola, sst2, default'],
    ['tiny/pictures', {}, 'expected parquet, jsonl, csv, tsv or txt files'],
    ['tiny/wrong', {}, 'README.md: got'],
    ['tiny/climbing', {}, 'names that stay within the folder'],
    ['tiny/none', {}, 'no such dataset'],
  ])('refuses of %s: %j', async (id, part, message) => {
    await expect(fetched(id, part)).rejects.toThrow(message);
  });

  it('does with what is in the cache, where that is complete', async () => {
    await fetched('tiny/parquet', { split: 'train' });
    vi.stubEnv('HF_HUB_OFFLINE', '1');
    const { length } = hub.requests;
    expect(await fetched('tiny/parquet', { split: 'train' })).toHaveLength(2);
    await expect(fetched('tiny/parquet', { split: 'test' })).rejects.toThrow('got "test", expected train');
    rmSync(join(folderOf('tiny/parquet'), 'data/train-00001-of-00002.parquet'));
    await expect(fetched('tiny/parquet', { split: 'train' })).rejects.toThrow('1 files like');
    expect(hub.requests).toHaveLength(length);
  });
});

describe('a source of a recipe', () => {
  const source = (origin: Partial<DataOrigin>): DataOrigin => ({ format: null, header: null, ...origin });

  it('may be a dataset of the hub', async () => {
    const read = (origin: Partial<DataOrigin>, field: string) =>
      Array.fromAsync(recipeRecords(source(origin), [field]), (record) => fieldText(record, field));
    expect(await read({ hub: 'tiny/files', split: 'validation' }, 'sentence')).toEqual(['good']);
    expect(await read({ hub: 'tiny/configs', config: 'cola', split: 'train', revision: 'v1' }, 'i')).toEqual(['1']);
    const scores = await read({ hub: 'tiny/parquet', split: 'train' }, 'score');
    expect(scores).toHaveLength(10_000);
    await expect(read({ hub: '../files' }, 'i')).rejects.toThrow('org/name of a dataset');
  });
});
