import { type FileMetaData, parquetSchema, type RowGroup, type SchemaElement, type SchemaTree } from 'hyparquet';
import { brief } from '../base/brief.ts';
import { QkvError } from '../base/errors.ts';
import { type ColumnLayout, checkLevelsV2, checkPageV1, checkValuesV2 } from './parquetEncodings.ts';
import { ThriftCursor, type ThriftStruct, type ThriftValue } from './thriftCursor.ts';

/** A file's bytes from one place to another, and what unpacks a page to a known length. */
export interface ParquetBytes {
  readonly size: number;
  slice(start: number, end: number): Uint8Array;
  unpack(codec: string, bytes: Uint8Array, length: number): Uint8Array;
}

/*
 * A few bytes may stand for any number of equal values, so what a row group becomes has limits of its own: values, and within
 * lists and structs four for each level, which become arrays; and bytes of its pages unpacked. Each is a floor and so many for a byte.
 * What a file of some hundred bytes can become within them takes 6 seconds and 1 GiB.
 */
const VALUES = { floor: 2 ** 23, perByte: 16 };
const UNPACKED = { floor: 2 ** 28, perByte: 64 };
/** The most bytes that one can stand for, where its reader makes room before it unpacks. */
const ratios: Readonly<Record<string, number>> = { UNCOMPRESSED: 1, SNAPPY: 22, GZIP: 1032, LZ4: 256, LZ4_RAW: 256 };
/** Of lists and structs in each other. */
const MAX_LEVELS = 32;
/** Of a decimal number. */
const MAX_DECIMAL_BYTES = 32;

const MAGIC = 'PAR1';

/**
 * Checks the footer before it is read: numbers of any length, and decimals of any length among its statistics, would take time that
 * grows with the square of theirs.
 *
 * @throws QkvError `data`
 */
export function checkFooter(where: string, { size, slice }: Pick<ParquetBytes, 'size' | 'slice'>): void {
  const refuse = (got: string, expected: string, hint?: string): QkvError =>
    new QkvError('data', { where, got, expected, ...(hint !== undefined && { hint }) });
  if (size < 12) throw refuse(`${size} bytes`, 'a parquet file: 12 or more');
  const tail = slice(size - 8, size);
  const magic = String.fromCharCode(...tail.subarray(4));
  if (magic !== MAGIC) {
    throw refuse(
      `${brief(magic)} at its end`,
      `${MAGIC}, as a whole parquet file has`,
      'It may be cut: fetch it again',
    );
  }
  const length = new DataView(tail.buffer, tail.byteOffset).getUint32(0, true);
  if (length > size - 12)
    throw refuse(`a footer of ${length} bytes`, `at most ${size - 12}, what the file has room for`);
  const footer = new ThriftCursor(slice(size - 8 - length, size - 8), `${where}: footer`);
  const fields = footer.struct();
  // parquet.thrift: FileMetaData 2 schema, 4 row_groups; SchemaElement 1 type, 6 converted_type; RowGroup 1 columns;
  // ColumnChunk 3 meta_data; ColumnMetaData 12 statistics
  const DECIMAL = 5;
  const leaves = structs(fields.get(2)).filter((element) => element.has(1));
  for (const group of structs(fields.get(4))) {
    structs(group.get(1)).forEach((chunk, i) => {
      if (leaves[i]?.get(6) !== DECIMAL) return;
      const metadata = chunk.get(3);
      const statistics = metadata instanceof Map ? (metadata as ThriftStruct).get(12) : undefined;
      for (const value of statistics instanceof Map ? (statistics as ThriftStruct).values() : []) {
        if (!(value instanceof Uint8Array) || value.length <= MAX_DECIMAL_BYTES) continue;
        throw footer.refuse(`a decimal of ${value.length} bytes`, `at most ${MAX_DECIMAL_BYTES}`);
      }
    });
  }
}

function structs(value: ThriftValue | undefined): ThriftStruct[] {
  return Array.isArray(value) ? value.filter((one): one is ThriftStruct => one instanceof Map) : [];
}

/**
 * Checks what the footer says of the file: columns that can be read, and row groups that lie in it, each in a place of its own.
 *
 * @throws QkvError `data`
 */
export function checkMetadata(where: string, { schema, row_groups: groups }: FileMetaData, size: number): void {
  for (const element of schema) checkElement(`${where}: column ${brief(element.name)}`, element);
  const leaves = schema.slice(1).filter((element) => !element.num_children).length;
  let total = 0;
  for (const [i, { columns, num_rows: rows }] of groups.entries()) {
    if (Number(rows) === 0) continue; // its columns may be nowhere
    if (columns.length !== leaves) {
      const expected = `${leaves}, as in the schema`;
      throw damage(`${where}: row group ${i + 1}`, `${columns.length} columns`, expected);
    }
    for (const { meta_data: metadata } of columns) {
      const [start, length] = [Number(chunkStart(metadata)), Number(metadata?.total_compressed_size)];
      total += length;
      if (start >= MAGIC.length && length >= 0 && start + length <= size && total <= size) continue;
      throw damage(
        `${where}: row group ${i + 1}, column ${brief(metadata?.path_in_schema.join('.'))}`,
        `bytes ${start} to ${start + length}, ${total} with those before`,
        `a part of the file, which has ${size}`,
      );
    }
  }
}

