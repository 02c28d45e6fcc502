import { type AlignedText, alignedToItself, slice } from './alignedText.ts';
import { alignNormalizer, alignPreTokenizer } from './alignParts.ts';
import type { LibraryModel, LibrarySplitter, LibraryTokenizer } from './library.ts';
import { library as hf } from './library.ts';
import { utf8Encode } from './utf8.ts';

/** Start and end in UTF-16 units. */
export type Span = readonly [start: number, end: number];

export interface AlignedToken {
  readonly token: string;
  readonly offset: Span;
  /** Which of the pieces that no token reaches across. */
  readonly word: number;
}

/** The tokens of a text without those put around it, as the library's `encode_text`, with what each comes from. */
export function encodeAligned(library: LibraryTokenizer, text: string): AlignedToken[] {
  const out: AlignedToken[] = [];
  let word = 0;
  const trim = trimsSpaces(library);
  const add = (token: string, written: string, { starts, ends }: AlignedText, from: number, to: number): void => {
    const start = starts[from] ?? ends.at(-1) ?? 0;
    const offset: Span = [start, from < to ? ends[to - 1]! : start];
    out.push({ token, offset: trim ? trim(written, offset, out.length === 0) : offset, word });
  };
  const addWhole = (token: string, piece: AlignedText): void => {
    add(token, piece.text, piece, 0, piece.text.length);
    word += 1;
  };
  const sections = sectionsOf(library, library.splitter_unnormalized, alignedToItself(text));
  for (const [index, { part, token }] of sections.entries()) {
    if (token !== undefined) {
      addWhole(token, part);
      continue;
    }
    const normalized = library.normalizer ? alignNormalizer(part, library.normalizer) : part;
    for (const { part: inner, token: innerToken } of sectionsOf(library, library.splitter_normalized, normalized)) {
      if (innerToken !== undefined) {
        addWhole(innerToken, inner);
        continue;
      }
      const pieces = library.pre_tokenizer
        ? alignPreTokenizer(inner, library.pre_tokenizer, { section_index: index })
        : [inner];
      for (const piece of pieces) {
        const tokens = library.model.encode([piece.text]);
        placesOf(library.model, piece.text, tokens).forEach(([from, to], i) => {
          add(tokens[i]!, tokens[i]!, piece, from, to);
        });
        word += 1;
      }
    }
  }
  return out;
}

interface Section {
  readonly part: AlignedText;
  /** The added token that the section is, white space that it takes included. */
  readonly token: string | undefined;
}

/** The added tokens of a text and what stands between. */
function sectionsOf(library: LibraryTokenizer, splitter: LibrarySplitter, source: AlignedText): Section[] {
  const texts = splitter.split(source.text);
  const bounds: number[] = [0];
  for (const text of texts) bounds.push(bounds.at(-1)! + text.length);
  const tokens = texts.map((text) => library.added_tokens_map.get(text));
  const [starts, ends] = [bounds.slice(0, -1), bounds.slice(1)];
  tokens.forEach((token, i) => {
    if (token?.lstrip && i > 0) starts[i] = ends[i - 1] = starts[i - 1]! + texts[i - 1]!.trimEnd().length;
    if (token?.rstrip && i + 1 < texts.length) {
      ends[i] = starts[i + 1] = ends[i + 1]! - texts[i + 1]!.trimStart().length;
    }
  });
  return texts
    .map((text, i) => ({ part: slice(source, starts[i]!, ends[i]!), token: tokens[i] ? text : undefined }))
    .filter(({ part }) => part.text !== '');
}

const byteToken = /^<0x[0-9A-F]{2}>$/;

/** Where in its piece each token stands. */
function placesOf(model: LibraryModel, piece: string, tokens: readonly string[]): Span[] {
  const continued = model instanceof hf.WordPiece ? (model.config.continuing_subword_prefix ?? '') : '';
  const suffix = (model instanceof hf.BPE && model.end_of_word_suffix) || '';
  const isUnigram = model instanceof hf.Unigram;
  const charAt = (at: number): string => (at < piece.length ? String.fromCodePoint(piece.codePointAt(at)!) : '');
  const out: Span[] = [];
  let at = 0;
  for (let i = 0; i < tokens.length; ) {
    let surface = tokens[i]!;
    if (at > 0 && surface.startsWith(continued)) surface = surface.slice(continued.length);
    if (suffix && i === tokens.length - 1 && surface.endsWith(suffix)) surface = surface.slice(0, -suffix.length);
    const isUnknown = tokens[i] === model.unk_token && !isUnigram;
    if (!isUnknown && piece.startsWith(surface, at)) {
      out.push([at, at + surface.length]);
      at += surface.length;
      i += 1;
    } else if (byteToken.test(tokens[i]!) && model.tokens_to_ids.has(tokens[i]!)) {
      // The bytes of a character, or with a unigram model of all the unknown characters side by side.
      let bytes = 0;
      const start = at;
      do {
        bytes += utf8Encode(charAt(at)).length;
        at += charAt(at).length;
      } while (isUnigram && at < piece.length && i + bytes < tokens.length && byteToken.test(tokens[i + bytes]!));
      for (const end = Math.min(tokens.length, i + Math.max(1, bytes)); i < end; i++) out.push([start, at]);
    } else {
      // The unknown: the whole word of a WordPiece model, else a character or a run of such.
      const start = at;
      const known = (): boolean => model.tokens_to_ids.has(charAt(at));
      if (model instanceof hf.WordPiece) at = piece.length;
      else at += charAt(at).length;
      while (at < piece.length && tokens[i + 1] !== tokens[i] && !known()) at += charAt(at).length;
      out.push([start, at]);
      i += 1;
    }
  }
  return out;
}

/** The post-processors of byte-level vocabularies may take the white space at a token's ends from its span. */
function trimsSpaces(library: LibraryTokenizer): ((token: string, span: Span, isFirst: boolean) => Span) | undefined {
  const { post_processor: post } = library;
  const config = [post, ...(post?.processors ?? [])].find(
    (part) => part?.config.trim_offsets !== undefined || part?.config.type === 'RobertaProcessing',
  )?.config;
  if (!config || config.trim_offsets === false) return undefined;
  const prefixed = config.add_prefix_space ?? true;
  return (token, [start, end], isFirst) => {
    let leading = /^[Ġ\p{White_Space}]*/u.exec(token)![0].length;
    const trailing = /[Ġ\p{White_Space}]*$/u.exec(token)![0].length;
    if (leading > 0 && prefixed && (isFirst || start === 0)) leading -= 1;
    const from = Math.min(start + leading, end);
    return [from, Math.max(end - trailing, from)];
  };
}
