import { checkAgainst } from '../../src/check/against.ts';
import { openSafetensors } from '../../src/checkpoint/safetensors.ts';
import { nodeStorage } from '../../src/checkpoint/storage.node.ts';
import { loadPretrained } from '../../src/pretrained/pretrained.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { type Measure, measureOf } from './measure.ts';
import { type ParityCase, readJson } from './parityCase.ts';

/** Outputs, loss and every gradient of a case's batch, and logits under left padding: all that its file holds. */
export async function forwardAndGradients(runtime: Runtime, { folder }: ParityCase): Promise<Measure[]> {
  const pretrained = await loadPretrained(nodeStorage(folder));
  const { tensors } = await openSafetensors(nodeStorage(folder), 'expected.safetensors');
  const zeroGradients = Object.keys(
    ((await readJson(folder, 'expected.json'))['exact_gradient_is_zero'] ?? {}) as object,
  );
  const found = await checkAgainst(runtime, pretrained, tensors, { zeroGradients });
  const hasGradients = [...tensors.keys()].some((name) => name.startsWith('grad.'));
  const absent = [
    ...found.notCompared.map(({ name, reason }) => `${name} (${reason})`),
    ...(hasGradients ? found.gradientsAbsent.map((key) => `grad.${key} (not in the reference)`) : []),
  ];
  const missing = absent.map((name): Measure => ({ kind: 'gradients', name, difference: Infinity, limit: 0 }));
  return [...found.comparisons.map(measureOf), ...missing];
}
