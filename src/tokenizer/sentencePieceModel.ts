import { QkvError } from '../base/errors.ts';

/** What kind of piece: https://github.com/google/sentencepiece/blob/master/src/sentencepiece_model.proto */
export type PieceType = 'normal' | 'unknown' | 'control' | 'userDefined' | 'unused' | 'byte';

export interface SentencePieceModel {
  readonly pieces: readonly { readonly text: string; readonly score: number; readonly type: PieceType }[];
  readonly kind: 'unigram' | 'bpe';
  readonly byteFallback: boolean;
  /** The compiled map of characters; empty for none. */
  readonly charsmap: Uint8Array;
  readonly addDummyPrefix: boolean;
  readonly removeExtraWhitespaces: boolean;
  /** Spaces are written behind words, not before them. */
  readonly spaceIsSuffix: boolean;
}

/** By the number that stands for the type in a file. */
export const pieceTypes: readonly (PieceType | undefined)[] = [
  undefined,
  'normal',
  'unknown',
  'control',
  'userDefined',
  'unused',
  'byte',
];
// As in utf8.ts: no global belongs to the language.
declare const TextDecoder: new (
  label: 'utf-8',
  options: { fatal: true; ignoreBOM: true },
) => { decode(b: Uint8Array): string };
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Reads a SentencePiece `.model` (protocol buffers). Fields that do not bear on encoding are passed over.
 *
 * @throws QkvError `tokenizer` for a damaged file and for what has no equal in `tokenizer.json`.
 */
export function parseSentencePieceModel(bytes: Uint8Array, where: string): SentencePieceModel {
  const refuse = (got: string, expected: string): never => {
    throw new QkvError('tokenizer', { where, got, expected });
  };
  const pieces: { text: string; score: number; type: PieceType }[] = [];
  let kind = 1; // the defaults of the format
  let byteFallback = false;
  let charsmap: Uint8Array = new Uint8Array(0);
  let addDummyPrefix = true;
  let removeExtraWhitespaces = true;
  let spaceIsSuffix = false;
  const text = (field: Field): string => {
    try {
      return decoder.decode(field.bytes);
    } catch {
      return refuse('a piece that is not UTF-8', 'a SentencePiece model');
    }
  };
  for (const field of fieldsOf(bytes, where)) {
    if (field.number === 1 && field.wire === 2) {
      let piece = '';
      let score = 0;
      let type = 1;
      for (const inner of fieldsOf(field.bytes, where)) {
        if (inner.number === 1) piece = text(inner);
        else if (inner.number === 2 && inner.wire === 5) score = viewOf(inner.bytes).getFloat32(0, true);
        else if (inner.number === 3) type = inner.value;
      }
      const named = pieceTypes[type];
      if (!named || Number.isNaN(score))
        return refuse(`piece ${pieces.length} of type ${type}, score ${score}`, 'a known type');
      pieces.push({ text: piece, score, type: named });
    } else if (field.number === 2 && field.wire === 2) {
      for (const inner of fieldsOf(field.bytes, where)) {
        if (inner.number === 3) kind = inner.value;
        else if (inner.number === 35) byteFallback = inner.value !== 0;
        else if (inner.number === 24) spaceIsSuffix = inner.value !== 0;
      }
    } else if (field.number === 3 && field.wire === 2) {
      for (const inner of fieldsOf(field.bytes, where)) {
        if (inner.number === 2) charsmap = inner.bytes;
        else if (inner.number === 3) addDummyPrefix = inner.value !== 0;
        else if (inner.number === 4) removeExtraWhitespaces = inner.value !== 0;
        else if (inner.number === 5 && inner.value === 0) refuse('escape_whitespaces = false', 'spaces written as ▁');
      }
    }
  }
  if (pieces.length === 0) refuse('no pieces', 'a SentencePiece model');
  if (kind !== 1 && kind !== 2) refuse(`model type ${kind}`, 'unigram (1) or BPE (2)');
  return {
    pieces,
    kind: kind === 1 ? 'unigram' : 'bpe',
    byteFallback,
    charsmap,
    addDummyPrefix,
    removeExtraWhitespaces,
    spaceIsSuffix,
  };
}

interface Field {
  readonly number: number;
  readonly wire: number;
  /** Of a varint. */
  readonly value: number;
  /** Of the other kinds. */
  readonly bytes: Uint8Array;
}

const nothing = new Uint8Array(0);

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
}

function* fieldsOf(bytes: Uint8Array, where: string): Generator<Field> {
  const cutOff = (): never => {
    throw new QkvError('tokenizer', {
      where,
      got: 'a message that is cut off or no message',
      expected: 'protocol buffers',
    });
  };
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = bytes[at++];
      if (byte === undefined) return cutOff();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    return cutOff();
  };
  while (at < bytes.length) {
    const tag = varint();
    const [number, wire] = [Math.floor(tag / 8), tag % 8];
    if (wire === 0) {
      yield { number, wire, value: varint(), bytes: nothing };
      continue;
    }
    const length = wire === 2 ? varint() : wire === 5 ? 4 : wire === 1 ? 8 : cutOff();
    if (length > bytes.length - at) cutOff();
    yield { number, wire, value: 0, bytes: bytes.subarray(at, at + length) };
    at += length;
  }
}
