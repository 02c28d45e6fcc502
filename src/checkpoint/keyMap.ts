import { QkvError } from '../base/errors.ts';
import { type Indexes, type KeyPattern, keyPattern } from './keyPattern.ts';
import { joinedShape } from './layoutMove.ts';

/**
 * How a stored tensor becomes parameters. `none`: as it is. `transpose`: a matrix stored the other way round. `split`: one
 * stored tensor is several parameters, concatenated along `axis` in the order of `paths`.
 */
export type KeyRule =
  | { readonly key: string; readonly path: string; readonly move?: 'none' | 'transpose' }
  | { readonly key: string; readonly paths: readonly string[]; readonly move: 'split'; readonly axis: number };

/** A stored constant that is a parameter of the model, never trained, and that checkpoints may leave out: it is then filled with `whenAbsent`. */
export interface BufferRule {
  readonly key: string;
  readonly path: string;
  readonly whenAbsent: number;
}

/**
 * A bias that the family's checkpoints have and this model does not: `key` is written as zeros, one for each column of the
 * tensor under `beside`, so that other readers find all they need. In a checkpoint it may be absent; anything but zeros is refused.
 */
export interface ZerosRule {
  readonly key: string;
  readonly beside: string;
}

/** `key` is another name of the values stored under `sameAs`: a checkpoint holds either or both, then bit for bit equal. */
export interface Tie {
  readonly key: string;
  readonly sameAs: string;
}

export interface IgnoreRule {
  readonly key: string;
  /** Why the model does not need it; shown to the user. */
  readonly reason: string;
}

/**
 * The correspondence between a family's checkpoint keys and our parameter paths, used for loading and for saving. Keys and
 * paths are patterns (`keyPattern`): `{ key: 'h.{i}.attn.c_attn.weight', path: 'layers.{i}.qkv.weight', move: 'transpose' }`.
 */
export interface KeyMap {
  readonly rules: readonly KeyRule[];
  readonly buffers?: readonly BufferRule[];
  readonly zeros?: readonly ZerosRule[];
  readonly ties?: readonly Tie[];
  readonly ignore?: readonly IgnoreRule[];
  /** The prefix (`transformer.`) that checkpoints of the bare model, saved without a head, lack on every key. */
  readonly basePrefix?: string;
  /** Of a bare model: the prefix (`bert.`) that its keys have in checkpoints of a model with a head. */
  readonly headPrefix?: string;
}

export interface DeclaredParam {
  readonly path: string;
  readonly shape: readonly number[];
}

/** One stored tensor of a model, with the parameters that it holds, in order. */
export interface Claim<P extends DeclaredParam> {
  readonly key: string;
  readonly shape: readonly number[];
  readonly params: readonly P[];
  readonly rule: CompiledRule;
}

export interface CompiledRule {
  readonly key: KeyPattern;
  readonly paths: readonly KeyPattern[];
  readonly move: 'none' | 'transpose' | 'split';
  readonly axis: number;
  readonly whenAbsent: number | undefined;
}

export interface CompiledKeyMap {
  readonly rules: readonly CompiledRule[];
  readonly zeros: readonly { readonly key: KeyPattern; readonly beside: KeyPattern }[];
  readonly ties: readonly { readonly key: KeyPattern; readonly sameAs: KeyPattern }[];
  readonly ignore: readonly { readonly key: KeyPattern; readonly reason: string }[];
}

