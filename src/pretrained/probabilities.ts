/** exp(x) / Σ exp(x), computed from x − max(x). */
export function softmax(x: readonly number[]): number[] {
  const top = Math.max(...x);
  const powers = x.map((one) => Math.exp(one - top));
  const sum = powers.reduce((a, b) => a + b, 0);
  return powers.map((one) => one / sum);
}

export function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}
