import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { nodeStorage, removeLeftovers, replaceFolder } from '../../src/checkpoint/storage.node.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'qkv-storage-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const bytes = (text: string) => new TextEncoder().encode(text);
async function* failing() {
  yield bytes('half');
  throw new Error('no more');
}

describe('nodeStorage', () => {
  it('writes, lists, measures, reads and removes', async () => {
    const storage = nodeStorage(join(folder, 'new', 'deep'));
    await storage.writeAtomic('b', [bytes('hello '), bytes('world')]);
    await storage.writeAtomic('a', []);
    expect(await storage.list()).toEqual(['a', 'b']);
    expect(await storage.size('b')).toBe(11);
    expect(Buffer.from(await storage.read('b', 6, 5)).toString()).toBe('world');
    expect(await storage.read('a', 0, 0)).toEqual(new Uint8Array());
    await storage.remove('a');
    expect(await storage.list()).toEqual(['b']);
  });

  it('writes views of shared memory', async () => {
    const shared = new Uint8Array(new SharedArrayBuffer(8), 2, 3).fill(7);
    await nodeStorage(folder).writeAtomic('a', [shared]);
    expect([...readFileSync(join(folder, 'a'))]).toEqual([7, 7, 7]);
  });

  it('keeps the old file and leaves nothing where a write fails', async () => {
    const storage = nodeStorage(folder);
    await storage.writeAtomic('a', [bytes('old')]);
    await expect(storage.writeAtomic('a', failing())).rejects.toMatchObject({
      code: 'io',
      message: expect.stringContaining('no more'),
    });
    expect(readdirSync(folder)).toEqual(['a']);
    expect(readFileSync(join(folder, 'a'), 'utf8')).toBe('old');
  });

  it('refuses names that leave the folder', async () => {
    const storage = nodeStorage(folder);
    for (const name of ['', '.', '..', '../x', 'a/b', 'a\\b', 'a\0', '/etc/passwd']) {
      await expect(storage.read(name, 0, 1), name).rejects.toThrow('the name of a file in the folder');
      await expect(storage.writeAtomic(name, []), name).rejects.toThrow('the name of a file in the folder');
    }
  });

  it('reports what is absent or too short before setting memory aside', async () => {
    const storage = nodeStorage(folder);
    writeFileSync(join(folder, 'a'), 'abc');
    await expect(storage.read('a', 0, 2 ** 50)).rejects.toMatchObject({ code: 'io' });
    await expect(storage.read('a', 2, 2)).rejects.toThrow('bytes 2 to 4 were asked for and it has 3');
    await expect(storage.size('x')).rejects.toMatchObject({ code: 'io' });
    await expect(nodeStorage(join(folder, 'none')).list()).rejects.toMatchObject({ code: 'io' });
  });

  it('follows links, as caches of models have them', async () => {
    writeFileSync(join(folder, 'blob'), 'x');
    mkdirSync(join(folder, 'model'));
    symlinkSync('../blob', join(folder, 'model', 'config.json'));
    const storage = nodeStorage(join(folder, 'model'));
    expect(await storage.list()).toEqual(['config.json']);
    expect(await storage.size('config.json')).toBe(1);
  });
});

describe('replaceFolder', () => {
  const target = () => join(folder, 'model');

  it('creates a folder and replaces it as a whole', async () => {
    await replaceFolder(target(), async (storage) => {
      await storage.writeAtomic('a', [bytes('1')]);
      await storage.writeAtomic('b', [bytes('1')]);
    });
    await replaceFolder(target(), (storage) => storage.writeAtomic('a', [bytes('2')]));
    expect(readdirSync(folder)).toEqual(['model']);
    expect(readdirSync(target())).toEqual(['a']);
    expect(readFileSync(join(target(), 'a'), 'utf8')).toBe('2');
  });

  it('keeps the old folder and leaves nothing where filling fails', async () => {
    await replaceFolder(target(), (storage) => storage.writeAtomic('a', [bytes('1')]));
    const second = replaceFolder(target(), async (storage) => {
      await storage.writeAtomic('b', [bytes('2')]);
      await storage.writeAtomic('c', failing());
    });
    await expect(second).rejects.toMatchObject({ code: 'io' });
    expect(readdirSync(folder)).toEqual(['model']);
    expect(readdirSync(target())).toEqual(['a']);
  });

  it('has its leftovers removed, and nothing else', async () => {
    mkdirSync(join(folder, '.qkv-tmp-model-1-abc'));
    writeFileSync(join(folder, '.qkv-old-model-1-abc'), '');
    writeFileSync(join(folder, '.tmp'), '');
    expect((await removeLeftovers(folder)).sort()).toEqual(['.qkv-old-model-1-abc', '.qkv-tmp-model-1-abc']);
    expect(readdirSync(folder)).toEqual(['.tmp']);
    expect(await removeLeftovers(join(folder, 'none'))).toEqual([]);
  });
});
