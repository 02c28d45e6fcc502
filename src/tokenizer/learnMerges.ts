import { QkvError } from '../base/errors.ts';

/** Distinct words as runs of symbols, one after the other; a run is never merged with the next. */
export interface SymbolRuns {
  /** Symbol ids of all runs, concatenated. */
  readonly symbols: Int32Array;
  /** Length of each run. */
  readonly lengths: Int32Array;
  /** How often each run occurs in the text. */
  readonly counts: Float64Array;
}

export interface LearnMergesOptions {
  /** Stop at this many symbols, the initial ones included. */
  readonly maxSymbols: number;
  /** A pair that occurs less often is not merged. */
  readonly minFrequency: number;
}

export interface LearnedMerges {
  /** Left and right symbol of each merge, in order of learning. */
  readonly merges: readonly (readonly [number, number])[];
  /** What each symbol stands for; the first ones are those given. */
  readonly symbols: readonly string[];
}

/** Ids stay below 2^26, so that a pair is one exact double. */
const pairBase = 2 ** 26;

/**
 * Byte-pair encoding (Sennrich et al. 2016, https://arxiv.org/abs/1508.07909): merges the most frequent adjacent pair,
 * again and again; of equally frequent pairs the one whose (left, right) is greatest in the order of strings. `alphabet`
 * holds the initial symbols, one character for each byte, so that JavaScript's order of strings is that of the bytes.
 *
 * The places of a pair form a doubly linked list, so a merge costs in proportion to the places it changes; a heap of
 * pairs whose counts are put right when they come up gives the next merge.
 */
export function learnMerges(runs: SymbolRuns, alphabet: readonly string[], options: LearnMergesOptions): LearnedMerges {
  const { maxSymbols, minFrequency } = options;
  const length = runs.symbols.length;
  if (maxSymbols >= pairBase || length >= 2 ** 31) {
    throw new QkvError('tokenizer', {
      where: 'learning merges',
      got: `${length} symbols of text, ${maxSymbols} tokens`,
      expected: `less than 2^31 symbols in distinct words and less than 2^26 tokens`,
    });
  }
  const symbol = Int32Array.from(runs.symbols); // at each place; a merged pair lives on at its left place
  const left = new Int32Array(length).fill(-1); // neighbouring places in the same run, -1 at its ends
  const right = new Int32Array(length).fill(-1);
  const weight = new Float64Array(length); // how often the run occurs
  const pairAt = new Int32Array(length).fill(-1); // the pair that starts at the place
  const before = new Int32Array(length); // the list of the places of that pair
  const after = new Int32Array(length);

  const names = [...alphabet];
  const pairIndex = new Map<number, number>();
  const pairLeft: number[] = [];
  const pairRight: number[] = [];
  const pairCount: number[] = [];
  const first: number[] = [];
  const last: number[] = [];
  let grown: number[] = []; // pairs with new places since the last merge
  const lastGrown: number[] = []; // the merge at which the pair was last put there
  let merge = 0;

  const addPlace = (place: number): void => {
    const a = symbol[place]!;
    const b = symbol[right[place]!]!;
    const key = a * pairBase + b;
    let pair = pairIndex.get(key);
    if (pair === undefined) {
      pair = pairLeft.length;
      pairIndex.set(key, pair);
      pairLeft.push(a);
      pairRight.push(b);
      pairCount.push(0);
      first.push(-1);
      last.push(-1);
      lastGrown.push(-1);
    }
    pairAt[place] = pair;
    pairCount[pair]! += weight[place]!;
    const end = last[pair]!;
    before[place] = end;
    after[place] = -1;
    if (end < 0) first[pair] = place;
    else after[end] = place;
    last[pair] = place;
    if (lastGrown[pair] !== merge) {
      lastGrown[pair] = merge;
      grown.push(pair);
    }
  };

  const removePlace = (place: number): void => {
    const pair = pairAt[place]!;
    const p = before[place]!;
    const n = after[place]!;
    if (p < 0) first[pair] = n;
    else after[p] = n;
    if (n < 0) last[pair] = p;
    else before[n] = p;
    pairAt[place] = -1;
    pairCount[pair]! -= weight[place]!;
  };

  for (let run = 0, start = 0; run < runs.lengths.length; run++) {
    const end = start + runs.lengths[run]!;
    for (let place = start; place < end; place++) {
      weight[place] = runs.counts[run]!;
      if (place > start) left[place] = place - 1;
      if (place + 1 < end) right[place] = place + 1;
    }
    for (let place = start; place + 1 < end; place++) addPlace(place);
    start = end;
  }

  const comesFirst = (countA: number, a: number, countB: number, b: number): boolean => {
    if (countA !== countB) return countA > countB;
    const leftA = names[pairLeft[a]!]!;
    const leftB = names[pairLeft[b]!]!;
    return leftA === leftB ? names[pairRight[a]!]! > names[pairRight[b]!]! : leftA > leftB;
  };
  const heap = new PairHeap(comesFirst);
  const merges: (readonly [number, number])[] = [];
  for (;;) {
    for (const pair of grown) {
      if (pairCount[pair]! >= minFrequency) heap.push(pairCount[pair]!, pair);
    }
    grown = [];
    if (names.length >= maxSymbols) break;

    let best = -1;
    while (best < 0 && heap.size > 0) {
      const [count, pair] = heap.pop();
      const now = pairCount[pair]!;
      if (now === count) best = pair;
      else if (now < count && now >= minFrequency) heap.push(now, pair); // had it grown, it would be in the heap again
    }
    if (best < 0) break;

    merge += 1;
    const a = pairLeft[best]!;
    const b = pairRight[best]!;
    merges.push([a, b]);
    // Always new: what lies between two token boundaries has been merged in the same way wherever it stands.
    const merged = names.push(names[a]! + names[b]!) - 1;
    const places: number[] = [];
    for (let place = first[best]!; place >= 0; place = after[place]!) places.push(place);
    // In the order of the text, since a pair gets all its places in one pass.
    for (const place of places) {
      if (pairAt[place] !== best) continue; // in a run as aaa only the first of two overlapping pairs is merged
      const l = left[place]!;
      const partner = right[place]!;
      const r = right[partner]!;
      removePlace(place);
      if (l >= 0) removePlace(l);
      if (r >= 0) removePlace(partner);
      symbol[place] = merged;
      right[place] = r;
      if (r >= 0) left[r] = place;
      if (l >= 0) addPlace(l);
      if (r >= 0) addPlace(place);
    }
  }
  return { merges, symbols: names };
}

