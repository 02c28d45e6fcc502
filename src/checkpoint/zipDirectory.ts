import { brief } from '../base/brief.ts';
import { QkvError } from '../base/errors.ts';
import type { Storage } from './storage.ts';
import { decodeUtf8 } from './utf8.ts';

export interface ZipEntry {
  readonly bytes: number;
  /** Reads the content, now, or a part of it. */
  read(from?: number, length?: number): Promise<Uint8Array<ArrayBuffer>>;
}

const endSignature = 0x06054b50;
const end64LocatorSignature = 0x07064b50;
const end64Signature = 0x06064b50;
const entrySignature = 0x02014b50;
const localSignature = 0x04034b50;
const endBytes = 22;
const locatorBytes = 20;
const end64Bytes = 56;
const entryBytes = 46;
const localBytes = 30;
const saturated = 0xffffffff;
const maxDirectoryBytes = 100_000_000;

/**
 * The entries of a zip file whose contents are stored as they are, which is how PyTorch writes them. The central
 * directory alone is believed; it must agree with the end record, lie right before it, and give every entry room of its
 * own. Compression, encryption, several discs, equal names and a comment are refused. Format: PKWARE APPNOTE.TXT 6.3, with zip64.
 */
export async function openZip(storage: Storage, file: string): Promise<ReadonlyMap<string, ZipEntry>> {
  const fileBytes = await storage.size(file);
  const { count, start, end } = await findDirectory(storage, file, fileBytes);
  const directory = await storage.read(file, start, end - start);
  const view = new DataView(directory.buffer, directory.byteOffset, directory.length);
  const entries = new Map<string, ZipEntry>();
  const spans: { name: string; begin: number; end: number }[] = [];
  let at = 0;
  for (let i = 0; i < count; i++) {
    if (at + entryBytes > directory.length || view.getUint32(at, true) !== entrySignature) {
      throw damagedZip(file, `no entry at byte ${start + at}`, `entry ${i + 1} of ${count} of the directory`);
    }
    const flags = view.getUint16(at + 8, true);
    const method = view.getUint16(at + 10, true);
    const nameLength = view.getUint16(at + 28, true);
    const extraLength = view.getUint16(at + 30, true);
    const commentLength = view.getUint16(at + 32, true);
    const next = at + entryBytes + nameLength + extraLength + commentLength;
    if (next > directory.length) throw damagedZip(file, `entry ${i + 1} beyond the directory's end`, 'whole entries');
    const name = entryName(directory.subarray(at + entryBytes, at + entryBytes + nameLength), file);
    const where = `${file}: entry ${brief(name)}`;
    const extra = new DataView(view.buffer, view.byteOffset + at + entryBytes + nameLength, extraLength);
    const [size, packed, offset] = zip64Values(
      extra,
      [view.getUint32(at + 24, true), view.getUint32(at + 20, true), view.getUint32(at + 42, true)],
      where,
    );
    if (flags & 0x2041) throw damagedZip(where, 'encrypted content', 'plain content');
    if (method !== 0 || size !== packed) {
      throw damagedZip(where, `compression method ${method}, ${packed} bytes for ${size}`, 'content stored as it is');
    }
    if (view.getUint16(at + 34, true) !== 0) throw damagedZip(where, 'a part on another disc', 'one file');
    if (entries.has(name)) throw damagedZip(where, 'the same name twice', 'every name once');
    if (offset + localBytes + nameLength + size > start) {
      throw damagedZip(where, `${size} bytes from byte ${offset}`, `an end before byte ${start}, the directory`);
    }
    spans.push({ name, begin: offset, end: offset + localBytes + nameLength + size });
    let dataStart: Promise<number> | undefined;
    entries.set(name, {
      bytes: size,
      async read(from = 0, length = size - from) {
        if (from < 0 || length < 0 || from + length > size) {
          throw damagedZip(where, `${size} bytes`, `${length} bytes from byte ${from} of it`);
        }
        dataStart ??= findData(storage, file, where, offset, size, start);
        return storage.read(file, (await dataStart) + from, length);
      },
    });
    at = next;
  }
  if (at !== directory.length) throw damagedZip(file, `${directory.length - at} bytes behind its entries`, 'none');
  spans.sort((a, b) => a.begin - b.begin);
  for (let i = 1; i < spans.length; i++) {
    const [before, span] = [spans[i - 1]!, spans[i]!];
    if (span.begin < before.end) {
      throw damagedZip(file, `${brief(span.name)} in the midst of ${brief(before.name)}`, 'no overlap');
    }
  }
  return entries;
}

