import { type Claim, claimsOf, compileKeyMap, type DeclaredParam, type KeyMap, zerosOf } from './keyMap.ts';
import { join, transpose } from './layoutMove.ts';
import type { OutgoingTensor } from './safetensors.ts';

export interface ParamValues extends DeclaredParam {
  readonly data: Float32Array;
}

/**
 * The inverse of `loadStrict`: the tensors of a checkpoint, named and laid out as the family's own. Ties are written once,
 * under `sameAs`, and zeros for what the family has and the model has not. `dtype` is the stored type; F16 and BF16 round to nearest. Values are rearranged only when written.
 */
export function toCheckpoint(
  map: KeyMap,
  params: Iterable<ParamValues>,
  dtype: 'F32' | 'F16' | 'BF16' = 'F32',
): OutgoingTensor[] {
  const compiled = compileKeyMap(map);
  const claims = claimsOf(compiled, params);
  const stored = claims.map((claim) => ({
    name: claim.key,
    dtype,
    shape: claim.shape,
    data: claim.rule.move === 'none' ? claim.params[0]!.data : () => toStored(claim),
  }));
  const zeros = [...zerosOf(compiled, claims)].map(([name, length]) => ({
    name,
    dtype,
    shape: [length],
    data: () => new Float32Array(length),
  }));
  return [...stored, ...zeros];
}

function toStored({ rule, params, shape }: Claim<ParamValues>): Float32Array {
  if (rule.move === 'transpose') return transpose(params[0]!.data, shape[1]!, shape[0]!);
  return join(
    params.map((param) => param.data),
    params.map((param) => param.shape),
    rule.axis,
  );
}