/** A binary heap of (count, pair); `comesFirst` decides what is popped next. */
class PairHeap {
  readonly #counts: number[] = [];
  readonly #pairs: number[] = [];
  readonly #comesFirst: (countA: number, a: number, countB: number, b: number) => boolean;

  constructor(comesFirst: (countA: number, a: number, countB: number, b: number) => boolean) {
    this.#comesFirst = comesFirst;
  }

  get size(): number {
    return this.#pairs.length;
  }

  push(count: number, pair: number): void {
    const counts = this.#counts;
    const pairs = this.#pairs;
    let at = pairs.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#comesFirst(count, pair, counts[parent]!, pairs[parent]!)) break;
      counts[at] = counts[parent]!;
      pairs[at] = pairs[parent]!;
      at = parent;
    }
    counts[at] = count;
    pairs[at] = pair;
  }

  /** The heap must not be empty. */
  pop(): readonly [count: number, pair: number] {
    const counts = this.#counts;
    const pairs = this.#pairs;
    const top = [counts[0]!, pairs[0]!] as const;
    const count = counts.pop()!;
    const pair = pairs.pop()!;
    const size = pairs.length;
    if (size === 0) return top;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= size) break;
      if (child + 1 < size && this.#comesFirst(counts[child + 1]!, pairs[child + 1]!, counts[child]!, pairs[child]!)) {
        child += 1;
      }
      if (!this.#comesFirst(counts[child]!, pairs[child]!, count, pair)) break;
      counts[at] = counts[child]!;
      pairs[at] = pairs[child]!;
      at = child;
    }
    counts[at] = count;
    pairs[at] = pair;
    return top;
  }
}
