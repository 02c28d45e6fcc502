import { QkvError } from '../base/errors.ts';
import { graphemes } from './graphemes.ts';
import { utf8Decode, utf8Encode } from './utf8.ts';

// Node and browsers have it; it does not belong to the language, whose library alone the types here know.
declare const atob: (base64: string) => string;

const cacheSize = 1 << 14;
/**
 * SentencePiece's precompiled map of characters, as `tokenizer.json` holds it: base64 of the length of a double-array trie
 * (32 bits, little-endian), the trie, and the replacements, each ended by a zero byte. A value of the trie is the place of
 * the replacement. Returns the normaliser, which does what Python's `tokenizers` does, quirk included: a cluster of
 * characters of less than 6 bytes is replaced as a whole where the map has an entry for a beginning of it, the shortest one.
 *
 * Source: https://github.com/huggingface/spm_precompiled, https://github.com/s-yata/darts-clone
 * @throws QkvError `tokenizer` for a map that is damaged.
 */
export function precompiledNormalizer(base64: unknown): (text: string) => string {
  const { trie, replacements } = parse(base64);
  const replace = (bytes: Uint8Array): string | undefined => {
    const place = shortestPrefix(trie, bytes);
    if (place === undefined || place >= replacements.length) return undefined;
    const end = replacements.indexOf(0, place);
    return utf8Decode(replacements.subarray(place, end < 0 ? replacements.length : end));
  };
  const normalizeCluster = (cluster: string): string => {
    const bytes = utf8Encode(cluster);
    const whole = bytes.length < 6 ? replace(bytes) : undefined;
    if (whole !== undefined) return whole;
    let out = '';
    for (const char of cluster) out += replace(utf8Encode(char)) ?? char;
    return out;
  };
  let cache = new Map<string, string>();
  const cached = (cluster: string): string => {
    let result = cache.get(cluster);
    if (result === undefined) {
      result = normalizeCluster(cluster);
      if (cache.size >= cacheSize) cache = new Map();
      cache.set(cluster, result);
    }
    return result;
  };
  return (text) => graphemes(text).map(cached).join('');
}

function parse(base64: unknown): { trie: Uint32Array; replacements: Uint8Array } {
  const fault = (got: string): never => {
    throw new QkvError('tokenizer', {
      where: 'tokenizer.json: normalizer.precompiled_charsmap',
      got,
      expected: 'base64 of a trie with its length before it and of the replacements',
    });
  };
  if (typeof base64 !== 'string') return fault(typeof base64);
  let text: string;
  try {
    text = atob(base64);
  } catch {
    return fault('text that is not base64');
  }
  const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
  const trieBytes = bytes.length < 4 ? 0 : new DataView(bytes.buffer).getUint32(0, true);
  if (trieBytes === 0 || trieBytes % 4 !== 0 || trieBytes > bytes.length - 4) {
    return fault(`a trie of ${trieBytes} bytes in ${bytes.length}`);
  }
  const trie = new Uint32Array(bytes.slice(4, 4 + trieBytes).buffer);
  return { trie, replacements: bytes.subarray(4 + trieBytes) };
}

/** The value of the shortest key that the bytes begin with. Unit: label 8 bits, leaf flag, offset flag and 21 bits. */
function shortestPrefix(trie: Uint32Array, bytes: Uint8Array): number | undefined {
  let node = offsetOf(trie[0]!);
  for (const byte of bytes) {
    if (byte === 0) return undefined;
    node ^= byte;
    const unit = trie[node];
    if (unit === undefined || (unit & 0x800000ff) !== byte) return undefined;
    node ^= offsetOf(unit);
    if ((unit >>> 8) & 1) return (trie[node] ?? 0x7fffffff) & 0x7fffffff;
  }
  return undefined;
}

function offsetOf(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >>> 6);
}
