import { join } from 'node:path';
import { Command } from 'commander';
import { Interrupted } from './errors.ts';
import { interruptSignal } from './interrupt.ts';
import { adapterFlag, modelArgument, openPretrained } from './openPretrained.ts';
import { packageVersion } from './packageRoot.ts';

export function exportCommand(): Command {
  return new Command()
    .argument('<MODEL>', modelArgument)
    .argument('<OUT>', 'a folder that is new or empty')
    .option(...adapterFlag)
    .option('--json', 'print what was written as JSON')
    .addHelpText(
      'after',
      [
        '',
        'OUT is laid out as transformers.js opens it: onnx/model.onnx (of an encoder-decoder onnx/encoder_model.onnx and',
        'onnx/decoder_model_merged.onnx) with float32 weights and standard operators only, config.json and the tokenizer.',
        'ONNX Runtime runs the models in any language.',
        '',
        'Example:',
        '  qkv export runs/shakespeare shakespeare-onnx',
      ].join('\n'),
    )
    .action(run);
}

async function run(
  path: string,
  out: string,
  { adapter, json = false }: { adapter?: string; json?: boolean },
): Promise<void> {
  const { exportFolder, requireEmpty } = await import('../../src/export/exportFolder.node.ts');
  await requireEmpty(out);
  const pretrained = await openPretrained(path, { adapter });
  const signal = interruptSignal();
  const exporting = exportFolder(pretrained, out, { version: packageVersion(), signal });
  const { models, task, obstacle } = await exporting.catch((error: unknown) => {
    throw signal.aborted ? new Interrupted() : error;
  });
  if (json) {
    const facts = { model: path, out, family: pretrained.model.family, parameters: pretrained.arena.size, models };
    process.stdout.write(`${JSON.stringify({ ...facts, transformersJs: { task, obstacle } })}\n`);
    return;
  }
  const lines = Object.entries(models).map(([name, bytes]) => `${join(out, name)}  ${megabytes(bytes)}`);
  lines.push(
    task ? `transformers.js: pipeline('${task}', …)` : `For ONNX Runtime, not for transformers.js: ${obstacle}`,
  );
  process.stdout.write(`${lines.join('\n')}\n`);
}

function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(bytes < 1e7 ? 2 : 0)} MB`;
}
