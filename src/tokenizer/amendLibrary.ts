import { QkvError } from '../base/errors.ts';
import { type BertNormalizerJson, bertNormalizer, bertWords, lowercaseEach } from './bertNormalizer.ts';
import { byteToChar } from './byteAlphabet.ts';
import {
  isA,
  type LibraryBpe,
  type LibraryDecoder,
  type LibraryNormalizer,
  type LibraryPostProcessor,
  type LibraryPreTokenizer,
  type LibraryTokenizer,
  library,
} from './library.ts';
import { pieceMerger } from './mergePiece.ts';
import { precompiledNormalizer } from './precompiled.ts';
import { gpt2Pattern, wordPattern, wordPatternSource } from './preTokenPatterns.ts';
import { type UnigramModel, unigramEncoder } from './unigram.ts';
import { utf8Decode, utf8Encode } from './utf8.ts';

const cacheSize = 1 << 16;
/** Longer pieces hardly come twice. */
const cachedLength = 256;

/**
 * Makes the library encode as Python's `tokenizers` where it differs, fail where it would drop characters, and remember
 * the pieces it has encoded: its own cache writes on every read and holds 10,000 pieces, fewer than a training set has.
 */
export function amendLibrary(tokenizer: LibraryTokenizer, json: Readonly<Record<string, unknown>>): void {
  amendNormalizer(tokenizer.normalizer, json['normalizer'] as NormalizerJson);
  amendPreTokenizer(tokenizer.pre_tokenizer, json['pre_tokenizer'] as PreTokenizerJson);
  amendDecoder(tokenizer.decoder);
  amendPostProcessor(tokenizer.post_processor);
  const model = tokenizer.model;
  // The library joins unknown tokens across pieces, where the reference does so within each.
  const fuses = model.fuse_unk;
  model.fuse_unk = false;
  const original = model.encode.bind(model);
  const bpe = model instanceof library.BPE ? model : null;
  const merge =
    model instanceof library.Unigram
      ? unigramEncoder(json['model'] as unknown as UnigramModel)
      : bpe && (bpe.merges.length === 0 ? charSplitter(bpe) : pieceMerger(bpe));
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
    if (bpe === null || !fuses) return tokens;
    return tokens.filter((token, i) => token !== bpe.unk_token || tokens[i - 1] !== token);
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

interface NormalizerJson extends BertNormalizerJson {
  readonly normalizers?: readonly NormalizerJson[]; // of Sequence
  readonly precompiled_charsmap?: unknown; // of Precompiled
  readonly strip_left?: boolean; // of Strip
  readonly strip_right?: boolean;
}

function amendNormalizer(part: LibraryNormalizer | null, json: NormalizerJson): void {
  if (part === null) return;
  if (part instanceof library.SequenceNormalizer) {
    part.normalizers.forEach((inner, i) => {
      amendNormalizer(inner, json.normalizers![i]!);
    });
  } else if (isA(part, library.PrecompiledNormalizer)) {
    part.normalize = precompiledNormalizer(json.precompiled_charsmap);
  } else if (isA(part, library.BertNormalizer)) {
    part.normalize = bertNormalizer(json);
  } else if (isA(part, library.PrependNormalizer)) {
    const prepend = part.normalize.bind(part);
    part.normalize = (text) => (text === '' ? '' : prepend(text)); // what is empty stays so
  } else if (isA(part, library.LowercaseNormalizer)) {
    part.normalize = lowercaseEach;
  } else if (isA(part, library.StripNormalizer)) {
    const ends = `${json.strip_left ? '^\\p{White_Space}+' : '$.'}|${json.strip_right ? '(?<!\\p{White_Space})\\p{White_Space}+$' : '$.'}`;
    const pattern = new RegExp(ends, 'gu'); // trim() has another idea of white space
    part.normalize = (text) => text.replace(pattern, '');
  }
}

interface PreTokenizerJson {
  readonly pretokenizers?: readonly PreTokenizerJson[]; // of Sequence
  readonly split?: boolean; // of Metaspace
}

function amendPreTokenizer(part: LibraryPreTokenizer | null, json: PreTokenizerJson): void {
  if (part === null) return;
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
  } else if (isA(part, library.WhitespaceSplitPreTokenizer)) {
    part.pre_tokenize_text = (text) => text.match(/\P{White_Space}+/gu) ?? [];
  } else if (isA(part, library.BertPreTokenizer)) {
    part.pre_tokenize_text = (text) => text.match(bertWords) ?? [];
  } else if (part instanceof library.SplitPreTokenizer && part.config.pattern?.Regex === wordPatternSource) {
    part.pre_tokenize_text = (text) => text.match(wordPattern) ?? []; // the library looks for gaps; there are none
  }
}

/** RoBERTa's and BART's models know one type only. */
function amendPostProcessor(part: LibraryPostProcessor | null): void {
  if (part?.config.type === 'RobertaProcessing') {
    const original = part.post_process.bind(part);
    part.post_process = (...args) => {
      const { tokens } = original(...args);
      return { tokens, token_type_ids: new Array<number>(tokens.length).fill(0) };
    };
  }
  for (const inner of part?.processors ?? []) amendPostProcessor(inner);
}

/** A byte order mark is a character of the text. */
function amendDecoder(part: LibraryDecoder | null): void {
  if (part instanceof library.ByteFallbackDecoder) part.text_decoder = { decode: utf8Decode };
  for (const inner of part?.decoders ?? []) amendDecoder(inner);
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
