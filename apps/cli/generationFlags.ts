import { type Command, Option } from 'commander';
import { QkvError } from '../../src/base/errors.ts';
import type { GenerateOptions } from '../../src/generate/options.ts';
import { realNumber, wholeNumber } from './values.ts';

/** The flags that `translate`, `generate` and `eval` share. */
export interface GenerationFlags {
  greedy?: boolean;
  beam?: number;
  lengthPenalty?: number;
  temperature?: number;
  topK?: number;
  topP?: number;
  seed?: number;
}

const sampling = ['temperature', 'topK', 'topP', 'seed'] as const;

export function addGenerationFlags(command: Command): Command {
  return command
    .addOption(new Option('--greedy', 'always the most probable token'))
    .option('--beam <n>', 'beam search with n beams', wholeNumber('--beam', { min: 1, max: 64 }))
    .option(
      '--length-penalty <x>',
      'of beams: scores are divided by length^x, so that more favours longer results',
      realNumber('--length-penalty'),
    )
    .option('--temperature <x>', 'sample; scores are divided by x', realNumber('--temperature', { above: 0 }))
    .option('--top-k <n>', 'sample from the n best tokens', wholeNumber('--top-k', { min: 1 }))
    .option('--top-p <p>', 'sample from the best tokens of probability p', realNumber('--top-p', { above: 0, max: 1 }))
    .option('--seed <n>', 'sample; the same seed gives the same result (default 0)', wholeNumber('--seed', { min: 0 }));
}

/**
 * The model's own defaults with the flags in their place. The flags choose one of greedy, beams and sampling; without any,
 * the defaults do.
 */
export function generationOptions(defaults: GenerateOptions, flags: GenerationFlags): GenerateOptions {
  refuseConflicts(flags);
  const { greedy = false, beam } = flags;
  const samplingFlag = sampling.find((name) => flags[name] !== undefined);
  const numBeams = beam ?? (greedy || samplingFlag ? 1 : (defaults.numBeams ?? 1));
  const sample = samplingFlag !== undefined || (defaults.sample === true && !greedy && beam === undefined);
  if (flags.lengthPenalty !== undefined && (numBeams === 1 || sample)) {
    throw new QkvError('usage', {
      where: '--length-penalty',
      got: String(flags.lengthPenalty),
      expected: 'a beam search, where it acts',
      hint: 'Add --beam 4',
    });
  }
  const given = Object.entries(flags).filter(([name]) => name !== 'greedy' && name !== 'beam');
  return { ...defaults, ...(Object.fromEntries(given) as GenerateOptions), numBeams, sample };
}

/** Refuses flags of two ways to choose tokens; before a model is loaded, since it takes time. */
export function refuseConflicts(flags: GenerationFlags): void {
  const { greedy = false, beam = 1 } = flags;
  const samplingFlag = sampling.find((name) => flags[name] !== undefined);
  if (samplingFlag && (greedy || beam > 1)) conflict(samplingFlag, greedy ? '--greedy' : '--beam');
  if (greedy && beam > 1) conflict('beam', '--greedy');
}

function conflict(name: string, other: string): never {
  const flag = `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
  throw new QkvError('usage', { where: flag, got: `${other} as well`, expected: 'one way to choose tokens' });
}
