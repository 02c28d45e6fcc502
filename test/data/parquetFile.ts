/** Writes parquet files that say anything: https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift */

type ThriftValue = number | bigint | string | Uint8Array | readonly ThriftValue[] | ThriftFields;
/** By the numbers of the fields; a `bigint` is an i64, a `number` an i32. */
interface ThriftFields {
  readonly [id: number]: ThriftValue;
}

function varint(value: number | bigint): number[] {
  const bytes: number[] = [];
  let rest = BigInt(value);
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return [...bytes, Number(rest)];
}

const zigzag = (value: number | bigint): number[] =>
  varint(BigInt(value) < 0n ? -2n * BigInt(value) - 1n : 2n * BigInt(value));

function typeOf(value: ThriftValue): number {
  if (typeof value === 'number') return 5;
  if (typeof value === 'bigint') return 6;
  if (typeof value === 'string' || value instanceof Uint8Array) return 8;
  return Array.isArray(value) ? 9 : 12;
}

function valueBytes(value: ThriftValue): number[] {
  if (typeof value === 'number' || typeof value === 'bigint') return zigzag(value);
  if (typeof value === 'string') return valueBytes(new TextEncoder().encode(value));
  if (value instanceof Uint8Array) return [...varint(value.length), ...value];
  if (!Array.isArray(value)) return thrift(value as ThriftFields);
  const list = value as readonly ThriftValue[];
  const type = list.length === 0 ? 12 : typeOf(list[0]!);
  return [0xf0 | type, ...varint(list.length), ...list.flatMap(valueBytes)];
}

export function thrift(fields: ThriftFields): number[] {
  let last = 0;
  const bytes = Object.entries(fields).flatMap(([name, value]) => {
    const delta = Number(name) - last;
    last = Number(name);
    const head = delta < 16 ? [(delta << 4) | typeOf(value)] : [typeOf(value), ...zigzag(last)];
    return [...head, ...valueBytes(value)];
  });
  return [...bytes, 0];
}

/** Runs and packed bits: a run is `[count, value]`. */
export function runs(...list: readonly (readonly [count: number, value: number])[]): number[] {
  return list.flatMap(([count, value]) => [...varint(2 * count), value]);
}

/** The header of packed differences, and what follows. */
export function deltas(blockSize: number, miniblocks: number, first: number, ...rest: readonly number[]): number[] {
  return [...varint(blockSize), ...varint(miniblocks), 1, ...zigzag(first), ...rest];
}

const encodings = { plain: 0, dictionary: 8, delta: 5, prefixes: 7, split: 9 } as const;

export interface PageParts {
  readonly count: number;
  readonly encoding?: keyof typeof encodings;
  readonly content: readonly number[];
  readonly unpackedLength?: number;
}

export function dataPage({ count, encoding = 'plain', content, unpackedLength = content.length }: PageParts): number[] {
  const data = { 1: count, 2: encodings[encoding], 3: 3, 4: 3 };
  return [...thrift({ 1: 0, 2: unpackedLength, 3: content.length, 5: data }), ...content];
}

/** A page of the newer kind, `levels` being how often each text is there. */
export function dataPageV2(
  parts: PageParts & { readonly levels?: readonly number[]; readonly nulls?: number },
): number[] {
  const { count, encoding = 'plain', content, levels = [], nulls = 0 } = parts;
  const data = { 1: count, 2: nulls, 3: count, 4: encodings[encoding], 5: levels.length, 6: 0 };
  const length = levels.length + content.length;
  return [...thrift({ 1: 3, 2: parts.unpackedLength ?? length, 3: length, 8: data }), ...levels, ...content];
}

export function dictionaryPage({ count, content }: PageParts): number[] {
  return [...thrift({ 1: 2, 2: content.length, 3: content.length, 7: { 1: count, 2: 0 } }), ...content];
}

export interface ColumnParts {
  /** Of its values; 1 INT32, 2 INT64, 6 BYTE_ARRAY, 7 FIXED_LEN_BYTE_ARRAY. */
  readonly type: number;
  readonly pages: readonly number[];
  readonly values?: number;
  /** 0 REQUIRED, 1 OPTIONAL, 2 REPEATED. */
  readonly repetition?: number;
  /** Names of the structs that it is in. */
  readonly within?: readonly string[];
  /** More fields of its SchemaElement, and of its ColumnMetaData. */
  readonly element?: ThriftFields;
  readonly metadata?: ThriftFields;
}

/** A file of one row group: `columns` in the order of their names `a`, `b`, …. */
export function parquetFile(
  rows: number,
  columns: readonly ColumnParts[],
  changes: { readonly footer?: ThriftFields; readonly groups?: number; readonly tail?: readonly number[] } = {},
): Uint8Array {
  const body: number[] = [...new TextEncoder().encode('PAR1')];
  const elements: ThriftFields[] = [{ 4: 'root', 5: columns.length }];
  const chunks = columns.map((column, i): ThriftFields => {
    const { type, pages, values = rows, repetition = 0, within = [], element = {}, metadata = {} } = column;
    const name = String.fromCharCode(97 + i);
    for (const struct of within) elements.push({ 3: 0, 4: struct, 5: 1 });
    elements.push({ 1: type, 3: repetition, 4: name, ...element });
    const start = body.length;
    for (const byte of pages) body.push(byte);
    const size = BigInt(pages.length);
    const plain = {
      1: type,
      2: [0],
      3: [...within, name],
      4: 0,
      5: BigInt(values),
      6: size,
      7: size,
      9: BigInt(start),
    };
    return { 2: 0n, 3: { ...plain, ...metadata } };
  });
  const group = { 1: chunks, 2: 0n, 3: BigInt(rows) };
  const groups = Array.from({ length: changes.groups ?? 1 }, () => group);
  const footer = thrift({ 1: 1, 2: elements, 3: BigInt(rows), 4: groups, ...changes.footer });
  const length = [0, 8, 16, 24].map((shift) => (footer.length >> shift) & 255);
  return new Uint8Array([...body, ...footer, ...(changes.tail ?? [...length, ...new TextEncoder().encode('PAR1')])]);
}
