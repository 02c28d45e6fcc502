import type { Signal } from '@preact/signals';
import { indexCodec, textCodec } from '../../state/codecs.ts';
import { shared } from '../../state/shared.ts';
import type { AttentionMap } from '../../worker/contract.ts';
import { cross, source } from './state.ts';

/** The cross-attention that alignment is read from: a path, '' for the mean of all layers; a head, null for their mean. */
export const alignedPath: Signal<string> = shared('predict.cross', '', textCodec);
export const alignedHead: Signal<number | null> = shared('predict.crossHead', null, indexCodec);

/**
 * How much the source tokens were looked at when the target's token at `index` was chosen, the strongest 1; null while it is not
 * known. The row of a token is the one with which the token after it is chosen.
 */
export function alignedShares(index: number): readonly number[] | null {
  const maps = cross.value.value?.filter(({ place }) => alignedPath.value === '' || place.path === alignedPath.value);
  if (!maps?.length || index < 1) return null;
  const shares = meanRow(maps, source.value.length, index - 1, alignedHead.value);
  const largest = Math.max(...shares);
  return largest > 0 ? shares.map((share) => share / largest) : null;
}

/** The weights of one query at `columns` keys, mean over the maps and their heads, or over the maps' one head. */
function meanRow(maps: readonly AttentionMap[], columns: number, query: number, head: number | null): number[] {
  const total = new Array<number>(columns).fill(0);
  let rows = 0;
  for (const map of maps) {
    const { heads } = map.place;
    const queries = map.weights.length / heads / columns;
    if (query >= queries) continue;
    for (let h = 0; h < heads; h++) {
      if (head !== null && h !== Math.min(head, heads - 1)) continue;
      rows++;
      const at = (h * queries + query) * columns;
      for (let k = 0; k < columns; k++) total[k]! += map.weights[at + k]!;
    }
  }
  return rows === 0 ? total : total.map((sum) => sum / rows);
}