async function findDirectory(
  storage: Storage,
  file: string,
  fileBytes: number,
): Promise<{ count: number; start: number; end: number }> {
  const tailBytes = Math.min(fileBytes, endBytes + locatorBytes + end64Bytes);
  const tailStart = fileBytes - tailBytes;
  const tail = await storage.read(file, tailStart, tailBytes);
  const view = new DataView(tail.buffer, tail.byteOffset, tail.length);
  const at = tailBytes - endBytes;
  if (at < 0 || view.getUint32(at, true) !== endSignature || view.getUint16(at + 20, true) !== 0) {
    throw damagedZip(file, 'no end record in the last 22 bytes', 'a whole zip file without a comment');
  }
  if (view.getUint32(at + 4, true) !== 0) throw damagedZip(file, 'one disc of several', 'one file');
  let count = view.getUint16(at + 10, true);
  let bytes = view.getUint32(at + 12, true);
  let start = view.getUint32(at + 16, true);
  let end = fileBytes - endBytes;
  // PyTorch writes the zip64 records always, and fills the old fields where they suffice.
  if (at >= locatorBytes && view.getUint32(at - locatorBytes, true) === end64LocatorSignature) {
    const record = safe(view.getBigUint64(at - locatorBytes + 8, true), file) - tailStart;
    if (record !== at - locatorBytes - end64Bytes || record < 0 || view.getUint32(record, true) !== end64Signature) {
      throw damagedZip(file, 'no zip64 end record where its locator points', 'one right before it');
    }
    const [count64, bytes64, start64] = [32, 40, 48].map((field) =>
      safe(view.getBigUint64(record + field, true), file),
    );
    const isSame = (old: number, limit: number, wide: number) => old === limit || old === wide;
    if (
      !isSame(count, 0xffff, count64!) ||
      !isSame(bytes, saturated, bytes64!) ||
      !isSame(start, saturated, start64!)
    ) {
      throw damagedZip(file, 'two end records that differ', 'the same in both');
    }
    [count, bytes, start] = [count64!, bytes64!, start64!];
    end = tailStart + record;
  }
  if (start + bytes !== end || bytes > maxDirectoryBytes || count * entryBytes > bytes) {
    const expected = `a directory of at most ${maxDirectoryBytes} bytes that ends at byte ${end}`;
    throw damagedZip(file, `${count} entries in ${bytes} bytes from byte ${start}`, expected);
  }
  return { count, start, end };
}

function entryName(bytes: Uint8Array, file: string): string {
  try {
    return decodeUtf8(bytes);
  } catch {
    throw damagedZip(file, 'a name that is not UTF-8', 'names as text');
  }
}

/** The fields that 32 bits cannot hold stand, in the order of the format, in the extra field 1. */
function zip64Values(extra: DataView, values: [number, number, number], where: string): [number, number, number] {
  if (!values.includes(saturated)) return values;
  for (let at = 0; at + 4 <= extra.byteLength; at += 4 + extra.getUint16(at + 2, true)) {
    if (extra.getUint16(at, true) !== 1) continue;
    const end = at + 4 + extra.getUint16(at + 2, true);
    let field = at + 4;
    return values.map((value) => {
      if (value !== saturated) return value;
      if (field + 8 > end || end > extra.byteLength) throw damagedZip(where, 'a short zip64 field', 'all its values');
      field += 8;
      return safe(extra.getBigUint64(field - 8, true), where);
    }) as [number, number, number];
  }
  return values;
}

/** Where the content begins: behind the local header, whose extra field (padding, with PyTorch) the directory does not know. */
async function findData(
  storage: Storage,
  file: string,
  where: string,
  offset: number,
  size: number,
  limit: number,
): Promise<number> {
  const header = await storage.read(file, offset, localBytes);
  const view = new DataView(header.buffer, header.byteOffset, header.length);
  const begin = offset + localBytes + view.getUint16(26, true) + view.getUint16(28, true);
  if (view.getUint32(0, true) !== localSignature || begin + size > limit) {
    throw damagedZip(where, `no header of its own at byte ${offset}`, 'the header and the content of the entry');
  }
  return begin;
}

function safe(value: bigint, where: string): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw damagedZip(where, `${value}`, 'a place in the file');
  return Number(value);
}

function damagedZip(where: string, got: string, expected: string): QkvError {
  return new QkvError('checkpoint', {
    where,
    got,
    expected,
    hint: 'The file is damaged or was not written by torch.save: fetch or save it again',
  });
}