/** What a file says that cannot be. */
const damage = (where: string, got: string, expected: string): QkvError =>
  new QkvError('data', { where, got, expected, hint: 'The file is damaged: make it again' });

type ColumnMetadata = NonNullable<RowGroup['columns'][number]['meta_data']>;

const chunkStart = (metadata: ColumnMetadata | undefined): bigint | undefined =>
  metadata && (metadata.dictionary_page_offset || metadata.data_page_offset);

/** What a value of a few bytes may become very large or take very long of. */
function checkElement(where: string, element: SchemaElement): void {
  const { type, type_length: length = 0, converted_type: converted, logical_type: logical } = element;
  const isLong = type === 'BYTE_ARRAY' || (type === 'FIXED_LEN_BYTE_ARRAY' && length > MAX_DECIMAL_BYTES);
  const decimal = converted === 'DECIMAL' && isLong && `decimals of ${type === 'BYTE_ARRAY' ? 'any' : length} bytes`;
  const got = decimal || (logical?.type === 'VARIANT' && 'variants');
  if (!got) return;
  throw new QkvError('data', { where, got, expected: 'text, numbers, dates, and lists and structs of them' });
}

/**
 * Checks a row group before it is read: that its pages hold as many values as it says it has rows, that these fit in their bytes, and
 * that they do not become more than `VALUES` and `UNPACKED` allow.
 *
 * @throws QkvError `data`
 */
export function checkRowGroup(where: string, metadata: FileMetaData, group: RowGroup, file: ParquetBytes): void {
  const rows = Number(group.num_rows);
  if (rows < 0 || (rows > 0 && group.columns.length === 0)) {
    throw damage(where, `${rows} rows of ${group.columns.length} columns`, 'columns, each with a value for every row');
  }
  const tree = parquetSchema(metadata);
  const chunks = group.columns.map(({ meta_data: chunk }) => {
    const at = `${where}, column ${brief(chunk!.path_in_schema.join('.'))}`;
    const layout = layoutOf(tree, chunk!.path_in_schema, at);
    const values = Number(chunk!.num_values);
    if (layout.isFlat ? values !== rows : values < rows)
      throw damage(at, `${values} values`, `one for each of ${rows} rows`);
    return { at, chunk: chunk!, layout, values };
  });
  const bytes = chunks.reduce((sum, { chunk }) => sum + Number(chunk.total_compressed_size), 0);
  const elements = chunks.reduce(
    (sum, { layout, values }) => sum + values * (layout.isFlat ? 1 : 4 * (1 + layout.maxDefinition)),
    0,
  );
  const mostElements = VALUES.floor + VALUES.perByte * bytes;
  if (elements > mostElements) throw damage(where, `${elements} values`, `at most ${mostElements} of ${bytes} bytes`);
  let unpacked = 0;
  const count = (at: string, length: number): void => {
    unpacked += length;
    const most = UNPACKED.floor + UNPACKED.perByte * bytes;
    if (unpacked > most)
      throw damage(at, `${unpacked} bytes, unpacked`, `at most ${most} of ${bytes} in the row group`);
  };
  for (const { at, chunk, layout, values } of chunks) {
    const start = Number(chunkStart(chunk));
    const content = file.slice(start, start + Number(chunk.total_compressed_size));
    const pages = new ThriftCursor(content, at);
    let seen = 0;
    // as its reader goes through them: it takes a last byte for none
    for (let number = 1; pages.left > 1 && (!layout.isFlat || seen < values); number++) {
      const page = readPage(pages, `${at}, page ${number}`, chunk.codec, file);
      count(page.where, page.unpackedLength);
      seen += page.count;
      if (seen > values) throw damage(page.where, `${seen} values with those before`, `at most ${values}`);
      count(page.where, page.check(layout));
    }
    if (seen !== values) throw damage(at, `${seen} values in its pages`, `${values}, as the footer says`);
  }
}

interface Layout extends ColumnLayout {
  /** Whether a row has one value. */
  readonly isFlat: boolean;
}

