import type { ThriftCursor } from './thriftCursor.ts';

/** Physical types by their least bytes a value, uncompressed; booleans have eight in a byte. */
const plainBytes: Readonly<Record<string, number>> = {
  BOOLEAN: 1 / 8,
  INT32: 4,
  INT64: 8,
  INT96: 12,
  FLOAT: 4,
  DOUBLE: 8,
  BYTE_ARRAY: 4,
};

export interface ColumnLayout {
  readonly type: string;
  /** Of FIXED_LEN_BYTE_ARRAY. */
  readonly typeLength: number;
  /** Optional and repeated elements on the path to the column, and repeated ones. */
  readonly maxDefinition: number;
  readonly maxRepetition: number;
}

/** Bits that hold the numbers up to `largest`. */
const widthOf = (largest: number): number => 32 - Math.clz32(largest);

/**
 * Goes through a page's content as far as the amount of what its reader makes of it depends on it
 * (https://parquet.apache.org/docs/file-format/data-pages/encodings/). Gives the bytes of the values that are longer than the page.
 */
export function checkPageV1(page: ThriftCursor, column: ColumnLayout, count: number, encoding: string): number {
  const levels = (largest: number): number => {
    if (largest === 0) return count;
    const end = page.uint32();
    return countInRuns(within(page, end), widthOf(largest), count, largest);
  };
  levels(column.maxRepetition);
  const present = levels(column.maxDefinition);
  const isRuns = encoding === 'PLAIN_DICTIONARY' || encoding === 'RLE_DICTIONARY' || encoding === 'RLE';
  if (!isRuns) return checkValues(page, column, present, encoding);
  if (column.type === 'BOOLEAN') checkBooleans(page, present);
  else if (present > 0) checkIndices(page, present, { zeroNeedsRuns: false });
  return 0;
}

/** As `checkPageV1`, of the newer kind: `levels` are its first bytes, which are never compressed. */
export function checkLevelsV2(
  levels: ThriftCursor,
  { maxRepetition, maxDefinition }: ColumnLayout,
  count: number,
  lengths: { readonly repetition: number; readonly definition: number },
): void {
  const parts = [within(levels, lengths.repetition), within(levels, lengths.definition)] as const;
  if (maxRepetition > 0) countInRuns(parts[0], widthOf(maxRepetition), count, -1);
  if (maxDefinition > 0) countInRuns(parts[1], widthOf(maxDefinition), count, -1);
}

export function checkValuesV2(page: ThriftCursor, column: ColumnLayout, present: number, encoding: string): number {
  if (encoding === 'RLE') checkBooleans(page, present);
  else if (encoding !== 'PLAIN_DICTIONARY' && encoding !== 'RLE_DICTIONARY') {
    return checkValues(page, column, present, encoding);
  } else if (present > 0) checkIndices(page, present, { zeroNeedsRuns: true });
  return 0;
}

/** The next `length` bytes. */
function within(page: ThriftCursor, length: number): ThriftCursor {
  const start = page.skip(length);
  return page.part(start, start + length);
}

function checkBooleans(page: ThriftCursor, count: number): void {
  if (count === 0) return;
  countInRuns(within(page, page.uint32()), 1, count, -1);
}

function checkIndices(page: ThriftCursor, count: number, { zeroNeedsRuns }: { readonly zeroNeedsRuns: boolean }): void {
  const width = page.byte();
  if (width > 32) throw page.refuse(`indices of ${width} bits`, 'at most 32');
  if (width > 0 || zeroNeedsRuns) countInRuns(page, width, count, -1);
}

/**
 * How many of the first `count` values of a hybrid of runs and packed bits are `wanted`.
 *
 * @throws QkvError `data` where there are fewer values, or a run goes beyond the last
 */
