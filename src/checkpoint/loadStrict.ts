import { QkvError } from '../base/errors.ts';
import {
  type Claim,
  type CompiledKeyMap,
  claimsOf,
  compileKeyMap,
  type DeclaredParam,
  type KeyMap,
  zerosOf,
} from './keyMap.ts';
import { split, transpose } from './layoutMove.ts';
import type { StoredTensor } from './safetensors.ts';

export interface StrictLoad {
  /** Row-major values of every declared parameter, by path. */
  readonly data: ReadonlyMap<string, Float32Array>;
  /** Keys of the checkpoint that were left out, each with the map's reason. */
  readonly ignored: readonly { readonly key: string; readonly reason: string }[];
}

/**
 * Reads the declared parameters from a checkpoint. Every key is used once, is a tie's second name for a used one, or is
 * ignored for a reason. Throws one `QkvError('checkpoint')` that lists all that is missing, unexpected, mis-shaped, not a
 * float, or tied and different. Nothing is read before names, types and shapes fit.
 */
export async function loadStrict(
  map: KeyMap,
  tensors: ReadonlyMap<string, StoredTensor>,
  params: Iterable<DeclaredParam>,
): Promise<StrictLoad> {
  const data = new Map<string, Float32Array>();
  const ignored = await loadStrictInto(map, tensors, params, (path, values) => data.set(path, values));
  return { data, ignored };
}

/** As `loadStrict`, but hands each parameter on as it is read, so that only one stored tensor is in memory beside the destination. */
export async function loadStrictInto(
  map: KeyMap,
  tensors: ReadonlyMap<string, StoredTensor>,
  params: Iterable<DeclaredParam>,
  put: (path: string, values: Float32Array) => void,
): Promise<StrictLoad['ignored']> {
  const compiled = compileKeyMap(map);
  const claims = claimsOf(compiled, params);
  const byKey = new Map(claims.map((claim) => [claim.key, claim]));
  const zeros = zerosOf(compiled, claims);
  const toBeZero: StoredTensor[] = [];
  const faults: string[] = [];
  const ignored: { key: string; reason: string }[] = [];
  const sources = new Map<string, StoredTensor[]>(); // of a claim's key: the tensor, or those tied to it

  const own = new Set([...byKey.keys(), ...zeros.keys()]);
  for (const [name, tensor] of namedForModel(map, compiled, own, tensors)) {
    const key = byKey.has(name) ? name : tiedTo(compiled, byKey, name);
    const ignore = compiled.ignore.find((rule) => rule.key.match(name));
    if (key !== undefined) sources.set(key, [...(sources.get(key) ?? []), tensor]);
    else if (zeros.has(name)) {
      toBeZero.push(tensor);
      if (tensor.shape.join() !== `${zeros.get(name)}`) {
        faults.push(`mis-shaped ${tensor.name}: got [${tensor.shape.join(', ')}], expected [${zeros.get(name)}]`);
      }
    } else if (ignore) ignored.push({ key: tensor.name, reason: ignore.reason });
    else faults.push(`unexpected ${tensor.name} [${tensor.shape.join(', ')}]`);
  }
  for (const claim of claims) {
    const found = sources.get(claim.key) ?? [];
    if (found.length === 0 && claim.rule.whenAbsent === undefined) {
      faults.push(`missing ${claim.key} [${claim.shape.join(', ')}] for ${pathsOf(claim)}`);
    }
    for (const tensor of found) {
      if (tensor.shape.join() !== claim.shape.join()) {
        const [got, expected] = [tensor.shape.join(', '), claim.shape.join(', ')];
        faults.push(`mis-shaped ${tensor.name}: got [${got}], expected [${expected}] for ${pathsOf(claim)}`);
      }
      if (!/^B?F\d+$/.test(tensor.dtype))
        faults.push(`mis-typed ${tensor.name}: got ${tensor.dtype}, expected a float`);
    }
  }
  throwFaults(faults);

  for (const tensor of toBeZero) {
    if ((await tensor.read('float32')).some((value) => value !== 0)) {
      faults.push(`not zero ${tensor.name} [${tensor.shape.join(', ')}], and the model has no such parameter`);
    } else ignored.push({ key: tensor.name, reason: 'zeros of a parameter that this model does not have' });
  }
  for (const claim of claims) {
    const [first, ...others] = sources.get(claim.key) ?? [];
    if (!first) {
      for (const { path, shape } of claim.params) put(path, filled(shape, claim.rule.whenAbsent!));
      continue;
    }
    const values = await first.read('float32');
    for (const other of others) {
      if (!areSameBits(values, await other.read('float32'))) {
        faults.push(`different values in ${first.name} and ${other.name}, which the model ties`);
      }
    }
    for (const [path, part] of fromStored(claim, values)) put(path, part);
  }
  throwFaults(faults);
  return ignored;
}

function throwFaults(faults: readonly string[]): void {
  if (faults.length === 0) return;
  const keys = faults.length === 1 ? '1 key' : `${faults.length} keys`;
  const where = `the checkpoint does not fit the model: ${keys}\n  ${faults.toSorted().join('\n  ')}`;
  throw new QkvError('checkpoint', { where });
}

function pathsOf(claim: Claim<DeclaredParam>): string {
  return claim.params.map((param) => param.path).join(', ');
}

/** The tensors with their keys as in a checkpoint of this very model: see `KeyMap.basePrefix` and `headPrefix`. */
function namedForModel(
  { basePrefix, headPrefix }: KeyMap,
  { ties, ignore }: CompiledKeyMap,
  own: ReadonlySet<string>,
  tensors: ReadonlyMap<string, StoredTensor>,
): [string, StoredTensor][] {
  const entries = [...tensors];
  if (headPrefix !== undefined) {
    return entries.map(([key, tensor]) => [key.startsWith(headPrefix) ? key.slice(headPrefix.length) : key, tensor]);
  }
  if (basePrefix === undefined || entries.some(([key]) => key.startsWith(basePrefix))) return entries;
  const isKnown = (key: string) => own.has(key) || [...ties, ...ignore].some((rule) => rule.key.match(key));
  return entries.map(([key, tensor]) => [isKnown(key) ? key : basePrefix + key, tensor]);
}

/** The key of a claim that holds the values of `name`, by a tie. */
export function tiedTo(
  { ties }: CompiledKeyMap,
  claims: ReadonlyMap<string, unknown>,
  name: string,
): string | undefined {
  for (const { key, sameAs } of ties) {
    const indexes = key.match(name);
    const target = indexes && sameAs.expand(indexes);
    if (target !== undefined && claims.has(target)) return target;
  }
  return undefined;
}

function filled(shape: readonly number[], value: number): Float32Array {
  return new Float32Array(shape.reduce((size, dim) => size * dim, 1)).fill(value);
}

function areSameBits(a: Float32Array, b: Float32Array): boolean {
  const [x, y] = [a, b].map((values) => new Uint32Array(values.buffer, values.byteOffset, values.length)) as [
    Uint32Array,
    Uint32Array,
  ];
  return x.every((word, i) => word === y[i]);
}

function fromStored({ rule, params, shape }: Claim<DeclaredParam>, values: Float32Array): [string, Float32Array][] {
  const path = params[0]!.path;
  if (rule.move === 'none') return [[path, values]];
  if (rule.move === 'transpose') return [[path, transpose(values, shape[0]!, shape[1]!)]];
  const parts = split(
    values,
    params.map((param) => param.shape),
    rule.axis,
  );
  return parts.map((part, i) => [params[i]!.path, part]);
}
