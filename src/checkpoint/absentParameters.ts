import { claimsOf, compileKeyMap, type DeclaredParam, type KeyMap } from './keyMap.ts';
import { namedForModel } from './loadStrict.ts';
import type { StoredTensor } from './safetensors.ts';

/** The paths of the declared parameters that a checkpoint has no tensor for, or one of another shape. */
export function absentParameters(
  map: KeyMap,
  tensors: ReadonlyMap<string, StoredTensor>,
  params: readonly DeclaredParam[],
): Set<string> {
  const compiled = compileKeyMap(map);
  const claims = claimsOf(compiled, params);
  const named = new Map(namedForModel(map, compiled, new Set(claims.map(({ key }) => key)), tensors));
  const absent = claims.filter(({ key, shape }) => named.get(key)?.shape.join() !== shape.join());
  return new Set(absent.flatMap((claim) => claim.params.map(({ path }) => path)));
}
