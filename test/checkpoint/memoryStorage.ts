import { QkvError } from '../../src/base/errors.ts';
import { checkName, type Storage } from '../../src/checkpoint/storage.ts';

export interface MemoryStorage extends Storage {
  readonly files: Map<string, Uint8Array>;
  /** Bytes handed out by `read` so far. */
  readBytes: number;
}

/** A folder in memory. As the interface asks, a read beyond the end of a file is an error. */
export function memoryStorage(files: Readonly<Record<string, Uint8Array>> = {}): MemoryStorage {
  const stored = new Map(Object.entries(files));
  const fileOf = (name: string): Uint8Array => {
    checkName(name);
    const bytes = stored.get(name);
    if (!bytes) throw new QkvError('io', { where: name, got: 'no such file' });
    return bytes;
  };
  return {
    files: stored,
    readBytes: 0,
    location: 'memory',
    list: async () => [...stored.keys()].sort(),
    size: async (name) => fileOf(name).length,
    async read(name, offset, length) {
      const bytes = fileOf(name);
      if (offset + length > bytes.length) throw new QkvError('io', { where: name, got: 'a read beyond the end' });
      this.readBytes += length;
      return new Uint8Array(bytes.slice(offset, offset + length));
    },
    async writeAtomic(name, chunks) {
      checkName(name);
      stored.set(name, await collect(chunks));
    },
    async remove(name) {
      fileOf(name);
      stored.delete(name);
    },
  };
}

export async function collect(
  chunks: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<Uint8Array<ArrayBuffer>> {
  const parts: Uint8Array[] = [];
  for await (const chunk of chunks) parts.push(chunk.slice());
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
