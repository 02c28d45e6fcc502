import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { fieldText } from '../../src/data/records.ts';
import { datasetFiles } from '../../src/hub/datasetFiles.ts';
import { hubDataset } from '../../src/hub/hubDataset.node.ts';
import { recipeRecords } from '../../src/train/recipeData.node.ts';
import { type HubServer, startHub } from './hubServer.ts';

const names = ['README.md', '.gitattributes', 'main/train-00000-of-00001.parquet', 'main/test-00000-of-00001.parquet'];

describe('files of a dataset', () => {
  it.each([
    ['a split', names, { split: 'train' }, ['main/train-00000-of-00001.parquet']],
    ['a configuration', [...names, 'other/train.parquet'], { config: 'other' }, ['other/train.parquet']],
    ['shards, in order', ['data/dev-1.csv', 'data/dev-0.csv'], {}, ['data/dev-0.csv', 'data/dev-1.csv']],
    ['another name of a split', ['dev.jsonl', 'train.jsonl'], { split: 'validation' }, ['dev.jsonl']],
    ['a split as a folder', ['c/test/a.jsonl.gz', 'c/train/a.jsonl.gz'], { split: 'test' }, ['c/test/a.jsonl.gz']],
    ['parquet before others', ['train.csv', 'train.parquet'], {}, ['train.parquet']],
    ['a word is no part of another', ['latest.txt', 'test.txt'], { split: 'test' }, ['test.txt']],
  ])('%s', (_, files, part, expected) => {
    expect(datasetFiles('it', files, part)).toEqual(expected);
  });

  it.each([
    [['a.parquet', 'train.parquet', 'test.parquet'], {}, /no split, expected one of train, test/],
    [['a/train.csv', 'b/train.csv'], { split: 'train' }, /no configuration, expected one of a, b/],
    [['a/train.csv'], { config: 'c' }, /the configuration c, expected one of a/],
    [['a/train.csv'], { split: 'test' }, /the split test, expected one of train/],
    [['README.md'], {}, /no data among README\.md/],
    [['../train.csv'], {}, /\.\.\/train\.csv/],
  ])('%j %j are refused', (files, part, message) => {
    expect(() => datasetFiles('it', files, part)).toThrow(message);
  });
});

describe('a dataset of the hub', () => {
  let hub: HubServer;
  let cache: string;
  beforeEach(async () => {
    const parquet = new Uint8Array(readFileSync('fixtures/data/zstd.parquet'));
    const lines = new TextEncoder().encode('{"text":"good","label":"1"}\n{"text":"bad","label":"0"}\n');
    hub = await startHub({
      'org/set': {
        refs: { main: 'a'.repeat(40) },
        commits: { ['a'.repeat(40)]: { 'README.md': lines, 'data/train-0.parquet': parquet } },
      },
      'org/lines': { refs: { main: 'b'.repeat(40) }, commits: { ['b'.repeat(40)]: { 'dev.jsonl': lines } } },
    });
    cache = mkdtempSync(join(tmpdir(), 'qkv-datasets-'));
    vi.stubEnv('HF_ENDPOINT', hub.url);
    vi.stubEnv('HF_HUB_CACHE', cache);
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    rmSync(cache, { recursive: true });
    await hub[Symbol.asyncDispose]();
  });

  it('comes into the cache, from where it is read without the network', async () => {
    const name = { id: 'org/set', revision: undefined };
    const [file, ...others] = await hubDataset(name, { split: 'train' });
    expect(others).toEqual([]);
    expect(file).toBe(join(cache, 'datasets--org--set', 'snapshots', 'a'.repeat(40), 'data/train-0.parquet'));
    expect(readFileSync(file!)).toEqual(readFileSync('fixtures/data/zstd.parquet'));
    expect(hub.requests.some(({ path }) => path.includes('README'))).toBe(false);
    await hub[Symbol.asyncDispose]();
    expect(await hubDataset(name, { split: 'train' })).toEqual([file]);
    await expect(hubDataset(name, { split: 'test' })).rejects.toThrow(/org\/set/);
  });

  it('is where records come from', async () => {
    const origin = { hub: 'org/lines', split: 'validation', format: null, header: null };
    const found: string[] = [];
    for await (const record of recipeRecords(origin, ['text'])) {
      expect(basename(record.where)).toMatch(/^dev\.jsonl:\d$/);
      found.push(fieldText(record, 'text'));
    }
    expect(found).toEqual(['good', 'bad']);
  });
});
