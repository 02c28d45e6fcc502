import { QkvError } from '../base/errors.ts';
import { byteOrder, byteToChar } from './byteAlphabet.ts';
import { learnMerges, type SymbolRuns } from './learnMerges.ts';
import { gpt2Pattern, metaspace, wordPattern, wordPatternSource } from './preTokenPatterns.ts';
import type { TokenizerJson } from './tokenizerJson.ts';
import { utf8Decode, utf8Encode } from './utf8.ts';

export interface TrainBpeOptions {
  /**
   * `byte`: GPT-2's scheme, the 256 bytes and merges of them; every text can be encoded and comes back as it was.
   * `word`: characters of the text and merges inside words, a space written as ▁ before its word; a text starts with ▁,
   * so that a word is the same token at the start and further on; a space before the first word is lost.
   * `char`: one token for each character of the text, no merges; comes back as it was.
   */
  readonly kind: 'byte' | 'word' | 'char';
  /** Number of tokens, special tokens included. Reached unless the text runs out of pairs. Not for `char`. */
  readonly vocabSize?: number;
  /** They get the first ids, in this order. Where they stand in the text, it is cut and they are left out. */
  readonly specialTokens?: readonly string[];
  /** Characters and pairs that occur less often are left out; 1 by default. The bytes are always all there. */
  readonly minFrequency?: number;
  /** Keep only so many characters, the most frequent; of equally frequent ones the lower code point. Not for `byte`. */
  readonly limitAlphabet?: number;
  /** The one of `specialTokens` that stands for a character outside the vocabulary. Not for `byte`; `word` needs it. */
  readonly unk?: string;
  /** Those of `specialTokens` that encoding puts around each text: Marian's `X </s>`, BERT's `[CLS] X [SEP]`; none by default. */
  readonly around?: { readonly before?: string; readonly after?: string };
}

const optionNames: ReadonlySet<string> = new Set([
  'kind',
  'vocabSize',
  'specialTokens',
  'minFrequency',
  'limitAlphabet',
  'unk',
  'around',
] satisfies (keyof TrainBpeOptions)[]);

/**
 * Learns a vocabulary and returns it as the object that `tokenizer.json` holds. The same texts and options give the same
 * vocabulary on every machine: of equally frequent pairs the one with the greatest (left, right) byte strings is merged.
 *
 * Give the texts as they will be encoded: a line as one text, or a document as one text.
 *
 * @throws QkvError `usage` for options that are unknown, impossible or do nothing with this kind, `data` for no text.
 */
export function trainBpe(texts: Iterable<string>, options: TrainBpeOptions): TokenizerJson {
  checkOptions(options);
  const specialTokens = options.specialTokens ?? [];
  const minFrequency = options.minFrequency ?? 1;
  const counts = countWords(texts, options);
  if (counts.size === 0) throw new QkvError('data', { where: 'trainBpe: texts', got: 'no text', expected: 'some' });

  const isByte = options.kind === 'byte';
  const alphabet = isByte ? byteOrder.map((byte) => String.fromCharCode(byte)) : charsOf(counts, options);
  const maxSymbols = (options.vocabSize ?? Number.POSITIVE_INFINITY) - specialTokens.length;
  if (alphabet.length > maxSymbols) {
    throw new QkvError('usage', {
      where: 'trainBpe: vocabSize',
      got: String(options.vocabSize),
      expected: `at least ${alphabet.length + specialTokens.length}, the ${isByte ? 'bytes' : 'characters'} and the special tokens`,
      ...(!isByte && { hint: 'Raise minFrequency or set limitAlphabet to keep fewer characters' }),
    });
  }
  const initial = isByte ? alphabet : alphabet.map(utf8);
  const learned =
    options.kind === 'char'
      ? { symbols: initial, merges: [] }
      : learnMerges(toRuns(counts, isByte ? byteSymbols() : charSymbols(alphabet)), initial, {
          maxSymbols,
          minFrequency,
        });
  const tokens = learned.symbols.map(isByte ? bytesToChars : fromUtf8);
  const learnedTokens = new Set(tokens);
  for (const token of specialTokens) {
    if (!learnedTokens.has(token)) continue;
    const where = 'trainBpe: specialTokens';
    throw new QkvError('usage', { where, got: token, expected: 'tokens that the vocabulary does not have anyway' });
  }
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: specialTokens.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: true,
    })),
    normalizer: null,
    ...pipeline(options.kind),
    post_processor: options.around === undefined ? null : surrounding(options.around, specialTokens),
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: options.unk ?? null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries([...specialTokens, ...tokens].map((token, id) => [token, id])),
      merges: learned.merges.map(([left, right]) => [tokens[left]!, tokens[right]!] as const),
    },
  };
}

