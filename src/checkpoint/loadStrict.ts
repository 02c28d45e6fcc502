import { QkvError } from '../base/errors.ts';
import { release } from '../base/release.ts';
import { sizeOf } from '../base/tensor.ts';
import {
  type Claim,
  type CompiledKeyMap,
  claimsOf,
  compileKeyMap,
  type DeclaredParam,
  type KeyMap,
  zerosOf,
} from './keyMap.ts';
import { splitInto, transposeInto } from './layoutMove.ts';
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
  const declared = [...params];
  const sizes = new Map(declared.map(({ path, shape }) => [path, sizeOf(shape)]));
  const data = new Map<string, Float32Array>();
  // Set aside when all fits: what is declared may come from a file that lies.
  const ignored = await loadStrictInto(map, tensors, declared, (path) => {
    const target = new Float32Array(sizes.get(path)!);
    data.set(path, target);
    return target;
  });
  return { data, ignored };
}

/** Elements that are read at once: 4 MiB as float32. */
const chunkElements = 1 << 20;

/**
 * As `loadStrict`, but into memory that is there already: `targetOf` gives each parameter's, of its size. Large tensors are
 * read in parts, so that little is in memory beside the targets.
 */
export async function loadStrictInto(
  map: KeyMap,
  tensors: ReadonlyMap<string, StoredTensor>,
  params: Iterable<DeclaredParam>,
  targetOf: (path: string) => Float32Array,
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
    const targets = claim.params.map(({ path }) => targetOf(path));
    const [first, ...others] = sources.get(claim.key) ?? [];
    if (first) faults.push(...(await readClaim(claim, targets, first, others)));
    else for (const target of targets) target.fill(claim.rule.whenAbsent!);
  }
  throwFaults(faults);
  return ignored;
}

/** Reads a stored tensor into the parameters that it holds; the names of the `others` that are not equal to it are faults. */
async function readClaim(
  { rule, params, shape }: Claim<DeclaredParam>,
  targets: readonly Float32Array[],
  first: StoredTensor,
  others: readonly StoredTensor[],
): Promise<string[]> {
  const size = sizeOf(shape);
  const rowSize = rule.move === 'transpose' ? shape[1]! : 1;
  const step = Math.max(1, Math.floor(chunkElements / rowSize)) * rowSize;
  const different = new Set<StoredTensor>();
  for (let start = 0; start < size; start += step) {
    const end = Math.min(start + step, size);
    const values = await first.read('float32', start, end);
    for (const other of others) {
      const same = await other.read('float32', start, end);
      if (!areSameBits(values, same)) different.add(other);
      release(same);
    }
    if (rule.move === 'none') targets[0]!.set(values, start);
    else if (rule.move === 'transpose') transposeInto(targets[0]!, values, start / rowSize, shape[0]!, shape[1]!);
    else {
      const shapes = params.map((param) => param.shape);
      splitInto(targets, values, start, shapes, rule.axis);
    }
    release(values);
  }
  return [...different].map((other) => `different values in ${first.name} and ${other.name}, which the model ties`);
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
export function namedForModel(
  { basePrefix, headPrefix }: KeyMap,
  { ties, ignore }: CompiledKeyMap,
  own: ReadonlySet<string>,
  tensors: ReadonlyMap<string, StoredTensor>,
): [string, StoredTensor][] {
  const entries = [...tensors];
  if (headPrefix !== undefined) {
    return entries.map(([key, tensor]) => [key.startsWith(headPrefix) ? key.slice(headPrefix.length) : key, tensor]);
  }
  if (basePrefix === undefined) return entries;
  // one by one: a head that was trained beside an adapter has the prefix where the bare model that it belongs to has none
  const isKnown = (key: string) => own.has(key) || [...ties, ...ignore].some((rule) => rule.key.match(key));
  const isBare = (key: string) => !isKnown(key) && isKnown(basePrefix + key) && !tensors.has(basePrefix + key);
  return entries.map(([key, tensor]) => [isBare(key) ? basePrefix + key : key, tensor]);
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

function areSameBits(a: Float32Array, b: Float32Array): boolean {
  const [x, y] = [a, b].map((values) => new Uint32Array(values.buffer, values.byteOffset, values.length)) as [
    Uint32Array,
    Uint32Array,
  ];
  return x.every((word, i) => word === y[i]);
}
