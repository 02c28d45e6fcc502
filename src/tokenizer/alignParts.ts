import { type AlignedText, AlignedTextBuilder, alignChanged, alignNormalized, slice } from './alignedText.ts';
import { byteToChar } from './byteAlphabet.ts';
import { isA, type LibraryNormalizer, type LibraryPreTokenizer, library } from './library.ts';
import { utf8Encode } from './utf8.ts';

/** What a normaliser makes of a text. The rules of what comes from what are those of Python's `tokenizers`. */
export function alignNormalizer(source: AlignedText, part: LibraryNormalizer): AlignedText {
  if (part instanceof library.SequenceNormalizer) {
    return part.normalizers.reduce((text, inner) => (inner ? alignNormalizer(text, inner) : text), source);
  }
  if (part instanceof library.ReplaceNormalizer) {
    return alignReplaced(source, part.pattern, part.config.content ?? '', part.normalize(source.text));
  }
  if (isA(part, library.PrependNormalizer)) {
    const text = part.normalize(source.text);
    return prepend(source, text.slice(0, text.length - source.text.length));
  }
  if (isA(part, library.StripNormalizer)) {
    const text = part.normalize(source.text);
    const at = source.text.indexOf(text); // what is cut off before it is white space alone
    return slice(source, at, at + text.length);
  }
  return alignNormalized(source, (text) => part.normalize(text));
}

/** A replacement comes from the last character that it replaces. */
function alignReplaced(source: AlignedText, pattern: RegExp | null, content: string, replaced: string): AlignedText {
  if (pattern === null || replaced === source.text) return source;
  const builder = new AlignedTextBuilder();
  let at = 0;
  const copyUntil = (end: number): void => {
    for (; at < end; at++) builder.pushFrom(source.text[at]!, source, at);
  };
  for (const { 0: match, index } of source.text.matchAll(pattern)) {
    copyUntil(index);
    at += match.length;
    builder.pushFrom(content, source, at - 1);
  }
  copyUntil(source.text.length);
  const built = builder.built();
  return built.text === replaced ? built : alignChanged(source, replaced);
}

/** What is put before a text comes from its first character. */
function prepend(source: AlignedText, prefix: string): AlignedText {
  const builder = new AlignedTextBuilder();
  builder.pushFrom(prefix, source, 0);
  const { text, starts, ends } = builder.built();
  return { text: text + source.text, starts: [...starts, ...source.starts], ends: [...ends, ...source.ends] };
}

/** The pieces that a pre-tokenizer cuts a text into. */
export function alignPreTokenizer(source: AlignedText, part: LibraryPreTokenizer, options: unknown): AlignedText[] {
  if (part instanceof library.SequencePreTokenizer) {
    return part.tokenizers.reduce<AlignedText[]>(
      (pieces, inner) => (inner ? pieces.flatMap((piece) => alignPreTokenizer(piece, inner, options)) : pieces),
      [source],
    );
  }
  const pieces = part.pre_tokenize_text(source.text, options);
  let written = source;
  if (part instanceof library.ByteLevelPreTokenizer) {
    written = bytesOf(part.add_prefix_space && !source.text.startsWith(' ') ? prepend(source, ' ') : source);
  } else if (part instanceof library.MetaspacePreTokenizer) {
    const spaced = { ...source, text: source.text.replaceAll(' ', part.replacement) };
    const added = pieces.reduce((length, piece) => length + piece.length, 0) > spaced.text.length;
    written = added ? prepend(spaced, part.replacement) : spaced;
  }
  let end = 0;
  return pieces.map((piece) => {
    const start = written.text.indexOf(piece, end);
    if (start < 0) return wholeOf(written, piece);
    end = start + piece.length;
    return slice(written, start, end);
  });
}

/** For a piece that does not stand in the text: it comes from all of it. */
function wholeOf({ starts, ends }: AlignedText, text: string): AlignedText {
  const builder = new AlignedTextBuilder();
  builder.push(text, starts[0] ?? 0, ends.at(-1) ?? 0);
  return builder.built();
}

/** The bytes of the text in GPT-2's alphabet, each from its whole character. */
function bytesOf(source: AlignedText): AlignedText {
  const builder = new AlignedTextBuilder();
  const bytes = utf8Encode(source.text);
  let [at, end] = [0, 0];
  for (const char of source.text) {
    const start = end;
    const code = char.codePointAt(0)!;
    end += code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (let i = start; i < end; i++) builder.pushFrom(byteToChar[bytes[i]!]!, source, at);
    at += char.length;
  }
  return builder.built();
}
