import { brief } from '../base/brief.ts';
import { QkvError } from '../base/errors.ts';
import { isObject } from './checkTokenizerJson.ts';
import { metaspace } from './preTokenPatterns.ts';
import type { PieceType, SentencePieceModel } from './sentencePieceModel.ts';
import { neverScore } from './unigram.ts';
import { utf8Encode } from './utf8.ts';
import { addedToken, frame, template } from './vocabularyJson.ts';

// Node and browsers have it; it does not belong to the language, whose library alone the types here know.
declare const btoa: (bytes: string) => string;

type Json = Readonly<Record<string, unknown>>;

export interface SentencePieceOptions {
  /** Tokens put before and after a text. */
  readonly before?: readonly string[];
  readonly after?: readonly string[];
  /** Normalisers of `tokenizer.json` that come before the model's own. */
  readonly normalizers?: readonly Json[];
  /** Pieces that the family makes of smaller ones wherever it can. */
  readonly avoid?: (piece: string) => boolean;
  /** The special token that takes the space before it, so that it stands for a word. */
  readonly lstripped?: string;
  /** Tokens behind those of the model, in the order of their ids (T5's `<extra_id_99>` to `<extra_id_0>`). */
  readonly extraTokens?: readonly string[];
}

const avoidedScore = 100;

/** A SentencePiece model as the object that `tokenizer.json` holds, with the model's own normaliser and the ids of its pieces. */
export function sentencePieceJson(model: SentencePieceModel, options: SentencePieceOptions = {}): Json {
  const { before = [], after = [], normalizers = [], avoid = () => false, extraTokens = [], lstripped } = options;
  const ids = new Map<string, number>();
  for (const [id, { text }] of model.pieces.entries()) {
    if (ids.has(text)) throw fault(`the piece ${brief(text)} twice`, 'every piece once');
    ids.set(text, id);
  }
  for (const token of extraTokens) ids.set(token, ids.size);
  const unknown = model.pieces.findIndex(({ type }) => type === 'unknown');
  if (unknown < 0) throw fault('no piece for the unknown', 'one');
  // A unigram model finds the pieces that the user defined by their scores, among the others.
  const isAdded = (type: PieceType): boolean =>
    type === 'control' || type === 'unknown' || (type === 'userDefined' && model.kind === 'bpe');
  const special = [
    ...model.pieces.flatMap(({ text, type }, id) =>
      isAdded(type) ? [addedToken(text, id, type !== 'userDefined', text === lstripped)] : [],
    ),
    ...extraTokens.map((token) => addedToken(token, ids.get(token)!, true)),
  ];
  const isUnigram = model.kind === 'unigram';
  // No piece reaches over a space, so that words can be encoded one by one, and remembered.
  const isByWord =
    isUnigram &&
    model.removeExtraWhitespaces &&
    model.addDummyPrefix &&
    !model.spaceIsSuffix &&
    model.pieces.every(({ text }) => !text.includes(metaspace, 1));
  const charsmap: Json[] =
    model.charsmap.length > 0 ? [{ type: 'Precompiled', precompiled_charsmap: toBase64(model.charsmap) }] : [];
  const steps = [...normalizers, ...charsmap, ...(isByWord ? [] : spaceNormalizers(model))];
  return {
    ...frame,
    added_tokens: special,
    normalizer: steps.length > 0 ? { type: 'Sequence', normalizers: steps } : null,
    pre_tokenizer: isByWord ? words : null,
    post_processor: template(before, after, (token) => idOf(ids, token)),
    decoder: {
      type: 'Sequence',
      decoders: [
        replace({ String: metaspace }, ' '),
        { type: 'ByteFallback' },
        { type: 'Fuse' },
        ...(!model.addDummyPrefix
          ? []
          : [model.spaceIsSuffix ? replace({ Regex: ' $' }, '') : { type: 'Strip', content: ' ', start: 1, stop: 0 }]),
      ],
    },
    model: isUnigram ? unigram(model, unknown, avoid, extraTokens) : bpe(model, unknown, ids),
  };
}

/** Spaces are all that cuts: white space that the character map leaves is a character like others. */
const words: Json = {
  type: 'Sequence',
  pretokenizers: [
    { type: 'Split', pattern: { Regex: ' ' }, behavior: 'Removed', invert: false },
    { type: 'Metaspace', replacement: metaspace, prepend_scheme: 'always', split: true },
  ],
};

