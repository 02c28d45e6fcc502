import { brief } from '../base/brief.ts';
import { QkvError } from '../base/errors.ts';

/** What a file is written from: its bytes in order, produced when they are needed. A chunk is used up before the next is asked for. */
export type Chunks = Iterable<Uint8Array> | AsyncIterable<Uint8Array>;

/**
 * A flat folder of files: a directory, a cache in the browser, memory. Names are plain file names; `checkName` refuses
 * any other. A file or folder that does not exist or cannot be used is a `QkvError('io')`.
 */
export interface Storage {
  /** Where it is, for messages: a path or an address. */
  readonly location: string;
  /** Names of the files, sorted; unfinished writes are not among them. */
  list(): Promise<string[]>;
  /** Bytes in a file. */
  size(name: string): Promise<number>;
  /** `length` bytes from `offset`, in memory that the caller may keep and change; throws where the file has fewer. */
  read(name: string, offset: number, length: number): Promise<Uint8Array<ArrayBuffer>>;
  /** Replaces or creates a file at once: a reader sees the old bytes or the new ones, whatever stops the writer. */
  writeAtomic(name: string, chunks: Chunks): Promise<void>;
  remove(name: string): Promise<void>;
}

/** Refuses names that could leave the folder. */
export function checkName(name: string): void {
  const isPlain = name.length > 0 && name.length <= 255 && !/[/\\\p{Cc}]/u.test(name) && name !== '.' && name !== '..';
  if (!isPlain) {
    throw new QkvError('io', {
      where: 'file name',
      got: brief(name),
      expected: 'the name of a file in the folder',
    });
  }
}
