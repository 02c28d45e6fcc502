import { batch } from '@preact/signals';
import { canCompute } from '../../state/canCompute.ts';
import { hideToken } from '../../state/edits.ts';
import type { AttentionMap, Place } from '../../worker/contract.ts';
import { type Arrangement, arrange, arrangeWeights, type Piece, type Span } from './arrange.ts';
import type { Side } from './attentionState.ts';

/** Of a pair of texts A and B: all links, or those from one to itself or to the other. */
export type Sentences = 'all' | 'aa' | 'ab' | 'ba' | 'bb';

/** What of an attention is drawn. */
export interface ShownPart extends Arrangement {
  /** Of no meaning where the text is no pair. */
  readonly sentences: Sentences;
}

/** An attention as it is drawn: which rows, which columns, and the weights between them. */
export interface Shown {
  readonly side: Side;
  readonly map: AttentionMap;
  readonly place: Place;
  readonly queries: readonly Piece[];
  readonly keys: readonly Piece[];
  /** [T, S] of a head. */
  readonly weights: (head: number) => Float32Array;
  /** The largest of them. */
  readonly largest: (head: number) => number;
}

const cache = new WeakMap<AttentionMap, Map<string, Shown>>();

/** The map of a place; one object for one map and part, whose weights are arranged once. Null where there is none. */
export function shownOf(side: Side, path: string, part: ShownPart): Shown | null {
  const map = side.maps.find((one) => one.place.path === path);
  if (map === undefined) return null;
  const key = `${part.words} ${part.specials} ${part.sentences}`;
  const made = cache.get(map) ?? new Map<string, Shown>();
  cache.set(map, made);
  const found = made.get(key);
  if (found !== undefined) return found;
  const size = [side.reading[map.queries].length, side.reading[map.keys].length] as const;
  const [from, to] = part.sentences === 'all' ? [] : [part.sentences[0], part.sentences[1]];
  const queries = arrange(side.reading[map.queries], part, spanOf(side.reading, from));
  const keys = arrange(side.reading[map.keys], part, spanOf(side.reading, to));
  const weights = memoised((head) => arrangeWeights(map.weights, head * size[0] * size[1], size, queries, keys));
  const largest = memoised((head) => weights(head).reduce((a, b) => Math.max(a, b), 0));
  const shown = { side, map, place: map.place, queries, keys, weights, largest };
  made.set(key, shown);
  return shown;
}

/** The tokens of one text of a pair; undefined: all of them. */
function spanOf({ target, pairStart }: Side['reading'], sentence: string | undefined): Span | undefined {
  if (pairStart === null || sentence === undefined) return undefined;
  return sentence === 'a' ? [0, pairStart] : [pairStart, target.length];
}

function memoised<T>(make: (head: number) => T): (head: number) => T {
  const known = new Map<number, T>();
  return (head) => {
    const found = known.get(head);
    if (found !== undefined) return found;
    const made = make(head);
    known.set(head, made);
    return made;
  };
}

/** Whether nobody may look at any of the piece's tokens, as the maps were computed. */
export function isOut({ side, map }: Shown, piece: Piece): boolean {
  const hidden = side.edits.hidden ?? [];
  return piece.positions.every((position) => hidden.some((one) => one.side === map.keys && one.position === position));
}

/** Hides the tokens of a key, or shows them again; of the main picture alone. */
export function toggleHidden(shown: Shown, key: number): void {
  const piece = shown.keys[key];
  if (piece === undefined || !shown.side.isMain || !canCompute) return;
  const out = isOut(shown, piece);
  batch(() => {
    for (const position of piece.positions) hideToken(shown.map.keys, position, !out);
  });
}

/** Row of the piece that holds a position; null where it is not drawn. */
export function pieceAt(pieces: readonly Piece[], position: number | null): number | null {
  if (position === null) return null;
  const at = pieces.findIndex((piece) => piece.positions.includes(position));
  return at < 0 ? null : at;
}
