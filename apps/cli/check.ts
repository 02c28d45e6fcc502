import { basename, dirname, join } from 'node:path';
import { Command } from 'commander';
import { QkvError } from '../../src/base/errors.ts';
import type { CheckOptions, CheckReport } from '../../src/check/checkModel.ts';
import { modelArgument, openPretrained } from './openPretrained.ts';
import { realNumber } from './values.ts';

interface Options {
  against?: string;
  tolerance?: number;
  skip: string[];
  json?: boolean;
}

export function checkCommand(): Command {
  return new Command()
    .argument('<MODEL>', modelArgument)
    .option('--against <file>', 'a .safetensors file with input.*, output.*, grad.* and left.* of the reference')
    .option(
      '--tolerance <share>',
      'the largest difference, as a share of the largest value of a tensor; of gradients ten times that (default: 1e-5)',
      realNumber('--tolerance', { above: 0, max: 1 }),
    )
    .option(
      '--skip <name>',
      'leave tensors of the file out; * stands for any characters; can be given again',
      (name: string, before: string[]) => [...before, name],
      [],
    )
    .option('--json', 'print everything as one JSON object')
    .addHelpText(
      'after',
      [
        '',
        'With a file: feeds its input.* (input_ids, attention_mask, labels, …) to the model and compares each output.* (logits,',
        'hidden_states.0, attentions.0, loss, …), the gradients grad.<key> of the loss, and left.* (left padding). A gradient',
        'whose exact value is 0, by exact_gradient_is_zero in expected.json beside the file or since it is below 1e-6 of the',
        'largest, is measured by the largest. Files in F16 and BF16 have the rounding of these on top of the tolerance.',
        'Without: cached = uncached, batch = singles, padded = not padded, ONNX Runtime = reference in float64.',
        '',
        'The exit code is 1 when a difference is beyond the tolerance, when a value is no number, when the file holds what cannot be',
        'compared and is not skipped, and when the tokenizer does not fit the model.',
        '',
        'Examples:',
        '  qkv check runs/tatoeba-en-zh',
        '  qkv check models/gpt2 --against expected.safetensors --skip "output.past_key_values*"',
      ].join('\n'),
    )
    .action(check);
}

async function check(path: string, options: Options): Promise<void> {
  if (options.skip.length > 0 && options.against === undefined) {
    throw new QkvError('usage', {
      where: '--skip',
      got: 'no --against',
      expected: 'a file, of which it leaves tensors out',
    });
  }
  const [pretrained, { checkModel }, { createNodeRuntime }, { createReferenceRuntime }] = await Promise.all([
    openPretrained(path),
    import('../../src/check/checkModel.ts'),
    import('../../src/runtime/node/node.ts'),
    import('../../src/runtime/reference/reference.ts'),
  ]);
  const file = options.against === undefined ? {} : await openExpected(options.against);
  await using runtime = await createNodeRuntime();
  const report = await checkModel(runtime, pretrained, {
    reference: createReferenceRuntime(),
    skip: options.skip,
    ...(options.tolerance !== undefined && { tolerance: options.tolerance }),
    ...file,
  });
  process.stdout.write(options.json ? `${JSON.stringify(report)}\n` : reportText(report));
  process.exitCode = report.isSound ? 0 : 1;
}

/** The tensors of a file, and what `expected.json` beside it says of gradients. */
async function openExpected(file: string): Promise<Pick<CheckOptions, 'against' | 'zeroGradients'>> {
  const [{ openSafetensors }, { nodeStorage }] = await Promise.all([
    import('../../src/checkpoint/safetensors.ts'),
    import('../../src/checkpoint/storage.node.ts'),
  ]);
  const storage = nodeStorage(dirname(file));
  const { tensors: against } = await openSafetensors(storage, basename(file));
  const sibling = 'expected.json';
  if (!(await storage.list()).includes(sibling)) return { against };
  const text = new TextDecoder().decode(await storage.read(sibling, 0, await storage.size(sibling)));
  try {
    const zero: unknown = (JSON.parse(text) as Record<string, unknown> | null)?.['exact_gradient_is_zero'] ?? {};
    return { against, zeroGradients: Object.keys(zero as object) };
  } catch (cause) {
    const where = join(dirname(file), sibling);
    throw new QkvError('data', { where, got: String(cause), expected: 'a JSON object', cause });
  }
}

