import { QkvError } from '../base/errors.ts';

/** Reads the ids from `start` to before `end`. */
export type ReadTokens = (start: number, end: number) => Int32Array;

/** The token ids of many documents, each a row of sentences, one behind the other; in memory or in a file. */
export class TokenStore {
  /** [S + 1]: the token that each sentence begins at, and at the end the number of tokens. */
  readonly sentenceStarts: Uint32Array;
  /** [D + 1]: the sentence that each document begins at, and at the end the number of sentences. */
  readonly documentStarts: Uint32Array;
  /** For each source the number of documents up to its end. */
  readonly sourceEnds: readonly number[];
  /** Changes with the tokens. */
  readonly fingerprint: string;
  readonly read: ReadTokens;

  constructor(parts: Omit<TokenStore, 'documents' | 'tokens' | 'documentStart' | 'document'>) {
    this.sentenceStarts = parts.sentenceStarts;
    this.documentStarts = parts.documentStarts;
    this.sourceEnds = parts.sourceEnds;
    this.fingerprint = parts.fingerprint;
    this.read = parts.read;
  }

  /** D */
  get documents(): number {
    return this.documentStarts.length - 1;
  }

  get tokens(): number {
    return this.sentenceStarts.at(-1)!;
  }

  /** The first token of document `index`; of D, the number of tokens. */
  documentStart(index: number): number {
    return this.sentenceStarts[this.documentStarts[index]!]!;
  }

  /** The sentences of a document. */
  document(index: number): Int32Array[] {
    const starts = this.sentenceStarts.subarray(this.documentStarts[index]!, this.documentStarts[index + 1]! + 1);
    const first = starts[0]!;
    const ids = this.read(first, starts.at(-1)!);
    return Array.from({ length: starts.length - 1 }, (_, i) =>
      ids.subarray(starts[i]! - first, starts[i + 1]! - first),
    );
  }
}

/** Whole numbers that are written one behind the other. */
export interface Column {
  readonly length: number;
  push(value: number): void;
}

export interface TokenColumns<C extends Column = Column> {
  readonly ids: C;
  readonly sentenceStarts: C;
  readonly documentStarts: C;
}

/** Fills the columns of a store; sentences and documents without tokens leave no trace. */
export class TokenWriter {
  readonly #columns: TokenColumns;
  readonly #sourceEnds: number[] = [];
  #documents = 0;
  /** Sentences up to the end of the last document. */
  #closed = 0;

  constructor(columns: TokenColumns) {
    this.#columns = columns;
    columns.sentenceStarts.push(0);
    columns.documentStarts.push(0);
  }

  sentence(tokens: ArrayLike<number>): void {
    if (tokens.length === 0) return;
    const { ids, sentenceStarts } = this.#columns;
    for (let i = 0; i < tokens.length; i++) ids.push(tokens[i]!);
    if (ids.length > 0xffffffff) {
      throw new QkvError('data', {
        where: 'documents',
        got: 'more than 2^32 tokens',
        expected: 'fewer',
        hint: 'Set limit',
      });
    }
    sentenceStarts.push(ids.length);
  }

  endDocument(): void {
    const sentences = this.#columns.sentenceStarts.length - 1;
    if (sentences === this.#closed) return;
    this.#closed = sentences;
    this.#documents++;
    this.#columns.documentStarts.push(sentences);
  }

  endSource(): void {
    this.endDocument();
    this.#sourceEnds.push(this.#documents);
  }

  get sourceEnds(): readonly number[] {
    return this.#sourceEnds;
  }
}

/** A column in memory, which doubles when it is full. */
export class MemoryColumn<A extends Uint16Array | Int32Array | Uint32Array> implements Column {
  readonly #make: (length: number) => A;
  #values: A;
  length = 0;

  constructor(make: (length: number) => A) {
    this.#make = make;
    this.#values = make(1024);
  }

  push(value: number): void {
    if (this.length === this.#values.length) {
      const grown = this.#make(2 * this.length);
      grown.set(this.#values);
      this.#values = grown;
    }
    this.#values[this.length++] = value;
  }

  get values(): A {
    return this.#values.subarray(0, this.length) as A;
  }
}

/** A store in memory of what `write` writes. */
export async function memoryTokens(
  write: (writer: TokenWriter) => void | Promise<void>,
  fingerprint: string | ((ids: Int32Array) => string),
): Promise<TokenStore> {
  const starts = (): MemoryColumn<Uint32Array> => new MemoryColumn((length) => new Uint32Array(length));
  const columns = {
    ids: new MemoryColumn((length) => new Int32Array(length)),
    sentenceStarts: starts(),
    documentStarts: starts(),
  };
  const writer = new TokenWriter(columns);
  await write(writer);
  const ids = columns.ids.values;
  return new TokenStore({
    sentenceStarts: columns.sentenceStarts.values,
    documentStarts: columns.documentStarts.values,
    sourceEnds: writer.sourceEnds,
    fingerprint: typeof fingerprint === 'string' ? fingerprint : fingerprint(ids),
    read: (start, end) => ids.slice(start, end),
  });
}