function checkOptions(options: TrainBpeOptions): void {
  const { kind, vocabSize, minFrequency = 1, limitAlphabet, unk, around = {} } = options;
  const specialTokens = options.specialTokens ?? [];
  const fail = (name: string, got: unknown, expected: string): never => {
    throw new QkvError('usage', { where: `trainBpe: ${name}`, got: String(got), expected });
  };
  for (const name of Object.keys(options)) {
    if (!optionNames.has(name)) fail('options', name, [...optionNames].join(', '));
  }
  if (!['byte', 'word', 'char'].includes(kind)) fail('kind', kind, 'byte, word or char');
  if (kind === 'char') {
    if (vocabSize !== undefined) fail('vocabSize', vocabSize, 'none with kind char, which limitAlphabet bounds');
  } else if (!Number.isSafeInteger(vocabSize) || vocabSize! < 1) {
    fail('vocabSize', vocabSize, 'a positive integer');
  }
  if (!Number.isSafeInteger(minFrequency) || minFrequency < 1) fail('minFrequency', minFrequency, 'a positive integer');
  if (limitAlphabet !== undefined) {
    if (kind === 'byte') fail('limitAlphabet', limitAlphabet, 'none with kind byte, whose alphabet is the 256 bytes');
    if (!Number.isSafeInteger(limitAlphabet) || limitAlphabet < 1)
      fail('limitAlphabet', limitAlphabet, 'a positive integer');
  }
  if (specialTokens.includes('')) fail('specialTokens', 'an empty string', 'tokens of one or more characters');
  if (new Set(specialTokens).size < specialTokens.length)
    fail('specialTokens', specialTokens.join(' '), 'distinct tokens');
  if (unk !== undefined) {
    if (kind === 'byte') fail('unk', unk, 'none with kind byte, which can encode every text');
    if (!specialTokens.includes(unk)) fail('unk', unk, 'one of specialTokens');
  } else if (kind === 'word' || limitAlphabet !== undefined || (kind === 'char' && minFrequency > 1)) {
    fail('unk', unk, 'one of specialTokens, for the characters outside the vocabulary');
  }
  for (const token of [around.before, around.after]) {
    if (token !== undefined && !specialTokens.includes(token)) fail('around', token, 'one of specialTokens');
  }
}

/** The distinct pieces that merges do not cross (of kind `char`: the characters), in order of appearance. */
function countWords(texts: Iterable<string>, { kind, specialTokens = [] }: TrainBpeOptions): Map<string, number> {
  const special = specialTokens.length === 0 ? null : anyOf(specialTokens);
  const counts = new Map<string, number>();
  for (const text of texts) {
    if (!text.isWellFormed()) {
      const got = JSON.stringify(text.slice(0, 80));
      throw new QkvError('data', { where: 'trainBpe: texts', got, expected: 'text without lone surrogates' });
    }
    for (const section of special === null ? [text] : text.split(special)) {
      if (section === '') continue;
      if (kind === 'char') {
        for (const char of section) counts.set(char, (counts.get(char) ?? 0) + 1);
        continue;
      }
      const pattern = kind === 'byte' ? gpt2Pattern : wordPattern;
      const prepared = kind === 'byte' ? section : withMetaspace(section);
      pattern.lastIndex = 0;
      for (let match = pattern.exec(prepared); match !== null; match = pattern.exec(prepared)) {
        counts.set(match[0], (counts.get(match[0]) ?? 0) + 1);
      }
    }
  }
  return counts;
}

