const replacementCharacter = '\ufffd';

/**
 * Turns ids into text one by one. A character may be spread over several tokens (bytes of UTF-8), so its text comes
 * with the last of them; the pieces, with the one of `end`, joined are `decode` of all the ids.
 */
export class StreamDecoder {
  readonly #decode: (ids: readonly number[]) => string;
  /** The ids since two points back at which all characters were complete: a decoder may treat the first id specially. */
  #ids: number[] = [];
  #newIds = 0;
  /** How much of the text of `#ids` has been given out. */
  #given = 0;

  constructor(decode: (ids: readonly number[]) => string) {
    this.#decode = decode;
  }

  /** The text that this id completes, often empty. */
  push(id: number): string {
    this.#ids.push(id);
    this.#newIds += 1;
    const text = this.#decode(this.#ids);
    // Bytes that do not make a character yet decode to one U+FFFD at the end; all before it is settled.
    const complete = !text.endsWith(replacementCharacter);
    const settled = complete ? text : text.slice(0, -1);
    const piece = settled.slice(this.#given);
    this.#given = Math.max(this.#given, settled.length);
    if (complete && piece !== '') {
      this.#ids = this.#ids.slice(-this.#newIds);
      this.#newIds = 0;
      this.#given = this.#decode(this.#ids).length;
    }
    return piece;
  }

  /** What is left when no more ids come: U+FFFD for an unfinished character. Ready for another text afterwards. */
  end(): string {
    const piece = this.#decode(this.#ids).slice(this.#given);
    this.#ids = [];
    this.#newIds = 0;
    this.#given = 0;
    return piece;
  }
}
