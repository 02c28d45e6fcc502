import { QkvError } from '../base/errors.ts';

/** The weights of one attention head (or the mean over the heads of a layer) for one example. */
export interface AttentionMap {
  readonly title: string;
  /** Which attention of the model: the encoder's own, the decoder's own, or the decoder's over the encoder. */
  readonly kind: 'encoder' | 'decoder' | 'cross';
  readonly layer: number;
  readonly head: number | 'mean';
  /** T tokens that attend: the rows. */
  readonly queryTokens: readonly string[];
  /** S tokens that are attended to: the columns. */
  readonly keyTokens: readonly string[];
  /** [T, S] row-major, each in [0, 1]. */
  readonly weights: Float32Array;
}

/** Rounding in a softmax or in a mean over heads may pass 1 by a little; more than this is not attention. */
const ROUNDING = 1e-3;

/** One map or several as a list, each checked. Throws `QkvError` with code `usage`. */
export function checkedMaps(maps: AttentionMap | readonly AttentionMap[]): readonly AttentionMap[] {
  const list = 'weights' in maps ? [maps] : maps;
  if (list.length === 0) throw new QkvError('usage', { where: 'attention maps', got: 'none', expected: 'one or more' });
  for (const map of list) checkMap(map);
  return list;
}

function checkMap(map: AttentionMap): void {
  const where = `attention map "${map.title}" (${mapName(map)})`;
  const [rows, columns] = [map.queryTokens.length, map.keyTokens.length];
  if (rows === 0 || columns === 0) {
    throw new QkvError('usage', {
      where,
      got: `${rows} query and ${columns} key tokens`,
      expected: 'one or more of each',
    });
  }
  if (map.weights.length !== rows * columns) {
    const expected = `${rows} × ${columns} = ${rows * columns} (query tokens × key tokens)`;
    throw new QkvError('shape', { where, got: `${map.weights.length} weights`, expected });
  }
  const bad = map.weights.findIndex((weight) => !(weight >= 0 && weight <= 1 + ROUNDING));
  if (bad >= 0) {
    throw new QkvError('usage', {
      where: `${where}, query ${Math.floor(bad / columns)}, key ${bad % columns}`,
      got: `weight ${map.weights[bad]}`,
      expected: 'a number from 0 to 1',
      hint: 'Draw the weights after the softmax, not the scores before it.',
    });
  }
}

/** Checks the option's range and that no unknown option was given; returns the weight drawn darkest. */
export function checkedMax(where: string, maps: readonly AttentionMap[], max: number | undefined): number {
  if (max !== undefined) {
    if (max > 0 && max <= 1) return max;
    throw new QkvError('usage', { where: `${where}: max`, got: String(max), expected: 'a weight in (0, 1]' });
  }
  const largest = maps.reduce((sofar, map) => map.weights.reduce((a, b) => Math.max(a, b), sofar), 0);
  return largest > 0 ? largest : 1;
}

/** Throws `QkvError` with code `usage` for an option that does not exist. */
export function checkOptionNames(where: string, options: object, known: readonly string[]): void {
  const unknown = Object.keys(options).find((key) => !known.includes(key));
  if (unknown === undefined) return;
  throw new QkvError('usage', { where, got: `option "${unknown}"`, expected: `one of ${known.join(', ')}` });
}

export function headName(head: number | 'mean'): string {
  return head === 'mean' ? 'mean of heads' : `head ${head}`;
}

/** `cross · layer 2 · head 5`, numbers as in the names of the model's values (from 0). */
export function mapName(map: Pick<AttentionMap, 'kind' | 'layer' | 'head'>): string {
  return `${map.kind} · layer ${map.layer} · ${headName(map.head)}`;
}

/** What the axes mean, for captions. */
export function axisNames(kind: AttentionMap['kind']): { readonly query: string; readonly key: string } {
  if (kind === 'cross') return { query: 'decoder (query)', key: 'encoder (key)' };
  return { query: 'query', key: 'key' };
}

const ESCAPES: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' };

/**
 * A token as one visible line: control characters as escapes (so that no token can steer a terminal or break XML),
 * outer spaces as `▁`, unpaired surrogates as U+FFFD, the empty token as `∅`.
 */
export function visibleToken(token: string): string {
  if (token === '') return '∅';
  return token
    .toWellFormed()
    .replace(/[\p{Cc}\u2028\u2029\u{FFFE}\u{FFFF}]/gu, (c) => {
      const code = c.codePointAt(0)!;
      return ESCAPES[c] ?? (code < 256 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`);
    })
    .replace(/[\u200E\u200F\u202A-\u202E\u2066-\u2069]/g, (c) => `\\u${c.charCodeAt(0).toString(16)}`)
    .replace(/^ +| +$/g, (spaces) => '▁'.repeat(spaces.length));
}

/** A weight in few characters, for ticks and legends. */
export function shortWeight(weight: number): string {
  return weight === 0 ? '0' : weight >= 0.1 ? weight.toFixed(2) : weight.toPrecision(2);
}
