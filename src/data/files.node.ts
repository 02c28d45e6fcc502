import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { QkvError } from '../base/errors.ts';
import type { Line, LineSource } from './lines.ts';

const NEWLINE = 0x0a;

/**
 * The lines of a UTF-8 file; a name that ends in `.gz` is unpacked. `\r\n` counts as one line ending and a byte order
 * mark is dropped. Bytes that are not UTF-8 are an error (`data`) with file and line; a file that cannot be read is an
 * error of code `io`. The source can be read more than once.
 */
export function readLines(path: string): LineSource {
  return { file: path, [Symbol.asyncIterator]: () => lines(path) };
}

async function* lines(path: string): AsyncGenerator<Line> {
  // Whole lines are decoded chunk by chunk; `rest` holds the pieces of the line that chunks' ends cut.
  let rest: Buffer[] = [];
  let line = 1;
  for await (const chunk of chunks(path)) {
    const end = chunk.lastIndexOf(NEWLINE);
    if (end < 0) {
      rest.push(chunk);
      continue;
    }
    const text = decode(Buffer.concat([...rest, chunk.subarray(0, end)]), path, line);
    rest = [chunk.subarray(end + 1)];
    for (const raw of text.split('\n')) {
      yield { file: path, line: line++, text: raw.endsWith('\r') ? raw.slice(0, -1) : raw, terminated: true };
    }
  }
  const last = decode(Buffer.concat(rest), path, line);
  if (last.length > 0) yield { file: path, line, text: last, terminated: false };
}

async function* chunks(path: string): AsyncGenerator<Buffer> {
  const file = createReadStream(path, { highWaterMark: 1 << 16 });
  // `pipeline` hands an error of the file on to the unpacker; the callback is only there because it is demanded.
  const stream: Readable = path.endsWith('.gz') ? pipeline(file, createGunzip(), () => {}) : file;
  try {
    for await (const chunk of stream) yield chunk as Buffer;
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    const damaged = code?.startsWith('Z_') ?? false;
    throw new QkvError('io', {
      where: path,
      got: damaged ? `damaged gzip data (${message})` : message,
      expected: damaged ? 'a complete gzip file' : 'a readable file',
      cause,
    });
  } finally {
    file.destroy();
  }
}

/** UTF-8 text of whole lines that begin at `firstLine` of the file. */
function decode(bytes: Buffer, path: string, firstLine: number): string {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    return firstLine === 1 && text.startsWith('\uFEFF') ? text.slice(1) : text;
  } catch {
    throw notUtf8(bytes, path, firstLine);
  }
}

function notUtf8(bytes: Buffer, path: string, firstLine: number): QkvError {
  const mark = firstLine === 1 ? bytes.toString('hex', 0, 2) : '';
  const utf16 = mark === 'fffe' || mark === 'feff';
  let start = 0;
  let line = firstLine;
  for (;;) {
    const end = bytes.indexOf(NEWLINE, start);
    const one = bytes.subarray(start, end < 0 ? bytes.length : end);
    const at = invalidByte(one);
    if (at >= 0) {
      const byte = one[at]!.toString(16).padStart(2, '0');
      return new QkvError('data', {
        where: `${path}:${line}`,
        got: `byte 0x${byte} at byte ${at + 1} of the line, which is not UTF-8`,
        expected: 'UTF-8 text',
        hint: utf16 ? 'The file looks like UTF-16: convert it to UTF-8' : 'Convert the file to UTF-8 (iconv -t UTF-8)',
      });
    }
    start = end + 1;
    line++;
  }
}

/** Offset of the first byte that begins no valid UTF-8 sequence, or −1. */
function invalidByte(bytes: Buffer): number {
  if (isUtf8(bytes)) return -1;
  // The longest valid prefix ends at the start of a sequence: a cut inside one is not valid either.
  let at = 0;
  while (at < bytes.length) {
    const lead = bytes[at]!;
    const size = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (!isUtf8(bytes.subarray(at, at + size))) return at;
    at += size;
  }
  return -1;
}
