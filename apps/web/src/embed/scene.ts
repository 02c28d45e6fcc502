import type { AttentionMap, ModelCard, Reading, TextInput } from '../worker/contract.ts';

/** What a file of `qkv look --out file.html` shows: the attention of a model over one text, as the JSON of an element of the file. */
export interface EmbeddedScene {
  readonly card: ModelCard;
  readonly input: TextInput;
  readonly reading: Reading;
  /** Of every place, in the card's order. */
  readonly maps: readonly Omit<AttentionMap, 'weights'>[];
  /** Of all maps, one behind the other: float32, little-endian, deflated (RFC 1951), in base64. */
  readonly weights: string;
}

/** The element that holds it. */
export const sceneElement = 'scene';

/** The maps with their weights. @throws Error for a file that was damaged */
export async function mapsOf({ reading, maps, weights }: EmbeddedScene): Promise<AttentionMap[]> {
  const packed = Uint8Array.from(atob(weights), (character) => character.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('deflate-raw'));
  const all = new Float32Array(await new Response(stream).arrayBuffer());
  let at = 0;
  return maps.map((map) => {
    const size = map.place.heads * reading[map.queries].length * reading[map.keys].length;
    return { ...map, weights: all.subarray(at, (at += size)) };
  });
}