/** The longest special token wins where two start at one place, as in encoding. */
function anyOf(tokens: readonly string[]): RegExp {
  const longestFirst = [...tokens].sort((a, b) => b.length - a.length);
  return new RegExp(longestFirst.map((token) => token.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')).join('|'), 'u');
}

function withMetaspace(text: string): string {
  const replaced = text.replaceAll(' ', metaspace);
  return replaced.startsWith(metaspace) ? replaced : metaspace + replaced;
}

/** The characters to keep, by code point. */
function charsOf(words: ReadonlyMap<string, number>, { minFrequency = 1, limitAlphabet }: TrainBpeOptions): string[] {
  const counts = new Map<string, number>();
  for (const [word, count] of words) {
    for (const char of word) counts.set(char, (counts.get(char) ?? 0) + count);
  }
  const byCodePoint = (a: string, b: string): number => a.codePointAt(0)! - b.codePointAt(0)!;
  let kept = [...counts.keys()].filter((char) => counts.get(char)! >= minFrequency);
  if (limitAlphabet !== undefined) {
    kept.sort((a, b) => counts.get(b)! - counts.get(a)! || byCodePoint(a, b));
    kept = kept.slice(0, limitAlphabet);
  }
  return kept.sort(byCodePoint);
}

/** Words as runs of symbol ids; a character outside the vocabulary (-1) ends a run. */
function toRuns(words: ReadonlyMap<string, number>, symbolsOf: (word: string) => readonly number[]): SymbolRuns {
  let symbols = new Int32Array(1 << 16);
  let size = 0;
  const lengths: number[] = [];
  const counts: number[] = [];
  for (const [word, count] of words) {
    const ids = symbolsOf(word);
    if (size + ids.length > symbols.length) {
      const larger = new Int32Array(Math.max(2 * symbols.length, size + ids.length));
      larger.set(symbols);
      symbols = larger;
    }
    let start = size;
    const endRun = (): void => {
      if (size > start) {
        lengths.push(size - start);
        counts.push(count);
      }
      start = size;
    };
    for (const id of ids) {
      if (id < 0) endRun();
      else symbols[size++] = id;
    }
    endRun();
  }
  return { symbols: symbols.subarray(0, size), lengths: Int32Array.from(lengths), counts: Float64Array.from(counts) };
}

function byteSymbols(): (word: string) => number[] {
  const idOf = new Int32Array(256);
  byteOrder.forEach((byte, id) => {
    idOf[byte] = id;
  });
  return (word) => Array.from(utf8Encode(word), (byte) => idOf[byte]!);
}

function charSymbols(alphabet: readonly string[]): (word: string) => number[] {
  const idOf = new Map(alphabet.map((char, id) => [char, id]));
  return (word) => Array.from(word, (char) => idOf.get(char) ?? -1);
}

/** Strings with one character for each byte: their order is that of the bytes (and of the code points). */
function utf8(text: string): string {
  return Array.from(utf8Encode(text), (byte) => String.fromCharCode(byte)).join('');
}

function fromUtf8(bytes: string): string {
  return utf8Decode(Uint8Array.from(bytes, (char) => char.charCodeAt(0)));
}

function bytesToChars(bytes: string): string {
  return Array.from(bytes, (char) => byteToChar[char.charCodeAt(0)]!).join('');
}

function pipeline(kind: TrainBpeOptions['kind']): Pick<TokenizerJson, 'pre_tokenizer' | 'decoder'> {
  if (kind === 'byte') {
    const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
    return { pre_tokenizer: byteLevel, decoder: byteLevel };
  }
  if (kind === 'char') return { pre_tokenizer: null, decoder: { type: 'Fuse' } };
  const space = { type: 'Metaspace', replacement: metaspace, prepend_scheme: 'always', split: false };
  const words = { type: 'Split', pattern: { Regex: wordPatternSource }, behavior: 'Isolated', invert: false };
  return { pre_tokenizer: { type: 'Sequence', pretokenizers: [space, words] }, decoder: space };
}

/**
 * `before A after`, and of a pair `before A after B after`, as BERT, Marian and T5 have it; without a token before, only the
 * end of a pair has the one after (Marian's tokenizer).
 */
function surrounding(
  { before, after }: NonNullable<TrainBpeOptions['around']>,
  specialTokens: readonly string[],
): Readonly<Record<string, unknown>> {
  const special = (token: string | undefined, typeId: number): unknown[] =>
    token === undefined ? [] : [{ SpecialToken: { id: token, type_id: typeId } }];
  const text = (name: 'A' | 'B', typeId: number): unknown => ({ Sequence: { id: name, type_id: typeId } });
  const segment = before === undefined ? 0 : 1;
  const first = [...special(before, 0), text('A', 0)];
  const between = before === undefined ? [] : special(after, 0);
  const tokens = [...new Set([before, after])].filter((token) => token !== undefined);
  return {
    type: 'TemplateProcessing',
    single: [...first, ...special(after, 0)],
    pair: [...first, ...between, text('B', segment), ...special(after, segment)],
    special_tokens: Object.fromEntries(
      tokens.map((token) => [token, { id: token, ids: [specialTokens.indexOf(token)], tokens: [token] }]),
    ),
  };
}
