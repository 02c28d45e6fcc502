import { QkvError } from '../base/errors.ts';
import { type OutgoingTensor, openSafetensors } from '../checkpoint/safetensors.ts';
import type { Storage } from '../checkpoint/storage.ts';
import type { ParameterArena } from '../nn/parameterArena.ts';
import type { SnapshotContents } from './trainer.ts';

/** The file of a snapshot that holds what training goes on from besides the weights: `Trainer.arrays`. */
export const optimizerFile = 'optimizer.safetensors';

/** The tensors of that file: `<array>.<path of the parameter>`. */
export function optimizerTensors(arena: ParameterArena, arrays: SnapshotContents['moments']): OutgoingTensor[] {
  return Object.entries(arrays).flatMap(([name, data]) =>
    Object.entries(arena.viewsOf(data)).map(([path, view]) => ({
      name: `${name}.${path}`,
      dtype: 'F32' as const,
      shape: view.shape,
      data: view.data as Float32Array,
    })),
  );
}

/** Fills the arrays from a snapshot. @throws QkvError `run` for one that lacks a part of them */
export async function loadOptimizer(
  snapshot: Storage,
  arena: ParameterArena,
  arrays: SnapshotContents['moments'],
): Promise<void> {
  const { tensors } = await openSafetensors(snapshot, optimizerFile);
  for (const [name, data] of Object.entries(arrays)) {
    for (const [path, view] of Object.entries(arena.viewsOf(data))) {
      const stored = tensors.get(`${name}.${path}`);
      if (stored === undefined) {
        throw new QkvError('run', { where: `${snapshot.location}/${optimizerFile}`, got: `no ${name}.${path}` });
      }
      (view.data as Float32Array).set(await stored.read('float32'));
    }
  }
}