export function countInRuns(page: ThriftCursor, width: number, count: number, wanted: number): number {
  let found = 0;
  for (let seen = 0; seen < count; ) {
    const head = page.varint();
    const left = count - seen;
    if (head % 2 === 0) {
      const run = head / 2;
      if (run > left) throw page.refuse(`a run of ${run} values`, `at most ${left}, those that are left`);
      let value = 0;
      for (let i = 0; i < width; i += 8) value += page.byte() * 2 ** i;
      if (value === wanted) found += run;
      seen += run;
    } else {
      const groups = (head - 1) / 2;
      const values = Math.min(left, 8 * groups);
      if (8 * groups > left + 7 && width === 0) throw page.refuse(`${8 * groups} values of no bits`, `at most ${left}`);
      const bits = page.skip(Math.min(groups * width, Math.max(page.left, Math.ceil((values * width) / 8))));
      if (wanted >= 0) {
        for (let i = 0; i < values; i++) if (bitsAt(page.bytes, 8 * bits + i * width, width) === wanted) found++;
      }
      seen += values;
    }
  }
  return found;
}

/** `width` bits from a bit's number on, the lowest of a byte first. */
function bitsAt(bytes: Uint8Array, start: number, width: number): number {
  let value = 0;
  for (let done = 0; done < width; ) {
    const at = start + done;
    const taken = Math.min(8 - (at % 8), width - done);
    value += ((bytes[Math.floor(at / 8)]! >> (at % 8)) & ((1 << taken) - 1)) * 2 ** done;
    done += taken;
  }
  return value;
}

function checkValues(page: ThriftCursor, { type, typeLength }: ColumnLayout, count: number, encoding: string): number {
  const width = type === 'FIXED_LEN_BYTE_ARRAY' ? typeLength : (plainBytes[type] ?? 0);
  const needed = Math.ceil(count * width);
  switch (encoding) {
    case 'PLAIN':
    case 'BYTE_STREAM_SPLIT':
      if (needed <= page.left) return 0;
      throw page.refuse(`${page.left} bytes`, `${needed}, of ${count} values of type ${type}`);
    case 'DELTA_BINARY_PACKED':
    case 'DELTA_LENGTH_BYTE_ARRAY':
      if (count > 0) readDeltas(page, count, undefined);
      return 0;
    case 'DELTA_BYTE_ARRAY':
      return count > 0 ? checkPrefixes(page, count) : 0;
    default:
      return 0; // its reader knows no other
  }
}

/** Texts as the length of what each has of the one before, and the rest: gives the bytes of all of them. */
function checkPrefixes(page: ThriftCursor, count: number): number {
  const [prefixes, rests] = [new Int32Array(count), new Int32Array(count)];
  readDeltas(page, count, prefixes);
  readDeltas(page, count, rests);
  let [length, total] = [0, 0];
  for (let i = 0; i < count; i++) {
    const [prefix, rest] = [prefixes[i]!, rests[i]!];
    if (prefix < 0 || prefix > length)
      throw page.refuse(`a text that begins with ${prefix} bytes`, `at most ${length}`);
    page.skip(rest);
    length = prefix + rest;
    total += length;
  }
  return total;
}

/** `count` numbers as differences packed in blocks, into `values` where they are wanted. */
function readDeltas(page: ThriftCursor, count: number, values: Int32Array | undefined): void {
  const [blockSize, miniblocks] = [page.varint(), page.varint()];
  const perMiniblock = blockSize / miniblocks;
  if (!(miniblocks > 0 && perMiniblock > 0 && perMiniblock % 8 === 0)) {
    throw page.refuse(`blocks of ${blockSize} in ${miniblocks}`, 'parts of a multiple of 8 values');
  }
  page.varint(); // the count again
  let value = page.zigzag();
  if (values) values[0] = value;
  for (let done = 1; done < count; ) {
    const least = page.zigzag();
    const widths = page.skip(miniblocks);
    for (let m = 0; m < miniblocks && done < count; m++) {
      const width = page.bytes[widths + m]!;
      if (width > 64) throw page.refuse(`differences of ${width} bits`, 'at most 64');
      const here = Math.min(perMiniblock, count - done);
      const size = (perMiniblock * width) / 8;
      // the last one may be cut behind its last value
      const start = page.skip(Math.min(size, Math.max(page.left, Math.ceil((here * width) / 8))));
      if (values) {
        for (let i = 0; i < here; i++) {
          value = (value + least + bitsAt(page.bytes, 8 * start + i * width, width)) | 0;
          values[done + i] = value;
        }
      }
      done += here;
    }
  }
}
