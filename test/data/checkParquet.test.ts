import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parquetRecords } from '../../src/data/readParquet.node.ts';
import type { DataRecord } from '../../src/data/records.ts';
import { refusedOr } from '../fuzz/refusal.ts';
import { type ColumnParts, dataPage, dataPageV2, deltas, dictionaryPage, parquetFile, runs } from './parquetFile.ts';

const read = (bytes: Uint8Array): Promise<DataRecord[]> =>
  Array.fromAsync(parquetRecords('x.parquet', bytes.length, (start, end) => bytes.slice(start, end)));
const fields = async (bytes: Uint8Array): Promise<unknown[]> => (await read(bytes)).map((record) => record.fields);

const [INT32, INT64, TEXT, FIXED] = [1, 2, 6, 7];
const u32 = (value: number): number[] => [0, 8, 16, 24].map((shift) => (value >>> shift) & 255);
const withLength = (bytes: readonly number[]): number[] => [...u32(bytes.length), ...bytes];
const two = [...u32(5), ...u32(7)];
const HUGE = 2 ** 30;

describe('files that are sound', () => {
  const optional = { type: INT32, repetition: 1 };
  it.each<[string, ColumnParts, unknown[]]>([
    ['plain values', { type: INT32, pages: dataPage({ count: 2, content: two }) }, [5, 7]],
    [
      'nulls, the last of them in a run',
      { ...optional, pages: dataPage({ count: 2, content: [...withLength(runs([1, 1], [1, 0])), ...u32(5)] }) },
      [5, null],
    ],
    [
      'nulls of the newer kind',
      { ...optional, pages: dataPageV2({ count: 2, nulls: 1, levels: runs([1, 0], [1, 1]), content: u32(7) }) },
      [null, 7],
    ],
    [
      'a dictionary',
      {
        type: INT32,
        pages: [
          ...dictionaryPage({ count: 2, content: two }),
          ...dataPage({ count: 2, encoding: 'dictionary', content: [1, ...runs([2, 1])] }),
        ],
      },
      [7, 7],
    ],
    [
      'differences of no bits',
      { type: INT32, pages: dataPage({ count: 2, encoding: 'delta', content: deltas(128, 4, 5, 4, 0, 0, 0, 0) }) },
      [5, 7],
    ],
    [
      'beginnings of the text before',
      {
        type: TEXT,
        pages: dataPage({
          count: 2,
          encoding: 'prefixes',
          // prefixes 0 and 1, rests of 2 and 1
          content: [...deltas(128, 4, 0, 2, 0, 0, 0, 0), ...deltas(128, 4, 2, 1, 0, 0, 0, 0), 97, 98, 99],
        }),
      },
      ['ab', 'ac'],
    ],
  ])('are read: %s', async (_, column, expected) => {
    expect(await fields(parquetFile(2, [column]))).toEqual(expected.map((a) => ({ a })));
  });
});

