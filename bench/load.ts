import { mkdtempSync, writeFileSync } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { claimsOf, compileKeyMap } from '../src/checkpoint/keyMap.ts';
import { storedBytes } from '../src/checkpoint/safetensors.ts';
import { encodeHeader, type TensorLayout } from '../src/checkpoint/safetensorsHeader.ts';
import { declarationsOf } from '../src/models/declarations.ts';
import { parseModel } from '../src/models/registry.ts';
import { openModel } from '../src/pretrained/openModel.node.ts';
import { peakRssMib, rssMib } from './measure.ts';

/** Of SmolLM2-135M. */
const config = {
  model_type: 'llama',
  vocab_size: 49152,
  hidden_size: 576,
  intermediate_size: 1536,
  num_hidden_layers: 30,
  num_attention_heads: 9,
  num_key_value_heads: 3,
  tie_word_embeddings: true,
};

/**
 * How much the process grows while a model is loaded, at its peak, for each byte of float32 weights; run it in a process of
 * its own. Without a model: one of SmolLM2-135M's shape, all zeros, as float32 safetensors (540 MB, a sparse file).
 */
export async function benchLoad(path: string | undefined): Promise<object> {
  const made = path === undefined ? await zeros() : undefined;
  try {
    const before = rssMib();
    const start = performance.now();
    const { arena } = await openModel(path ?? made!);
    const seconds = (performance.now() - start) / 1000;
    const weights = (arena.size * 4) / 2 ** 20;
    const growth = peakRssMib() - before;
    return {
      model: path ?? 'zeros',
      seconds: Number(seconds.toFixed(2)),
      weights_mib: Math.round(weights),
      growth_mib: growth,
      growth_per_weights: Number((growth / weights).toFixed(3)),
    };
  } finally {
    if (made !== undefined) await rm(made, { recursive: true });
  }
}

async function zeros(): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'qkv-bench-'));
  const model = parseModel(config);
  const layouts = claimsOf(compileKeyMap(model.keyMap), declarationsOf(model)).map(
    ({ key, shape }): TensorLayout => ({ name: key, dtype: 'F32', shape }),
  );
  const { head } = encodeHeader(layouts, {});
  writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
  const file = await open(join(folder, 'model.safetensors'), 'w');
  await file.write(head);
  await file.truncate(head.length + layouts.reduce((sum, layout) => sum + storedBytes(layout), 0));
  await file.close();
  return folder;
}
