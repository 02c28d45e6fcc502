import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, it } from 'vitest';
import { type ReadRecordsOptions, readRecords } from '../../src/data/readRecords.node.ts';
import { type DataRecord, fieldText, fieldValue } from '../../src/data/records.ts';

const folder = mkdtempSync(join(tmpdir(), 'qkv-records-'));
afterAll(() => rmSync(folder, { recursive: true }));
const fixtures = join(import.meta.dirname, '../../fixtures/data');
const expected = JSON.parse(readFileSync(join(fixtures, 'expected.json'), 'utf8'));

function file(name: string, bytes: string | Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

const read = (files: string | string[], options: Omit<ReadRecordsOptions, 'files'> = {}): Promise<DataRecord[]> =>
  Array.fromAsync(readRecords({ files, ...options }));
const fieldsOf = async (...given: Parameters<typeof read>) => (await read(...given)).map(({ fields }) => fields);

describe('TSV', () => {
  it('quotes nothing, drops a byte order mark and names columns by the header', async () => {
    const path = file('mrpc.txt', '\uFEFFQuality\t#1 String\r\n1\the said "no\r\n\r\n0\t" twice\r\n');
    const records = await read(path, { format: 'tsv' });
    expect(records.map(({ fields }) => fields)).toEqual([
      { Quality: '1', '#1 String': 'he said "no' },
      { Quality: '0', '#1 String': '" twice' },
    ]);
    expect(records[1]!.where).toBe(`${path}:4`);
    expect(fieldText(records[0]!, '#1 String')).toBe(fieldText(records[0]!, 2));
  });

  it('has columns by number without a header', async () => {
    const [record] = await read(file('cola.tsv', "gj04\t1\t\tOur friends won't buy this.\n"), { header: false });
    expect([1, 2, 3, 4].map((n) => fieldText(record!, n))).toEqual(['gj04', '1', '', "Our friends won't buy this."]);
  });

  it('names file and line where a line has another number of columns', async () => {
    const path = file('ragged.tsv', 'a\tb\n1\t2\n3\n');
    await expect(read(path)).rejects.toThrow(`${path}:3: got 1 column ("3"), expected 2, as in ${path}:1`);
  });

  it('refuses two columns of one name', async () => {
    await expect(read(file('twice.tsv', 'a\ta\n'))).rejects.toThrow('two columns named "a"');
  });
});

describe('CSV', () => {
  it("reads what Python's csv writes", async () => {
    expect(await fieldsOf(join(fixtures, 'table.csv'))).toEqual(expected.csv);
  });

  it('names the line that a record begins at, newlines in quotes before it counted', async () => {
    const path = file('lines.csv', 'a,b\n"1\n2",3\n4,5\n6\n');
    await expect(read(path)).rejects.toThrow(`${path}:5: got 1 column`);
    expect((await read(file('whole.csv', 'a,b\n"1\n2",3\n4,5\n')))[1]!.where).toMatch(/:4$/);
  });

  it.each([
    ['a quote inside a cell', 'a,b\n1,it is 5" long\n', 'column 2'],
    ['text behind a quote', 'a,b\n"1"2,3\n', 'column 1'],
    ['an open quote', 'a,b\n"1,2\n3,4\n', 'a quote that nothing closes'],
  ])('refuses %s', async (name, text, message) => {
    const path = file(`${name}.csv`, text);
    await expect(read(path)).rejects.toThrow(`${path}:2: got ${message}`);
  });
});

describe('JSONL', () => {
  it('reads an object a line', async () => {
    const [record] = await read(file('a.jsonl', '{"question": "q", "n": 3, "list": ["x"]}\n\n'));
    expect(fieldText(record!, 'n')).toBe('3');
    expect(fieldValue(record!, 'list')).toEqual(['x']);
  });

  it.each(['[1]', '3', 'null', '{"a": ', 'x'])('names file and line of %s', async (line) => {
    const path = file('wrong.jsonl', `{"a": 1}\n${line}\n`);
    await expect(read(path)).rejects.toThrow(`${path}:2: got ${JSON.stringify(line)}`);
  });
});

describe('parquet', () => {
  it.each(['snappy', 'gzip', 'zstd'])('reads what pyarrow writes, packed by %s', async (codec) => {
    const path = join(fixtures, `${codec}.parquet`);
    const records = await read(path);
    expect(records).toHaveLength(expected.parquet.count);
    for (const [i, row] of Object.entries(expected.parquet.rows)) expect(records[Number(i)]!.fields).toEqual(row);
    expect(records[4999]!.where).toBe(`${path}: row 5000`);
    expect(() => fieldText(records[0]!, 'text')).toThrow('row 1: got no field "text" (null) among ["text","label"');
    expect(fieldText(records[1]!, 'label')).toBe('1');
  });

  it.each(['v1', 'v2', 'plain', 'lz4'])('reads pages of each version and encoding: small-%s.parquet', async (name) => {
    const rows = name === 'lz4' ? expected.small.map((row: object) => ({ ...row, none: null })) : expected.small;
    expect(await fieldsOf(join(fixtures, `small-${name}.parquet`))).toEqual(rows);
  });

  it('refuses a damaged file', async () => {
    const bytes = readFileSync(join(fixtures, 'snappy.parquet'));
    const path = file('cut.parquet', bytes.subarray(0, bytes.length >> 1));
    await expect(read(path)).rejects.toThrow(`${path}: got`);
  });
});

describe('files', () => {
  it('reads several, globs in the order of names, each once, packed or not', async () => {
    const first = file('part-2.jsonl', '{"i": 2}\n');
    file('part-1.jsonl.gz', gzipSync('{"i": 1}\n'));
    file('part-10.tsv', 'i\n10\n');
    const all = join(folder, 'part-*');
    expect(await fieldsOf([first, all])).toEqual([{ i: 2 }, { i: 1 }, { i: '10' }]);
    expect(await fieldsOf(join(folder, 'part-{1,2}.jsonl*'))).toEqual([{ i: 1 }, { i: 2 }]);
  });

  it('takes a path that exists as it is', async () => {
    expect(await fieldsOf(file('odd[1].jsonl', '{"i": 1}\n'))).toEqual([{ i: 1 }]);
  });

  it('refuses files that are not there, and names that tell no format', async () => {
    await expect(read(join(folder, 'none.tsv'))).rejects.toThrow('got no such file');
    await expect(read(join(folder, 'none*.tsv'))).rejects.toThrow('a pattern that no file matches');
    await expect(read(file('a.txt', 'x'))).rejects.toThrow('Say the format');
  });
});

describe('fields', () => {
  const record = { where: 'f:1', fields: { a: 'x', list: [1], none: null } };

  it('says which fields there are', () => {
    expect(() => fieldText(record, 'b')).toThrow('f:1: got no field "b" among ["a","list","none"]');
    expect(() => fieldText(record, 4)).toThrow('got no column 4');
    expect(() => fieldText(record, 'toString')).toThrow('got no field');
    expect(() => fieldText(record, 'list')).toThrow('f:1: list: got [1], expected text');
  });
});
