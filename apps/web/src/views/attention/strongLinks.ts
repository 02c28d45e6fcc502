/** Links that are strong enough to be seen, in the order of their queries. */
export interface Links {
  readonly queries: Uint32Array;
  readonly keys: Uint32Array;
  readonly weights: Float32Array;
}

/** Weaker links are not drawn unless their token is looked at: there are T·S of them, and none can be seen. */
const SEEN = 0.02;

const known = new WeakMap<Float32Array, Links>();

/** Of weights [T, S]. */
export function strongLinks(weights: Float32Array, columns: number): Links {
  const found = known.get(weights);
  if (found !== undefined) return found;
  let count = 0;
  for (const weight of weights) if (weight >= SEEN) count++;
  const links: Links = {
    queries: new Uint32Array(count),
    keys: new Uint32Array(count),
    weights: new Float32Array(count),
  };
  let at = 0;
  for (let i = 0; i < weights.length; i++) {
    if (weights[i]! < SEEN) continue;
    links.queries[at] = Math.floor(i / columns);
    links.keys[at] = i % columns;
    links.weights[at++] = weights[i]!;
  }
  known.set(weights, links);
  return links;
}
