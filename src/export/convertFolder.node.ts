import { statSync } from 'node:fs';
import { nodeStorage, replaceFolder } from '../checkpoint/storage.node.ts';
import { encodeUtf8 } from '../checkpoint/utf8.ts';
import { refuseOverflow } from '../pretrained/float16Range.ts';
import { modelInputNames } from '../pretrained/modelInputNames.ts';
import { type Pretrained, savePretrained, type WeightType } from '../pretrained/pretrained.ts';
import { copy, copyCompanions, requireEmpty } from './exportFolder.node.ts';

export interface ConvertOptions {
  /** What the weights are rounded to (to nearest, ties to even); float32 by default, which loses nothing. */
  readonly dtype?: WeightType;
  /** Weights larger than this are split into shards of at most so many bytes; 5·10⁹ by default. */
  readonly maxShardBytes?: number;
}

/**
 * Writes a model as a Hugging Face folder, which Python's `from_pretrained` opens: `config.json`, safetensors,
 * `generation_config.json`, `tokenizer.json`, the chat template and what else stands beside the model. The folder must be new or
 * empty; it is there as a whole or not at all. Returns its files with their bytes.
 *
 * @throws QkvError `io`; `usage` for weights beyond float16.
 */
export async function convertFolder(
  pretrained: Pretrained,
  folder: string,
  { dtype = 'float32', maxShardBytes = 5e9 }: ConvertOptions = {},
): Promise<Readonly<Record<string, number>>> {
  await requireEmpty(folder);
  const { model, arena, tokenizer, tokenizerConfig, generationConfig, location } = pretrained;
  if (dtype === 'float16') {
    for (const { path } of arena.placements) refuseOverflow(path, arena.tensors[path]!.data as Float32Array);
  }
  await replaceFolder(folder, async (storage) => {
    // a model may come from a single file
    const from = statSync(location, { throwIfNoEntry: false })?.isDirectory() ? nodeStorage(location) : undefined;
    if (from) await copyCompanions(from, storage);
    const names = (await from?.list()) ?? [];
    if (from && names.includes('tokenizer.json')) {
      for (const name of ['tokenizer.json', 'tokenizer_config.json'])
        if (names.includes(name)) await copy(from, storage, name);
    } else if (tokenizer) {
      // with the class named, Python reads tokenizer.json and builds nothing of its own
      const generic = { tokenizer_class: 'PreTrainedTokenizerFast', model_input_names: modelInputNames(model) };
      const config = { ...generic, ...tokenizerConfig };
      await storage.writeAtomic('tokenizer.json', [encodeUtf8(`${JSON.stringify(tokenizer.json, null, 1)}\n`)]);
      await storage.writeAtomic('tokenizer_config.json', [encodeUtf8(`${JSON.stringify(config, null, 2)}\n`)]);
    }
    await savePretrained(storage, {
      model,
      arena,
      dtype,
      maxShardBytes,
      ...(generationConfig && { generationConfig }),
    });
  });
  const written = nodeStorage(folder);
  const files: Record<string, number> = {};
  for (const name of await written.list()) files[name] = await written.size(name);
  return files;
}
