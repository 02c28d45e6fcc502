/** A linear reading of frozen features. */
export interface Probe {
  readonly weights: Float64Array;
  readonly bias: number;
}

/**
 * Ridge regression of labels 0 and 1 on features [N, D]: (XᵀX/N + λI) w = Xᵀ(y − ȳ)/N, features centred, each divided by its spread.
 * The order of its values is what an area under the curve needs.
 */
export function fitProbe(features: Float32Array, labels: readonly number[], ridge = 1e-2): Probe {
  const count = labels.length;
  const width = features.length / count;
  const mean = new Float64Array(width);
  const spread = new Float64Array(width);
  for (let n = 0; n < count; n++) for (let d = 0; d < width; d++) mean[d]! += features[n * width + d]! / count;
  for (let n = 0; n < count; n++) {
    for (let d = 0; d < width; d++) spread[d]! += (features[n * width + d]! - mean[d]!) ** 2 / count;
  }
  for (let d = 0; d < width; d++) spread[d] = Math.sqrt(spread[d]!) || 1;
  const share = labels.reduce((a, b) => a + b, 0) / count;
  const matrix = Array.from({ length: width }, () => new Float64Array(width + 1));
  const row = new Float64Array(width);
  for (let n = 0; n < count; n++) {
    for (let d = 0; d < width; d++) row[d] = (features[n * width + d]! - mean[d]!) / spread[d]!;
    const y = labels[n]! - share;
    for (let i = 0; i < width; i++) {
      const line = matrix[i]!;
      const x = row[i]! / count;
      for (let j = 0; j < width; j++) line[j]! += x * row[j]!;
      line[width]! += x * y;
    }
  }
  for (let i = 0; i < width; i++) matrix[i]![i]! += ridge;
  const solved = solve(matrix);
  const weights = solved.map((w, d) => w / spread[d]!);
  return { weights, bias: share - weights.reduce((sum, w, d) => sum + w * mean[d]!, 0) };
}

/** Gauss and Jordan's elimination on [A | b], A positive definite: no exchange of rows is needed. */
function solve(matrix: readonly Float64Array[]): Float64Array {
  const size = matrix.length;
  for (let i = 0; i < size; i++) {
    const pivot = matrix[i]!;
    for (let k = 0; k < size; k++) {
      if (k === i) continue;
      const line = matrix[k]!;
      const factor = line[i]! / pivot[i]!;
      if (factor !== 0) for (let j = i; j <= size; j++) line[j]! -= factor * pivot[j]!;
    }
  }
  return Float64Array.from(matrix, (line, i) => line[size]! / line[i]!);
}

export function readProbe({ weights, bias }: Probe, features: Float32Array): number[] {
  const width = weights.length;
  return Array.from({ length: features.length / width }, (_, n) =>
    weights.reduce((sum, w, d) => sum + w * features[n * width + d]!, bias),
  );
}

/**
 * The area under the ROC curve: how often a random one of label 1 has a higher score than a random one of label 0; 0.5 is
 * guessing. Ties count half (Mann and Whitney's U).
 */
export function areaUnderCurve(scores: readonly number[], labels: readonly number[]): number {
  const order = scores.map((score, i) => ({ score, label: labels[i]! })).sort((a, b) => a.score - b.score);
  let [ranks, positives] = [0, 0];
  for (let start = 0; start < order.length; ) {
    let end = start;
    while (end < order.length && order[end]!.score === order[start]!.score) end++;
    const rank = (start + 1 + end) / 2; // the mean of the places start + 1 … end
    for (let i = start; i < end; i++) {
      if (order[i]!.label !== 1) continue;
      ranks += rank;
      positives++;
    }
    start = end;
  }
  return (ranks - (positives * (positives + 1)) / 2) / (positives * (order.length - positives));
}
