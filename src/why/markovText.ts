import { deriveSeed, type Key, RandomStream } from '../base/random.ts';

/**
 * A language of which everything is known: each symbol is followed by one of three others, never by itself. What
 * the best reader can say of a symbol is then a number, and a text can be checked for symbols that may not stand there.
 */
export interface MarkovSource {
  /** successors[a] are the symbols that may follow a. */
  readonly successors: readonly (readonly number[])[];
  /** [a][b] = P(b follows a) */
  readonly transitions: readonly (readonly number[])[];
  /** [a] = P(a), far from the start. */
  readonly stationary: readonly number[];
  /** H(x_t | x_{t−1}), nats: the least mean loss of who reads from left to right. */
  readonly leftEntropy: number;
  /** H(x_t | x_{t−1}, x_{t+1}): of who sees both neighbours. */
  readonly bothEntropy: number;
}

const PROBABILITIES = [0.6, 0.3, 0.1] as const;

export function markovSource(symbols: number, key: Key): MarkovSource {
  const stream = new RandomStream(key);
  const successors = Array.from({ length: symbols }, (_, a) =>
    Array.from(stream.permutation(symbols))
      .filter((b) => b !== a)
      .slice(0, PROBABILITIES.length),
  );
  return sourceOf(
    successors.map((next) => Array.from({ length: symbols }, (_, b) => PROBABILITIES[next.indexOf(b)] ?? 0)),
  );
}

/** The source of these probabilities, rows of which each adds up to 1. */
export function sourceOf(transitions: readonly (readonly number[])[]): MarkovSource {
  const symbols = transitions.map((_, a) => a);
  let stationary = symbols.map(() => 1 / symbols.length);
  // half a step at a time, so that a source that goes round in a circle settles too
  for (let i = 0; i < 2000; i++) {
    const next = symbols.map((b) => symbols.reduce((sum, a) => sum + stationary[a]! * transitions[a]![b]!, 0));
    stationary = symbols.map((a) => (stationary[a]! + next[a]!) / 2);
  }
  const entropyOf = (p: readonly number[]): number => p.reduce((sum, x) => (x > 0 ? sum - x * Math.log(x) : sum), 0);
  let bothEntropy = 0;
  for (const a of symbols) {
    for (const c of symbols) {
      const joint = symbols.map((b) => stationary[a]! * transitions[a]![b]! * transitions[b]![c]!);
      const total = joint.reduce((x, y) => x + y, 0);
      if (total > 0) bothEntropy += total * entropyOf(joint.map((x) => x / total));
    }
  }
  return {
    successors: transitions.map((row) => symbols.filter((b) => row[b]! > 0)),
    transitions,
    stationary,
    leftEntropy: symbols.reduce((sum, a) => sum + stationary[a]! * entropyOf(transitions[a]!), 0),
    bothEntropy,
  };
}

/** Texts of this length from the source's own distribution. */
export function markovTexts(
  { transitions, stationary }: MarkovSource,
  { batch, length }: { readonly batch: number; readonly length: number },
  key: Key,
): number[][] {
  const stream = new RandomStream(deriveSeed(key, 'texts'));
  return Array.from({ length: batch }, () => {
    const text = [draw(stationary, stream.uniform())];
    while (text.length < length) text.push(draw(transitions[text.at(-1)!]!, stream.uniform()));
    return text;
  });
}

/** The symbol at `u` in [0, 1) of a distribution. */
export function draw(probabilities: ArrayLike<number>, u: number): number {
  let sum = 0;
  for (let a = 0; a < probabilities.length; a++) {
    sum += probabilities[a]!;
    if (u < sum) return a;
  }
  return probabilities.length - 1;
}

/** The share of symbols, from `from` on, that may stand where they stand. */
export function legalShare({ transitions }: MarkovSource, texts: readonly (readonly number[])[], from: number): number {
  let [legal, all] = [0, 0];
  for (const text of texts) {
    for (let t = from; t < text.length; t++) {
      all++;
      if ((transitions[text[t - 1]!]?.[text[t]!] ?? 0) > 0) legal++;
    }
  }
  return legal / all;
}
