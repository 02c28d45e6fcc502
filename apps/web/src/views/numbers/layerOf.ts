/** The layer that an attention belongs to, as its MLP is named: `decoder.layers.1.crossAttention` → `decoder.layers.1`. */
export function layerOf(path: string): string {
  return path.slice(0, path.lastIndexOf('.'));
}
