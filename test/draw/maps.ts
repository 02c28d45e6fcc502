import type { AttentionMap } from '../../src/draw/attention-map.ts';

/** Rows that rise from 0 to their largest weight along the keys, so that order along a row is order of weight. */
export function risingMap(rows: number, keys: number, over: Partial<AttentionMap> = {}): AttentionMap {
  const total = (keys * (keys - 1)) / 2;
  return {
    title: 'rising',
    kind: 'encoder',
    layer: 0,
    head: 0,
    queryTokens: Array.from({ length: rows }, (_, t) => `q${t}`),
    keyTokens: Array.from({ length: keys }, (_, s) => `k${s}`),
    weights: Float32Array.from({ length: rows * keys }, (_, i) => (i % keys) / total),
    ...over,
  };
}

/** WCAG relative luminance, 0 to 1, of `#rrggbb` or of bytes. */
export function luminance(colour: string | readonly number[]): number {
  const bytes =
    typeof colour === 'string' ? colour.match(/[0-9a-f]{2}/g)!.map((hex) => Number.parseInt(hex, 16)) : colour;
  const [r, g, b] = bytes.map((byte) => {
    const c = byte / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
