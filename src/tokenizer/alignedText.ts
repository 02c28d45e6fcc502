import { graphemes } from './graphemes.ts';

/** A text made of another, with the span of the other (in UTF-16 units) that each of its UTF-16 units comes from. */
export interface AlignedText {
  readonly text: string;
  readonly starts: readonly number[];
  readonly ends: readonly number[];
}

/** A text as made of itself: both halves of a surrogate pair come from the whole character. */
export function alignedToItself(text: string): AlignedText {
  const builder = new AlignedTextBuilder();
  let at = 0;
  for (const char of text) {
    builder.push(char, at, at + char.length);
    at += char.length;
  }
  return builder.built();
}

export function slice({ text, starts, ends }: AlignedText, from: number, to: number): AlignedText {
  return { text: text.slice(from, to), starts: starts.slice(from, to), ends: ends.slice(from, to) };
}

export class AlignedTextBuilder {
  #text = '';
  readonly #starts: number[] = [];
  readonly #ends: number[] = [];

  push(text: string, start: number, end: number): void {
    this.#text += text;
    for (let i = 0; i < text.length; i++) {
      this.#starts.push(start);
      this.#ends.push(end);
    }
  }

  /** Text that comes from what one unit of another text comes from. */
  pushFrom(text: string, source: AlignedText, at: number): void {
    this.push(text, source.starts[at] ?? 0, source.ends[at] ?? 0);
  }

  built(): AlignedText {
    return { text: this.#text, starts: this.#starts, ends: this.#ends };
  }
}

/**
 * The normalised text, for a `normalize` that does not look beyond a grapheme. Where it maps each character of a grapheme by
 * itself, what it makes of a character comes from that character; else character follows character, and those that are
 * more come from the last.
 */
export function alignNormalized(source: AlignedText, normalize: (text: string) => string): AlignedText {
  const whole = normalize(source.text);
  if (whole === source.text) return source;
  const partsOf = (grapheme: string): Part[] => {
    const chars = Array.from(grapheme);
    const made = normalize(grapheme);
    if (chars.length === 1) return [{ made, length: grapheme.length }];
    const ofEach = chars.map(normalize);
    const parts = ofEach.join('') === made ? ofEach : inOrder(made, chars.length);
    return parts.map((part, i) => ({ made: part, length: chars[i]!.length }));
  };
  const known = new Map<string, Part[]>();
  const builder = new AlignedTextBuilder();
  let at = 0;
  for (const grapheme of graphemes(source.text)) {
    let parts = known.get(grapheme);
    if (!parts) known.set(grapheme, (parts = partsOf(grapheme)));
    for (const { made, length } of parts) {
      builder.pushFrom(made, source, at);
      at += length;
    }
  }
  const built = builder.built();
  return built.text === whole ? built : alignChanged(source, whole);
}

/** What is made of one character of a grapheme, and the length of that character. */
interface Part {
  readonly made: string;
  readonly length: number;
}

/** So many parts of a text: a character each, the last with those that are left. */
function inOrder(text: string, count: number): string[] {
  const chars = Array.from(text);
  return Array.from({ length: count }, (_, i) => (i < count - 1 ? (chars[i] ?? '') : chars.slice(i).join('')));
}

/** For a change of which nothing is known: what is equal at both ends comes from itself, the rest from all of the rest. */
export function alignChanged(source: AlignedText, text: string): AlignedText {
  const shorter = Math.min(source.text.length, text.length);
  let head = 0;
  while (head < shorter && text[head] === source.text[head]) head++;
  let tail = 0;
  while (tail < shorter - head && text.at(-1 - tail) === source.text.at(-1 - tail)) tail++;
  const [before, after] = [slice(source, 0, head), slice(source, source.text.length - tail, source.text.length)];
  const count = text.length - head - tail;
  const start = source.starts[head] ?? source.ends.at(-1) ?? 0;
  const end = Math.max(start, source.ends[source.text.length - tail - 1] ?? start);
  return {
    text,
    starts: [...before.starts, ...new Array<number>(count).fill(start), ...after.starts],
    ends: [...before.ends, ...new Array<number>(count).fill(end), ...after.ends],
  };
}
