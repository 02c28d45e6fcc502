import type { AttentionMap } from './attention-map.ts';

/** The map with each side longer than `side` averaged into `side` bins (of equal size within one); else the map itself. */
export function poolWeights(map: AttentionMap, side: number): AttentionMap {
  const [rows, keys] = [map.queryTokens.length, map.keyTokens.length];
  if (rows <= side && keys <= side) return map;
  const [outRows, outKeys] = [Math.min(rows, side), Math.min(keys, side)];
  const rowBin = (t: number): number => Math.floor((t * outRows) / rows);
  const keyBin = (s: number): number => Math.floor((s * outKeys) / keys);
  const sum = new Float64Array(outRows * outKeys);
  const count = new Float64Array(outRows * outKeys);
  for (let t = 0; t < rows; t++) {
    for (let s = 0; s < keys; s++) {
      const bin = rowBin(t) * outKeys + keyBin(s);
      sum[bin]! += map.weights[t * keys + s]!;
      count[bin]! += 1;
    }
  }
  return {
    ...map,
    queryTokens: binNames(map.queryTokens, outRows, rowBin),
    keyTokens: binNames(map.keyTokens, outKeys, keyBin),
    weights: Float32Array.from(sum, (value, i) => value / count[i]!),
  };
}

function binNames(tokens: readonly string[], bins: number, binOf: (index: number) => number): string[] {
  const names = Array.from({ length: bins }, () => '');
  for (const [i, token] of tokens.entries()) names[binOf(i)] += token;
  return names;
}
