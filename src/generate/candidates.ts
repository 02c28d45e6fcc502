/**
 * The best few continuations so far, the best first, kept in typed arrays: a candidate costs a comparison unless it gets
 * in. Of equal sums the one that was offered first comes first. Sums of −∞ never get in.
 */
export class Candidates {
  readonly #most: number;
  readonly sums: Float64Array;
  readonly parents: Int32Array;
  readonly tokens: Int32Array;
  readonly tokenScores: Float64Array;
  count = 0;

  constructor(most: number) {
    this.#most = most;
    this.sums = new Float64Array(most);
    this.parents = new Int32Array(most);
    this.tokens = new Int32Array(most);
    this.tokenScores = new Float64Array(most);
  }

  clear(): void {
    this.count = 0;
  }

  offer(sum: number, parent: number, token: number, tokenScore: number): void {
    const { sums, parents, tokens, tokenScores } = this;
    const isFull = this.count === this.#most;
    if (!(sum > Number.NEGATIVE_INFINITY) || (isFull && !(sum > sums[this.count - 1]!))) return;
    let at = isFull ? this.count - 1 : this.count++;
    for (; at > 0 && sums[at - 1]! < sum; at--) {
      sums[at] = sums[at - 1]!;
      parents[at] = parents[at - 1]!;
      tokens[at] = tokens[at - 1]!;
      tokenScores[at] = tokenScores[at - 1]!;
    }
    sums[at] = sum;
    parents[at] = parent;
    tokens[at] = token;
    tokenScores[at] = tokenScore;
  }

  /** Every token of a row of log-probabilities, on a path whose sum is `sum`. */
  offerRow(sum: number, parent: number, row: Float32Array): void {
    let limit = this.#limit() - sum;
    for (let token = 0; token < row.length; token++) {
      const score = row[token]!;
      if (!(score > limit)) continue;
      this.offer(sum + score, parent, token, score);
      limit = this.#limit() - sum;
    }
  }

  #limit(): number {
    return this.count === this.#most ? this.sums[this.count - 1]! : Number.NEGATIVE_INFINITY;
  }
}