/** Each would take gigabytes, or minutes, or both; where it is not said, of a file of some hundred bytes. */
describe('files that promise more than they hold', () => {
  const page = dataPage({ count: 2, content: two });
  const file = (column: Partial<ColumnParts>, rows = 2): Uint8Array =>
    parquetFile(rows, [{ type: INT32, pages: page, ...column }]);
  const deep = Array.from({ length: 40 }, (_, i) => `s${i}`);
  it.each<[string, Uint8Array, RegExp]>([
    [
      'a footer beyond the file',
      parquetFile(2, [], { tail: [...u32(HUGE), 80, 65, 82, 49] }),
      /a footer of 1073741824 bytes/,
    ],
    ['no footer', new Uint8Array(100), /expected PAR1/],
    ['a few bytes', new Uint8Array(3), /got 3 bytes/],
    [
      'a number of a million bytes',
      parquetFile(2, [], { tail: [0x16, ...new Array(1e6).fill(0xff), ...u32(1e6 + 1), 80, 65, 82, 49] }),
      /footer: got a number without an end/,
    ],
    [
      'structs in each other',
      parquetFile(2, [], { tail: [...new Array(1e5).fill(0x1c), ...u32(1e5), 80, 65, 82, 49] }),
      /structs in each other without an end/,
    ],
    [
      'a list beyond the footer',
      parquetFile(2, [], { tail: [0x19, 0xfc, ...[255, 255, 255, 7], ...u32(6), 80, 65, 82, 49] }),
      /a list of/,
    ],
    ['rows of no columns', parquetFile(HUGE, []), /1073741824 rows of 0 columns/],
    [
      'more rows than values',
      file({ values: 2 }, HUGE),
      /column "a": got 2 values, expected one for each of 1073741824 rows/,
    ],
    ['more values than pages hold', file({}, 1000), /2 values in its pages, expected 1000/],
    ['more values than a file may', file({}, HUGE), /1073741824 values, expected at most 83/],
    [
      'a group of many copies',
      parquetFile(1000, [{ type: INT32, pages: dataPage({ count: 1000, content: new Array(4000).fill(1) }) }], {
        groups: 100,
      }),
      /row group 2, column "a": got bytes 4 to/,
    ],
    ['a column beyond the file', file({ metadata: { 7: 1n << 40n } }), /got bytes 4 to 1099511627780/],
    ['a page that is cut', file({ pages: page.slice(0, -1) }), /page 1: got 8 bytes, expected at most 7/],
    [
      'more values in a page than in the column',
      file({ pages: dataPage({ count: HUGE, content: two }) }),
      /page 1: got 1073741824 values/,
    ],
    [
      'a run of levels without an end',
      file({ repetition: 1, pages: dataPage({ count: 2, content: [...withLength(runs([HUGE, 1])), ...two] }) }),
      /page 1: got a run of 1073741824 values, expected at most 2/,
    ],
    [
      'a run of levels of the newer kind',
      file({ repetition: 1, pages: dataPageV2({ count: 2, levels: runs([HUGE, 1]), content: two }) }),
      /a run of 1073741824 values/,
    ],
    [
      'a run of indices',
      file({
        pages: [
          ...dictionaryPage({ count: 2, content: two }),
          ...dataPage({ count: 2, encoding: 'dictionary', content: [1, ...runs([HUGE, 1])] }),
        ],
      }),
      /page 2: got a run of 1073741824 values/,
    ],
    [
      'packed indices of no bits',
      file({
        pages: [
          ...dictionaryPage({ count: 2, content: two }),
          ...dataPageV2({ count: 2, encoding: 'dictionary', content: [0, 255, 255, 255, 255, 7] }),
        ],
      }),
      /values of no bits/,
    ],
    [
      'a large dictionary',
      file({ pages: dictionaryPage({ count: HUGE, content: two }) }),
      /page 1: got 8 bytes, expected 4294967296/,
    ],
    [
      'differences in a billion parts',
      file({ type: INT64, pages: dataPage({ count: 2, encoding: 'delta', content: deltas(8 * HUGE, HUGE, 5, 0) }) }),
      /page 1: got 1073741824 bytes/,
    ],
    [
      'beginnings of a billion bytes',
      file({
        type: TEXT,
        pages: dataPage({
          count: 2,
          encoding: 'prefixes',
          content: [...deltas(128, 4, HUGE, 0, 0, 0, 0, 0), ...deltas(128, 4, 0, 0, 0, 0, 0, 0)],
        }),
      }),
      /a text that begins with 1073741824 bytes, expected at most 0/,
    ],
    [
      'long values, split by bytes',
      file({ type: FIXED, element: { 2: HUGE }, pages: dataPage({ count: 2, encoding: 'split', content: two }) }),
      /got 8 bytes, expected 2147483648/,
    ],
    [
      'a page that unpacks to a gigabyte',
      file({ metadata: { 4: 1 }, pages: dataPage({ count: 2, content: two, unpackedLength: HUGE }) }),
      /bytes, unpacked, expected at most 268/,
    ],
    [
      'a page that unpacks to a megabyte',
      file({ metadata: { 4: 1 }, pages: dataPage({ count: 2, content: two, unpackedLength: 1e6 }) }),
      /1000000 bytes, expected at most 240 of 8 packed by SNAPPY/,
    ],
    ['decimals of any length', file({ type: TEXT, element: { 6: 5 } }), /column "a": got decimals of any bytes/],
    [
      'a decimal of a megabyte',
      file({ type: FIXED, element: { 2: 4, 6: 5 }, metadata: { 12: { 5: new Uint8Array(1e6) } } }),
      /a decimal of 1000000 bytes/,
    ],
    ['variants', file({ type: TEXT, element: { 10: { 16: {} } } }), /got variants, expected text, numbers/],
    ['columns 40 deep', file({ within: deep }), /expected at most 32 levels/],
  ])('are refused: %s', async (_, bytes, message) => {
    await expect(read(bytes)).rejects.toThrow(message);
    await expect(read(bytes)).rejects.toMatchObject({
      code: 'data',
      parts: { where: expect.stringMatching(/^x\.parquet/) },
    });
  });
});

it.each(['v1', 'v2', 'plain', 'lz4'])('small-%s.parquet with any one byte changed is read or refused', async (name) => {
  const sound = new Uint8Array(readFileSync(new URL(`../../fixtures/data/small-${name}.parquet`, import.meta.url)));
  let refused = 0;
  for (let i = 0; i < sound.length; i++) {
    const bytes = sound.slice();
    bytes[i]! ^= 1 << (i % 8);
    if ((await refusedOr(['data'], () => read(bytes))) === undefined) refused++;
  }
  expect(refused).toBeGreaterThan(sound.length / 4); // most of a small file is its footer and its headers
});
