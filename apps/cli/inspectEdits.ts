import type { Command } from 'commander';
import { QkvError } from '../../src/base/errors.ts';
import type { Edits, HeadEdit, HiddenKey, ValueEdit } from '../../src/inspect/edits.ts';
import { realNumber } from './values.ts';

/** The options of every instrument that change what is looked at. */
export interface EditFlags {
  zero?: Ablation[];
  mean?: Ablation[];
  hide?: HiddenKey[];
  dropMlp?: string[];
  scoreFactor?: number;
  causalMask: boolean;
  positions: boolean;
}

interface Ablation {
  readonly path: string;
  readonly heads: readonly number[] | undefined;
  readonly positions: readonly number[] | undefined;
}

export function addEditOptions(command: Command): Command {
  return command
    .option(
      '--zero <what>',
      'ATTENTION:HEADS or a named value, set to zero; @POSITIONS behind it: there alone (layers.0.attention:1,3@4)',
      collect(ablation('--zero')),
    )
    .option('--mean <what>', 'the same, set to its mean over the positions', collect(ablation('--mean')))
    .option('--hide <position>', 'no query may look at it: N, or source:N', collect(hiddenKey))
    .option('--drop-mlp <layer>', 'its feed-forward part adds nothing, e.g. layers.3', collect(String))
    .option('--score-factor <x>', 'multiplies the scores before the softmax', realNumber('--score-factor'))
    .option('--no-causal-mask', 'a decoder sees what comes after as well')
    .option('--no-positions', 'every token is read at the first position');
}

export function editsOf(flags: EditFlags): Edits {
  const heads: HeadEdit[] = [];
  const values: ValueEdit[] = [];
  for (const how of ['zero', 'mean'] as const) {
    for (const { path, heads: chosen, positions } of flags[how] ?? []) {
      const at = positions && { positions };
      if (chosen && /\.(attention|crossAttention)$/.test(path)) {
        heads.push(...chosen.map((head) => ({ path, head, how, ...at })));
      } else values.push({ name: valueName(path), how, ...(chosen && { heads: chosen }), ...at });
    }
  }
  return {
    ...(heads.length > 0 && { heads }),
    ...(values.length > 0 && { values }),
    ...(flags.hide && { hidden: flags.hide }),
    ...(flags.dropMlp && { mlps: flags.dropMlp }),
    ...(flags.scoreFactor !== undefined && { scoreFactor: flags.scoreFactor }),
    ...(!flags.causalMask && { causalMask: false }),
    ...(!flags.positions && { positions: false }),
  };
}

/** An attention without heads stands for all of them. */
function valueName(path: string): string {
  return /\.(attention|crossAttention)$/.test(path) ? `${path}.context` : path;
}

function ablation(flag: string): (text: string) => Ablation {
  return (text) => {
    const found = /^([\w.]+)(?::([\d,]+))?(?:@([\d,]+))?$/.exec(text);
    if (!found) {
      throw new QkvError('usage', {
        where: flag,
        got: JSON.stringify(text),
        expected: 'a name, then maybe :HEADS, then maybe @POSITIONS, e.g. decoder.layers.1.crossAttention:0,3@2',
      });
    }
    return { path: found[1]!, heads: numbers(found[2]), positions: numbers(found[3]) };
  };
}

function numbers(text: string | undefined): number[] | undefined {
  return text?.split(',').filter(Boolean).map(Number);
}

function hiddenKey(text: string): HiddenKey {
  const found = /^(?:(source|target):)?(\d+)$/.exec(text);
  if (found) return { side: (found[1] as HiddenKey['side'] | undefined) ?? 'target', position: Number(found[2]) };
  throw new QkvError('usage', {
    where: '--hide',
    got: JSON.stringify(text),
    expected: 'a position from 0 on, of the source source:POSITION',
  });
}

function collect<T>(parse: (text: string) => T): (text: string, before?: T[]) => T[] {
  return (text, before = []) => [...before, parse(text)];
}
