import { float32, type HostTensor } from '../../src/base/tensor.ts';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { loadStrict } from '../../src/checkpoint/loadStrict.ts';
import { nodeStorage } from '../../src/checkpoint/storage.node.ts';
import { Inspection } from '../../src/inspect/inspection.ts';
import type { Reading } from '../../src/inspect/reading.ts';
import { declarationsOf } from '../../src/models/declarations.ts';
import { parseModel } from '../../src/models/registry.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';

/** A tiny model of every kind: an encoder, post-norm and pre-norm decoders, grouped queries, T5's relative positions. */
export const families = [
  'bert-pretraining',
  'roberta-masked-lm',
  'albert-masked-lm',
  'distilbert-masked-lm',
  'gpt2',
  'llama',
  't5-v1.0',
  'bart',
  'marian',
  'transformer',
] as const;

/** A model of fixtures/ with its weights, opened for inspection, and a text of ids for it. */
export async function opened(path: string, runtime: Runtime): Promise<{ inspection: Inspection; reading: Reading }> {
  const folder = new URL(`../../fixtures/${path}/`, import.meta.url).pathname;
  const checkpoint = await openCheckpoint(nodeStorage(folder));
  const model = parseModel(checkpoint.config, 'config.json', new Set(checkpoint.tensors.keys()));
  const declarations = declarationsOf(model);
  const { data } = await loadStrict(model.keyMap, checkpoint.tensors, declarations);
  const parameters: Record<string, HostTensor> = {};
  for (const { path: at, shape } of declarations) parameters[at] = float32(shape, data.get(at)!);
  const inspection = new Inspection({ runtime, model, parameters });
  const reading: Reading =
    model.kind === 'encoder-decoder'
      ? { ids: [model.startId, 7, 11, 7, 5], sourceIds: [9, 13, 8, 9, 13, 6, 3] }
      : {
          ids: [5, 9, 13, 8, 9, 13],
          ...(model.kind === 'encoder' && model.segments > 1 && { segments: [0, 0, 0, 1, 1, 1] }),
        };
  return { inspection, reading };
}
