import { utf8Encode } from './utf8.ts';

export interface UnigramModel {
  readonly vocab: readonly (readonly [token: string, score: number])[];
  readonly unk_id?: number | null;
  readonly byte_fallback?: boolean;
}

/** Below every score, as in SentencePiece: a character outside the vocabulary is the last resort. */
const unknownPenalty = 10;

/** The score of a token that no text is encoded as, such as those that only translations have. */
export const neverScore = -1e9;

interface Node {
  /** Of the token that ends here; NaN where none does. */
  score: number;
  id: number;
  next: Map<number, Node> | undefined;
}

/**
 * Encodes one piece by the sequence of tokens whose scores (log probabilities) add up highest (Kudo 2018,
 * https://arxiv.org/abs/1804.10959): the same in arithmetic and in the order of ties as Python's `tokenizers`. Adjacent unknown
 * characters are one token, whose text is theirs, or the tokens of their UTF-8 bytes where the model has those.
 */
export function unigramEncoder(model: UnigramModel): (piece: string) => string[] {
  const root = newNode();
  let lowest = Number.POSITIVE_INFINITY;
  model.vocab.forEach(([token, score], id) => {
    if (score <= neverScore) return;
    lowest = Math.min(lowest, score);
    let node = root;
    for (const char of token) {
      const code = char.codePointAt(0)!;
      node.next ??= new Map();
      let child = node.next.get(code);
      if (!child) node.next.set(code, (child = newNode()));
      node = child;
    }
    node.score = score;
    node.id = id;
  });
  const unknownScore = lowest - unknownPenalty;
  const unknownId = model.unk_id ?? -1;
  const known = new Set(model.vocab.map(([token]) => token));
  const byteTokens = model.byte_fallback ? Array.from({ length: 256 }, (_, byte) => byteToken(byte)) : undefined;
  const hasBytes = byteTokens?.every((token) => known.has(token)) ?? false;

  return (piece) => {
    const length = piece.length;
    const best = new Float64Array(length + 1); // of the tokens up to each place
    const from = new Int32Array(length + 1).fill(-1); // where the last of them starts
    const isUnknown = new Uint8Array(length + 1);
    const offer = (end: number, score: number, start: number, id: number): void => {
      if (from[end]! >= 0 && !(score > best[end]!)) return;
      best[end] = score;
      from[end] = start;
      isUnknown[end] = id === unknownId ? 1 : 0;
    };
    for (let start = 0; start < length; ) {
      const firstLength = piece.codePointAt(start)! > 0xffff ? 2 : 1;
      let hasSingle = false;
      let node: Node | undefined = root;
      for (let at = start; at < length; ) {
        const code = piece.codePointAt(at)!;
        node = node.next?.get(code);
        if (!node) break;
        at += code > 0xffff ? 2 : 1;
        if (Number.isNaN(node.score)) continue;
        offer(at, node.score + best[start]!, start, node.id);
        hasSingle ||= at - start === firstLength;
      }
      if (!hasSingle) offer(start + firstLength, unknownScore + best[start]!, start, unknownId);
      start += firstLength;
    }
    const tokens: string[] = [];
    for (let end = length; end > 0; ) {
      let start = from[end]!;
      if (isUnknown[end]) while (start > 0 && isUnknown[start]) start = from[start]!;
      const token = piece.slice(start, end);
      if (hasBytes && !known.has(token)) {
        for (const byte of utf8Encode(token).reverse()) tokens.push(byteTokens![byte]!);
      } else tokens.push(token);
      end = start;
    }
    return tokens.reverse();
  };
}

function newNode(): Node {
  return { score: Number.NaN, id: -1, next: undefined };
}

function byteToken(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`;
}
