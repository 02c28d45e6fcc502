import { join } from 'node:path';
import { Command, Option } from 'commander';
import type { ConvertOptions } from '../../src/export/convertFolder.node.ts';
import { adapterFlag, modelArgument, openPretrained } from './openPretrained.ts';
import { byteSize, oneOf } from './values.ts';

interface Options {
  dtype: NonNullable<ConvertOptions['dtype']>;
  maxShardSize: number;
  adapter?: string;
  json?: boolean;
}

export function convertCommand(): Command {
  return new Command()
    .argument('<IN>', modelArgument)
    .argument('<OUT>', 'a folder that is new or empty')
    .option(
      '--dtype <type>',
      'of the weights: float32, float16, bfloat16',
      oneOf('--dtype', ['float32', 'float16', 'bfloat16']),
      'float32' as const,
    )
    .addOption(
      new Option('--max-shard-size <size>', 'the largest file of weights, as 500MB')
        .argParser(byteSize('--max-shard-size'))
        .default(5e9, '5GB'),
    )
    .option(...adapterFlag)
    .option('--json', 'print what was written as JSON')
    .addHelpText(
      'after',
      [
        '',
        'A LoRA adapter is merged: IN may be its folder, or --adapter names it.',
        "OUT is a Hugging Face folder, which Python's from_pretrained opens: config.json, safetensors, tokenizer.json.",
        '',
        'Example:',
        '  qkv convert SmolLM2-135M-Instruct.Q4_1.gguf smollm2 --dtype bfloat16',
      ].join('\n'),
    )
    .action(run);
}

async function run(path: string, out: string, { dtype, maxShardSize, adapter, json = false }: Options): Promise<void> {
  const [{ convertFolder }, { requireEmpty }] = await Promise.all([
    import('../../src/export/convertFolder.node.ts'),
    import('../../src/export/exportFolder.node.ts'),
  ]);
  await requireEmpty(out); // before what takes long
  const pretrained = await openPretrained(path, { adapter });
  const files = await convertFolder(pretrained, out, { dtype, maxShardBytes: maxShardSize });
  const { model, arena, ignored } = pretrained;
  if (json) {
    const facts = { model: path, out, family: model.family, parameters: arena.size, dtype, files, ignored };
    process.stdout.write(`${JSON.stringify(facts)}\n`);
    return;
  }
  const lines = Object.entries(files).map(([name, bytes]) => `${join(out, name)}  ${bytes} bytes`);
  for (const { key, reason } of ignored) lines.push(`left out: ${key} (${reason})`);
  process.stdout.write(`${lines.join('\n')}\n`);
}
