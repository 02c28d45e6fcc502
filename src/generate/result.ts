/** One generated sequence. */
export interface GenerationResult {
  /** The new tokens, without prompt or start token; the end token is the last where there is one. */
  readonly ids: readonly number[];
  /**
   * For each token its log-probability: greedy and sampling as the model has it, beams after the processors, as it was
   * added up.
   */
  readonly tokenScores: readonly number[];
  /** Beams: Σ tokenScores / length^lengthPenalty, by which results are ordered. */
  readonly score?: number;
  /** Whether it came to its end token, or to the greatest length. */
  readonly finish: 'end' | 'length';
}