function layoutOf(tree: SchemaTree, names: readonly string[], where: string): Layout {
  const path: SchemaTree[] = [];
  for (let { children } = tree; path.length < names.length; ) {
    const child = children.find(({ element }) => element.name === names[path.length]);
    if (!child || path.length === MAX_LEVELS) {
      const expected = child ? `at most ${MAX_LEVELS} levels` : 'a column of the schema';
      throw new QkvError('data', { where, got: brief(names), expected });
    }
    path.push(child);
    ({ children } = child);
  }
  const { type, type_length: typeLength = 0 } = path.at(-1)!.element;
  const levels = (is: (type: string | undefined) => boolean): number =>
    path.filter(({ element }) => is(element.repetition_type)).length;
  const maxRepetition = levels((type) => type === 'REPEATED');
  return {
    type: String(type),
    typeLength,
    maxDefinition: levels((type) => type !== 'REQUIRED'),
    maxRepetition,
    isFlat: path.length === 1 && maxRepetition === 0,
  };
}

interface CheckedPage {
  readonly where: string;
  /** Of values, nulls among them; 0 of a dictionary. */
  readonly count: number;
  readonly unpackedLength: number;
  /** Checks the content; gives the bytes of its values beyond its own. */
  check(layout: ColumnLayout): number;
}

const encodings = [
  'PLAIN',
  'GROUP_VAR_INT',
  'PLAIN_DICTIONARY',
  'RLE',
  'BIT_PACKED',
  'DELTA_BINARY_PACKED',
  'DELTA_LENGTH_BYTE_ARRAY',
  'DELTA_BYTE_ARRAY',
  'RLE_DICTIONARY',
  'BYTE_STREAM_SPLIT',
] as const;

/** The next page of a column. */
function readPage(pages: ThriftCursor, where: string, codec: string, file: ParquetBytes): CheckedPage {
  const header = new ThriftCursor(pages.bytes, where, pages.at);
  const fields = header.struct();
  const number = (struct: ThriftStruct, id: number, name: string): number => {
    const value = struct.get(id);
    if (typeof value === 'number' && value >= 0 && value < 2 ** 31) return value;
    throw header.refuse(`${name} ${String(value)}`, 'a whole number from 0 on');
  };
  const [unpackedLength, packedLength] = [number(fields, 2, 'a length'), number(fields, 3, 'a length')];
  const start = header.skip(packedLength);
  pages.at = header.at;
  const packed = header.bytes.subarray(start, header.at);
  const unpack = (bytes: Uint8Array, length: number, isPacked = true): ThriftCursor => {
    const most = 64 + (ratios[isPacked ? codec : 'UNCOMPRESSED'] ?? Number.POSITIVE_INFINITY) * bytes.length;
    if (length > most) throw header.refuse(`${length} bytes`, `at most ${most} of ${bytes.length} packed by ${codec}`);
    return new ThriftCursor(isPacked ? file.unpack(codec, bytes, length) : bytes, where);
  };
  // PageHeader 5 data_page_header, 7 dictionary_page_header, 8 data_page_header_v2
  const details = (id: number): ThriftStruct => {
    const value = fields.get(id);
    if (value instanceof Map) return value as ThriftStruct;
    throw header.refuse('a header without what its type needs', 'it');
  };
  const encodingOf = (id: number): string => encodings[id] ?? String(id);
  const type = fields.get(1);
  if (type === 0) {
    const data = details(5);
    const count = number(data, 1, 'a number of values');
    const encoding = encodingOf(number(data, 2, 'an encoding'));
    const check = (layout: ColumnLayout) => checkPageV1(unpack(packed, unpackedLength), layout, count, encoding);
    return { where, count, unpackedLength, check };
  }
  if (type === 2) {
    const count = number(details(7), 1, 'a number of values');
    const check = (layout: ColumnLayout) =>
      checkPageV1(unpack(packed, unpackedLength), { ...layout, maxDefinition: 0, maxRepetition: 0 }, count, 'PLAIN');
    return { where, count: 0, unpackedLength, check };
  }
  if (type === 3) {
    const data = details(8);
    const [count, nulls] = [number(data, 1, 'a number of values'), number(data, 2, 'a number of nulls')];
    const encoding = encodingOf(number(data, 4, 'an encoding'));
    const lengths = { definition: number(data, 5, 'a length'), repetition: number(data, 6, 'a length') };
    const levels = lengths.definition + lengths.repetition;
    if (nulls > count) throw header.refuse(`${nulls} nulls`, `at most ${count}, its values`);
    const check = (layout: ColumnLayout): number => {
      const own = new ThriftCursor(packed, where);
      checkLevelsV2(own, layout, count, lengths);
      const rest = unpack(packed.subarray(levels), unpackedLength - levels, data.get(7) !== false);
      return checkValuesV2(rest, layout, count - nulls, encoding);
    };
    return { where, count, unpackedLength, check };
  }
  throw header.refuse(`a page of type ${String(type)}`, 'data or a dictionary');
}
