import { QkvError } from '../base/errors.ts';
import { byteToChar } from './byteAlphabet.ts';
import { type LibraryBpe, type LibraryPreTokenizer, type LibraryTokenizer, library } from './library.ts';
import { pieceMerger } from './mergePiece.ts';
import { gpt2Pattern, wordPattern, wordPatternSource } from './preTokenPatterns.ts';
import { utf8Encode } from './utf8.ts';

const cacheSize = 1 << 16;
/** Longer pieces hardly come twice. */
const cachedLength = 256;

/**
 * Makes the library encode as Python's `tokenizers` where it differs, fail where it would drop characters, and remember
 * the pieces it has encoded: its own cache writes on every read and holds 10,000 pieces, fewer than a training set has.
 */
export function amendLibrary(tokenizer: LibraryTokenizer, json: Readonly<Record<string, unknown>>): void {
  amendPreTokenizer(tokenizer.pre_tokenizer, json['pre_tokenizer'] as PreTokenizerJson);
  const model = tokenizer.model;
  const original = model.encode.bind(model);
  const bpe = model instanceof library.BPE ? model : null;
  const merge = bpe && (bpe.merges.length === 0 ? charSplitter(bpe) : pieceMerger(bpe));
  const dropsUnknown =
    bpe !== null && (bpe.unk_token ?? null) === null && !bpe.byte_fallback && !bpe.end_of_word_suffix;
  const encodePiece = (piece: string): string[] => {
    const tokens = merge?.(piece) ?? original([piece]);
    if (dropsUnknown && tokens.reduce((length, token) => length + token.length, 0) < piece.length) {
      const missing = [...piece].find((char) => !model.tokens_to_ids.has(char));
      throw new QkvError('tokenizer', {
        where: 'encode',
        got: `the character ${JSON.stringify(missing)}`,
        expected: 'characters of the vocabulary, since it has no token for the unknown',
      });
    }
    return tokens;
  };
  const encodeCached = cached(encodePiece);
  model.encode = (pieces) => {
    if (pieces.length === 1) return encodeCached(pieces[0]!);
    const out: string[] = [];
    for (const piece of pieces) {
      for (const token of encodeCached(piece)) out.push(token);
    }
    return out;
  };
}

/** A vocabulary of characters alone has no merges to look for. */
function charSplitter(model: LibraryBpe): (piece: string) => string[] | null {
  if (model.byte_fallback || model.end_of_word_suffix) return () => null;
  const unknown = model.unk_token ?? null;
  return (piece) => {
    const out: string[] = [];
    for (const char of piece) {
      if (model.tokens_to_ids.has(char)) out.push(char);
      else if (unknown !== null) out.push(unknown);
    }
    return out;
  };
}

interface PreTokenizerJson {
  readonly pretokenizers?: readonly PreTokenizerJson[]; // of Sequence
  readonly split?: boolean; // of Metaspace
}

function amendPreTokenizer(part: LibraryPreTokenizer | null, json: PreTokenizerJson): void {
  if (part instanceof library.SequencePreTokenizer) {
    part.tokenizers.forEach((inner, i) => {
      amendPreTokenizer(inner, json.pretokenizers![i]!);
    });
  } else if (part instanceof library.MetaspacePreTokenizer) {
    if (json.split === false) return;
    const replaceSpaces = part.pre_tokenize_text.bind(part);
    const space = part.replacement;
    const pieces = new RegExp(`${space}?[^${space}]+|${space}`, 'gu');
    part.pre_tokenize_text = (text, options) =>
      replaceSpaces(text, options).flatMap((piece) => piece.match(pieces) ?? []);
  } else if (part instanceof library.ByteLevelPreTokenizer) {
    const toChars = cached((piece: string) => Array.from(utf8Encode(piece), (byte) => byteToChar[byte]!).join(''));
    part.pre_tokenize_text = (text) => {
      const prefixed = part.add_prefix_space && !text.startsWith(' ') ? ` ${text}` : text;
      return (part.use_regex ? (prefixed.match(gpt2Pattern) ?? []) : [prefixed]).map(toChars);
    };
  } else if (part instanceof library.SplitPreTokenizer && part.config.pattern?.Regex === wordPatternSource) {
    part.pre_tokenize_text = (text) => text.match(wordPattern) ?? []; // the library looks for gaps; there are none
  }
}

function cached<T>(compute: (piece: string) => T): (piece: string) => T {
  let results = new Map<string, T>();
  return (piece) => {
    let result = results.get(piece);
    if (result === undefined) {
      result = compute(piece);
      if (piece.length <= cachedLength) {
        if (results.size >= cacheSize) results = new Map();
        results.set(piece, result);
      }
    }
    return result;
  };
}