const MOST_LINES = 10;

function reportText(report: CheckReport): string {
  const { comparisons, faults, against, self, isSound } = report;
  const wrong = comparisons.filter(({ isFault }) => isFault);
  const shown = comparisons.slice(0, Math.max(MOST_LINES, wrong.length));
  const width = Math.max(0, ...shown.map(({ name }) => name.length)) + 2;
  const rest = comparisons.length - shown.length;
  const more = faults.length === 0 ? '' : `, and ${faults.length} more ${faults.length === 1 ? 'fault' : 'faults'}`;
  const lines = [
    ...descriptionLines(report),
    ...(self ? [fact('fed', self.sample), ...self.notes.map((note) => fact('note', note))] : []),
    ...(against && against.skipped.length > 0 ? [fact('skipped', against.skipped.join(', '))] : []),
    '',
    `  ${''.padEnd(width)}difference  of the largest  limit`,
    ...shown.map(({ isFault, name, difference, ratio, limit, note }) => {
      const numbers = `${short(difference).padEnd(12)}${short(ratio).padEnd(16)}${short(limit)}`;
      return `${isFault ? '✗' : '✓'} ${name.padEnd(width)}${numbers}${note === undefined ? '' : `  ${note}`}`;
    }),
    ...(rest > 0 ? [`  and ${rest} more that differ by less of their limits`] : []),
    ...faults.map((fault) => `✗ ${fault}`),
    '',
    isSound
      ? `All ${comparisons.length} comparisons are within the tolerance.`
      : `${wrong.length} of ${comparisons.length} comparisons are beyond the tolerance${more}.`,
  ];
  return `${lines.join('\n')}\n`;
}

function descriptionLines({ model }: CheckReport): string[] {
  const { family, kind, head, parameters, vocabSize, maxLength, ties, storedAs, ignored, tokenizer } = model;
  const count = (n: number): string => n.toLocaleString('en-US');
  const fixed = parameters.fixed > 0 ? `, and ${count(parameters.fixed)} that are not trained` : '';
  const types = Object.entries(storedAs).map(([dtype, tensors]) => `${dtype} (${tensors} tensors)`);
  const special = tokenizer?.special.map(({ id, token, roles }) => [token, id, ...roles].join(' ')) ?? [];
  const more = special.length > MOST_LINES ? `, and ${special.length - MOST_LINES} more` : '';
  return [
    fact('model', `${family}, ${kind}, ${head}; ${count(vocabSize)} tokens, ${count(maxLength)} positions`),
    fact('parameters', `${count(parameters.trained)} trained, tied ones counted once${fixed}`),
    ...ties.map(({ key, sameAs }) => fact('tied', `${key} = ${sameAs}`)),
    fact('stored as', types.join(', ')),
    ...ignored.map(({ key, reason }) => fact('ignored', `${key}: ${reason}`)),
    fact(
      'tokenizer',
      tokenizer
        ? `${tokenizer.kind}, ${count(tokenizer.vocabSize)} ids, ${tokenizer.fits ? 'which fit the model' : 'more than the model has'}; special: ${special.slice(0, MOST_LINES).join(', ') || 'none'}${more}`
        : 'none in the folder',
    ),
  ];
}

function fact(name: string, text: string): string {
  return `${name.padEnd(12)}${text}`;
}

function short(value: number): string {
  return value === 0 ? '0' : Number.isFinite(value) ? value.toExponential(1) : 'no number';
}
