import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { tokenFile } from '../../src/data/tokenFile.node.ts';
import { memoryTokens, type TokenStore, type TokenWriter } from '../../src/data/tokenStore.ts';

const folder = mkdtempSync(join(tmpdir(), 'qkv-tokens-'));
afterAll(() => rmSync(folder, { recursive: true }));

type Make = (write: (writer: TokenWriter) => Promise<void>) => Promise<TokenStore>;
let made = 0;
const forms: [name: string, make: Make][] = [
  ['in memory', (write) => memoryTokens(write, 'f')],
  ['in a file of 2 bytes', (write) => tokenFile(join(folder, `${made++}`), 65_536, 'f', write)],
  ['in a file of 4 bytes', (write) => tokenFile(join(folder, `${made++}`), 65_537, 'f', write)],
];

const write = async (writer: TokenWriter): Promise<void> => {
  writer.sentence([1, 2, 3]);
  writer.sentence([]);
  writer.sentence([65_535]);
  writer.endDocument();
  writer.endDocument();
  writer.sentence([]);
  writer.endSource();
  writer.sentence([7]);
  writer.endSource();
  writer.endSource();
};

/** More than the buffers of a file hold. */
const long = async (writer: TokenWriter): Promise<void> => {
  for (let i = 0; i < 300_000; i++) {
    writer.sentence(i % 2 === 0 ? [i % 60_000] : [i % 7, 1]);
    if (i % 5 === 4) writer.endDocument();
  }
  writer.endSource();
};

describe.each(forms)('tokens %s', (_, make) => {
  it('are documents of sentences, none of them empty', async () => {
    const store = await make(write);
    expect(store.documents).toBe(2);
    expect(store.tokens).toBe(5);
    expect([0, 1].map((i) => store.document(i))).toEqual([
      [[1, 2, 3], [65_535]].map((s) => Int32Array.from(s)),
      [Int32Array.of(7)],
    ]);
    expect(store.sourceEnds).toEqual([1, 2, 2]);
    expect([0, 1, 2].map((i) => store.documentStart(i))).toEqual([0, 4, 5]);
    expect(store.read(1, 4)).toEqual(Int32Array.of(2, 3, 65_535));
    expect(store.fingerprint).toBe('f');
  });

  it('are read anywhere', async () => {
    const store = await make(long);
    expect([store.documents, store.tokens]).toEqual([60_000, 450_000]);
    expect(store.document(59_999).map((s) => Array.from(s))).toEqual([
      [299_995 % 7, 1],
      [299_996 % 60_000],
      [299_997 % 7, 1],
      [299_998 % 60_000],
      [299_999 % 7, 1],
    ]);
    const all = store.read(0, store.tokens);
    for (const at of [0, 262_143, 262_144, 399_990]) expect(store.read(at, at + 9)).toEqual(all.slice(at, at + 9));
  });
});

describe('a file of tokens', () => {
  const count = async (path: string): Promise<number> => {
    let times = 0;
    const store = await tokenFile(path, 100_000, 'f', (writer) => {
      times++;
      return long(writer);
    });
    expect(store.tokens).toBe(450_000);
    expect(store.read(449_999, 450_000)).toEqual(Int32Array.of(1));
    return times;
  };

  it('is made once, and again where it is damaged, cut or unfinished', async () => {
    const path = join(folder, 'cached');
    expect([await count(path), await count(path)]).toEqual([1, 0]);
    const damages: Record<string, (file: string) => void> = {
      ids: (file) => {
        const bytes = readFileSync(file);
        bytes[1_000_000]! ^= 1;
        writeFileSync(file, bytes);
      },
      sentenceStarts: (file) => truncateSync(file, 1000),
      documentStarts: (file) => rmSync(file),
      'store.json': (file) => rmSync(file),
    };
    for (const [name, damage] of Object.entries(damages)) {
      damage(join(path, name));
      expect([name, await count(path), await count(path)]).toEqual([name, 1, 0]);
    }
    expect(readdirSync(folder).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  it('is made by several at once, in one process, each with files of its own', async () => {
    const path = join(folder, 'at-once');
    let started = 0;
    const { promise: allHaveBegun, resolve } = Promise.withResolvers<void>();
    const writeTogether = async (writer: TokenWriter): Promise<void> => {
      if (++started === 3) resolve();
      await allHaveBegun;
      await long(writer);
    };
    const stores = await Promise.all([1, 2, 3].map(() => tokenFile(path, 100_000, 'f', writeTogether)));
    for (const store of stores) expect(store.read(0, 4)).toEqual(Int32Array.of(0, 1, 1, 2));
    expect(readdirSync(folder).filter((name) => name.startsWith('at-once'))).toEqual(['at-once']);
  });

  it('leaves nothing where its making fails', async () => {
    const path = join(folder, 'failed');
    const fails = tokenFile(path, 10, 'f', async (writer) => {
      await long(writer);
      throw new Error('the text is wrong');
    });
    await expect(fails).rejects.toThrow('the text is wrong');
    expect(readdirSync(folder).filter((name) => name.startsWith('failed'))).toEqual([]);
  });

  it('says where it cannot be written', async () => {
    const path = join(folder, 'plain');
    writeFileSync(path, '');
    await expect(count(join(path, 'below'))).rejects.toThrow('XDG_CACHE_HOME');
  });
});