/** Checks a key map and parses its patterns. */
export function compileKeyMap(map: KeyMap): CompiledKeyMap {
  const rules = map.rules.map((rule): CompiledRule => {
    const isSplit = rule.move === 'split';
    const paths = (isSplit ? rule.paths : [rule.path]).map(keyPattern);
    const axis = isSplit ? rule.axis : 0;
    if (paths.length === 0 || !Number.isInteger(axis) || axis < 0) throw mapError(rule.key, 'paths and an axis from 0');
    return { key: keyPattern(rule.key), paths, move: rule.move ?? 'none', axis, whenAbsent: undefined };
  });
  for (const { key, path, whenAbsent } of map.buffers ?? []) {
    rules.push({ key: keyPattern(key), paths: [keyPattern(path)], move: 'none', axis: 0, whenAbsent });
  }
  for (const { key, paths } of rules) {
    const words = key.placeholders.toSorted().join();
    if (paths.some((path) => path.placeholders.toSorted().join() !== words)) {
      throw mapError(key.source, 'the same placeholders in key and path');
    }
  }
  const zeros = (map.zeros ?? []).map(({ key, beside }) => ({ key: keyPattern(key), beside: keyPattern(beside) }));
  for (const { key, beside } of zeros) {
    if (key.placeholders.toSorted().join() !== beside.placeholders.toSorted().join()) {
      throw mapError(key.source, `the placeholders of ${beside.source}`);
    }
  }
  const ties = (map.ties ?? []).map(({ key, sameAs }) => ({ key: keyPattern(key), sameAs: keyPattern(sameAs) }));
  for (const { key, sameAs } of ties) {
    if (!sameAs.placeholders.every((word) => key.placeholders.includes(word))) {
      throw mapError(key.source, `every placeholder of ${sameAs.source} in it`);
    }
  }
  const ignore = (map.ignore ?? []).map(({ key, reason }) => ({ key: keyPattern(key), reason }));
  for (const { key, reason } of ignore) if (reason.trim() === '') throw mapError(key.source, 'a reason to ignore it');
  return { rules, zeros, ties, ignore };
}

function mapError(key: string, expected: string, got?: string): QkvError {
  return new QkvError('usage', { where: `key map: ${key}`, expected, ...(got === undefined ? {} : { got }) });
}

/**
 * The stored tensors that a model of the declared parameters has, in the parameters' order. Throws `QkvError('usage')`
 * where the map does not give every parameter exactly one place in exactly one tensor.
 */
export function claimsOf<P extends DeclaredParam>({ rules }: CompiledKeyMap, params: Iterable<P>): Claim<P>[] {
  const groups = new Map<string, { rule: CompiledRule; indexes: Indexes; slots: (P | undefined)[] }>();
  for (const param of params) {
    const places = rules.flatMap((rule) =>
      rule.paths.flatMap((path, slot) => {
        const indexes = path.match(param.path);
        return indexes ? [{ rule, slot, indexes }] : [];
      }),
    );
    const place = places[0];
    if (!place || places.length > 1) {
      throw mapError(`parameter ${param.path}`, 'exactly one rule with its path', `${places.length} rules`);
    }
    const key = place.rule.key.expand(place.indexes);
    const { rule, slots } = groups.get(key) ?? { ...place, slots: new Array<P | undefined>(place.rule.paths.length) };
    if (rule !== place.rule || slots[place.slot]) throw mapError(key, 'one parameter for each place in it');
    slots[place.slot] = param;
    groups.set(key, { rule, indexes: place.indexes, slots });
  }
  return [...groups].map(([key, { rule, indexes, slots }]) => {
    const absent = rule.paths.findIndex((_, slot) => !slots[slot]);
    if (absent >= 0) throw mapError(key, `a parameter ${rule.paths[absent]!.expand(indexes)}`, 'none');
    const parts = slots as P[];
    return { key, rule, params: parts, shape: storedShape(key, rule, parts) };
  });
}

function storedShape(key: string, rule: CompiledRule, params: readonly DeclaredParam[]): readonly number[] {
  const shapes = params.map((param) => param.shape);
  if (rule.move === 'split') return joinedShape(shapes, rule.axis, `key map: ${key}`);
  const shape = shapes[0]!;
  if (rule.move === 'none') return shape;
  if (shape.length !== 2) throw mapError(key, 'a matrix to transpose', `shape [${shape.join(', ')}]`);
  return shape.toReversed();
}

/** The tensors of a checkpoint that are zeros because the model has no such parameter, and their lengths. */
export function zerosOf(
  { zeros }: CompiledKeyMap,
  claims: readonly Claim<DeclaredParam>[],
): ReadonlyMap<string, number> {
  const lengths = new Map<string, number>();
  for (const { key, beside } of zeros) {
    for (const claim of claims) {
      const indexes = beside.match(claim.key);
      if (indexes) lengths.set(key.expand(indexes), claim.shape.at(-1)!);
    }
  }
  return lengths;
}