/** What SentencePiece makes of spaces, after the character map: it may have made some. */
function spaceNormalizers(model: SentencePieceModel): Json[] {
  const steps: Json[] = [];
  if (model.removeExtraWhitespaces) {
    steps.push(replace({ Regex: '^ +' }, ''), replace({ Regex: ' {2,}' }, ' '));
    steps.push(replace({ Regex: `[ ${metaspace}]+$` }, ''));
  }
  if (model.addDummyPrefix) {
    steps.push(
      model.spaceIsSuffix ? replace({ Regex: '(?<=[\\s\\S])\\z' }, metaspace) : { type: 'Prepend', prepend: metaspace },
    );
  }
  return [...steps, replace({ String: ' ' }, metaspace)];
}

/**
 * The model with the ids of another file (Marian's `vocab.json`). Pieces that the file lacks go, so that text is made of others;
 * tokens that the model lacks are those of the other language: decoded, never encoded.
 */
export function withVocabulary(model: SentencePieceModel, vocab: unknown): SentencePieceModel {
  const order = (id: unknown): number => (typeof id === 'number' ? id : -1);
  const entries = isObject(vocab) ? Object.entries(vocab).sort(([, a], [, b]) => order(a) - order(b)) : [];
  const wrong = entries.find(([, id], i) => id !== i);
  if (entries.length === 0 || wrong) {
    const got = wrong ? `${brief(wrong[1])} for ${brief(wrong[0])}` : brief(vocab);
    const expected = 'an object of tokens and their ids, from 0 without a gap';
    throw new QkvError('tokenizer', { where: 'vocab.json', got, expected });
  }
  const pieces = new Map(model.pieces.map((piece) => [piece.text, piece]));
  const unused = (text: string) =>
    ({ text, score: 0, type: languageCode.test(text) || text === '<pad>' ? 'control' : 'unused' }) as const;
  return { ...model, pieces: entries.map(([text]) => pieces.get(text) ?? unused(text)) };
}

/** Which language a text is to be translated to. */
const languageCode = /^>>.+<<$/;

function idOf(ids: ReadonlyMap<string, number>, token: string): number {
  const id = ids.get(token);
  if (id === undefined) throw fault(`no piece ${brief(token)}`, 'it, to be put around a text');
  return id;
}

function unigram(
  model: SentencePieceModel,
  unknown: number,
  avoid: (piece: string) => boolean,
  extraTokens: readonly string[],
): Json {
  const highest = model.pieces.reduce(
    (max, { type, score }) => (type === 'normal' ? Math.max(max, score) : max),
    Number.NEGATIVE_INFINITY,
  );
  const vocab = model.pieces.map(({ text, score, type }) => {
    // SentencePiece's bonus, so that a piece that the user defined always wins.
    if (type === 'userDefined') return [text, utf8Encode(text).length * highest - 0.1];
    if (type === 'unused') return [text, neverScore];
    if (type !== 'normal') return [text, 0];
    return [text, avoid(text) ? score - avoidedScore : score];
  });
  return {
    type: 'Unigram',
    unk_id: unknown,
    vocab: [...vocab, ...extraTokens.map((token) => [token, 0])],
    byte_fallback: model.byteFallback,
  };
}

/** Every cut of a piece is tried, which takes the square of its length; SentencePiece's own limit is 16 by default. */
const maxPieceLength = 1000;

/**
 * SentencePiece joins the two neighbours that make the piece of the highest score; a list of merges says the same where it
 * has every split of every piece, by score.
 */
function bpe(model: SentencePieceModel, unknown: number, ids: ReadonlyMap<string, number>): Json {
  const mergeable = new Map(
    model.pieces.flatMap(({ text, type }, id) => (type === 'normal' ? ([[text, id]] as const) : [])),
  );
  const merges: { left: string; right: string; score: number; leftId: number; rightId: number }[] = [];
  for (const [text, id] of mergeable) {
    if (text.length > maxPieceLength) throw fault(`a piece of ${text.length} characters`, `at most ${maxPieceLength}`);
    const chars = Array.from(text);
    for (let at = 1; at < chars.length; at++) {
      const left = chars.slice(0, at).join('');
      const right = text.slice(left.length);
      const [leftId, rightId] = [mergeable.get(left), mergeable.get(right)];
      if (leftId === undefined || rightId === undefined) continue;
      merges.push({ left, right, score: model.pieces[id]!.score, leftId, rightId });
    }
  }
  merges.sort((a, b) => b.score - a.score || a.leftId - b.leftId || a.rightId - b.rightId);
  return {
    type: 'BPE',
    dropout: null,
    unk_token: model.pieces[unknown]!.text,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: true,
    byte_fallback: model.byteFallback,
    ignore_merges: false,
    vocab: Object.fromEntries(ids),
    merges: merges.map(({ left, right }) => [left, right]),
  };
}

function replace(pattern: Json, content: string): Json {
  return { type: 'Replace', pattern, content };
}

function toBase64(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}

function fault(got: string, expected: string): QkvError {
  return new QkvError('tokenizer', { where: 'SentencePiece model', got, expected });
}
