import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { readLines } from '../../src/data/files.node.ts';
import { type Line, type LineSource, linesOf, readText, splitText } from '../../src/data/lines.ts';

const folder = mkdtempSync(join(tmpdir(), 'qkv-files-'));
afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, bytes: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

async function all(source: LineSource): Promise<Line[]> {
  const lines: Line[] = [];
  for await (const line of source) lines.push(line);
  return lines;
}

const shakespeare = 'data/tinyshakespeare/input.txt';
const chinese = 'data/tatoeba-en-zh/train.tsv';

describe('readLines', () => {
  it('reads a file larger than its buffer, with characters cut by chunks, packed or not', async () => {
    const bytes = readFileSync(chinese);
    const expected = bytes.toString('utf8').split('\n').slice(0, -1);
    const plain = await all(readLines(chinese));
    expect(plain.map((line) => line.text)).toEqual(expected);
    expect(plain).toHaveLength(25_622);
    expect(plain.at(-1)).toMatchObject({ file: chinese, line: 25_622, terminated: true });
    const packed = await all(readLines(file('train.tsv.gz', gzipSync(bytes))));
    expect(packed.map((line) => line.text)).toEqual(expected);
  });

  it('drops a byte order mark at the start only, not where a chunk of 64 KiB happens to begin with one', async () => {
    const long = 'a'.repeat(65_535);
    const lines = await all(readLines(file('marks.txt', `${long}\n\uFEFFb\n`)));
    expect(lines.map((line) => line.text)).toEqual([long, '\uFEFFb']);
  });

  it('can be read twice', async () => {
    const source = readLines(file('twice.txt', 'a\nb\n'));
    expect(await all(source)).toEqual(await all(source));
    expect(await all(source)).toHaveLength(2);
  });

  const cases: [name: string, text: string, lines: string[], terminated: boolean][] = [
    ['Unix', 'a\nb\n', ['a', 'b'], true],
    ['Windows', 'a\r\nb\r\n', ['a', 'b'], true],
    ['no last newline', 'a\nb', ['a', 'b'], false],
    ['empty lines', '\n\na\n', ['', '', 'a'], true],
    ['byte order mark', '\uFEFFa\n\uFEFFb\n', ['a', '\uFEFFb'], true],
    ['byte order mark without newline', '\uFEFFa', ['a'], false],
    ['carriage return inside', 'a\rb\n', ['a\rb'], true],
    ['other line separators', 'a\u2028b\u0085c\n', ['a\u2028b\u0085c'], true],
  ];
  it.each(cases)('%s, from a file and from a string', async (name, text, expected, terminated) => {
    for (const source of [readLines(file(`${name}.txt`, text)), linesOf(text, 'memory')]) {
      const lines = await all(source);
      expect(lines.map((line) => line.text)).toEqual(expected);
      expect(lines.map((line) => line.line)).toEqual(expected.map((_, i) => i + 1));
      expect(lines.map((line) => line.terminated)).toEqual(
        expected.map((_, i) => terminated || i < expected.length - 1),
      );
    }
  });

  it('names file, line and byte of what is not UTF-8, deep in a large file', async () => {
    const bytes = readFileSync(chinese);
    let start = 0;
    for (let line = 1; line < 20_000; line++) start = bytes.indexOf(0x0a, start) + 1;
    bytes[start + 3] = 0xff;
    const path = file('latin.tsv', bytes);
    await expect(all(readLines(path))).rejects.toMatchObject({
      code: 'data',
      parts: { where: `${path}:20000`, got: 'byte 0xff at byte 4 of the line, which is not UTF-8' },
    });
  });

  it.each([
    ['cut off at the end', [0x61, 0x0a, 0xe4, 0xb8], 2, 1],
    ['cut by a newline', [0xe4, 0xb8, 0x0a, 0x61], 1, 1],
    ['overlong', [0x61, 0xc0, 0xaf, 0x0a], 1, 2],
    ['a surrogate', [0x0a, 0x0a, 0x61, 0x62, 0xed, 0xa0, 0x80, 0x0a], 3, 3],
    ['a lone continuation', [0xe4, 0xb8, 0xad, 0x80], 1, 4],
  ])('refuses a sequence that is %s', async (name, bytes, line, byte) => {
    const path = file(`${name}.txt`, Uint8Array.from(bytes));
    await expect(all(readLines(path))).rejects.toThrow(new RegExp(`:${line}: got byte 0x\\w\\w at byte ${byte} of`));
  });

  it('recognises UTF-16', async () => {
    await expect(all(readLines(file('utf16.txt', Buffer.from('\uFEFFabc\n', 'utf16le'))))).rejects.toThrow('UTF-16');
  });

  it('says what is wrong with a missing, a cut off and a falsely named file', async () => {
    const missing = join(folder, 'missing.txt');
    await expect(all(readLines(missing))).rejects.toMatchObject({ code: 'io', parts: { where: missing } });
    const cut = file('cut.gz', gzipSync('a long enough text\n'.repeat(100)).subarray(0, 40));
    await expect(all(readLines(cut))).rejects.toMatchObject({
      code: 'io',
      parts: { expected: 'a complete gzip file' },
    });
    await expect(all(readLines(file('plain.gz', 'not packed\n')))).rejects.toThrow('damaged gzip');
  });
});

describe('text', () => {
  it('gives tiny Shakespeare back byte for byte, and splits it as nanoGPT does', async () => {
    const text = await readText(readLines(shakespeare));
    expect(text).toBe(readFileSync(shakespeare, 'utf8'));
    expect(text).toHaveLength(1_115_394);
    const { train, validation } = splitText(text, 0.1);
    expect([train.length, validation.length]).toEqual([1_003_854, 111_540]); // int(0.9 · 1,115,394) and the rest
    expect(train + validation).toBe(text);
  });

  it('keeps a missing last newline missing', async () => {
    expect(await readText(linesOf('a\r\nb', 'x'))).toBe('a\nb');
  });

  it('does not cut a character in two', () => {
    expect(splitText('😀😀😀😀', 0.5)).toEqual({ train: '😀😀', validation: '😀😀' });
  });

  it('refuses an empty text and an empty part', async () => {
    await expect(readText(linesOf('', 'empty.txt'))).rejects.toThrow('empty.txt: got an empty file');
    expect(() => splitText('abc', 0.9)).toThrow('text on both sides');
  });
});
