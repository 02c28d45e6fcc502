import { concreteShape, type Dim, dimEquals } from '../base/dim.ts';
import { QkvError } from '../base/errors.ts';
import { type HostTensor, sizeOf } from '../base/tensor.ts';
import { findValue } from '../graph/graph.ts';
import type { Edits } from './edits.ts';
import type { Inspection } from './inspection.ts';
import type { Pass } from './pass.ts';
import type { Reading } from './reading.ts';
import { valuesOf } from './stream.ts';

/**
 * A name, a pattern in which `*` stands for anything within a part and `**` for anything at all
 * (`decoder.layers.*.crossAttention.weights`, `**.residualPost`), or a RegExp that is searched for.
 */
export type NamePattern = string | RegExp;

export interface CaptureOptions {
  readonly edits?: Edits;
  /** What one run may give back; more is captured in several runs. 256 MiB when left out. */
  readonly maxBytes?: number;
}

/** All names that a reading has values under, outputs included: what `capture` can give. */
export function valueNames({ pass: { graph } }: Inspection): string[] {
  return [...new Set([...graph.names.keys(), ...Object.keys(graph.outputs).filter((name) => name !== 'rows')])];
}

/** @throws QkvError `usage` for a pattern that no name fits */
export function matchNames(names: readonly string[], patterns: readonly NamePattern[]): string[] {
  const found = new Set<string>();
  for (const pattern of patterns) {
    const expression = typeof pattern === 'string' ? globExpression(pattern) : new RegExp(pattern, flagsOf(pattern));
    const fitting = names.filter((name) => expression.test(name));
    if (fitting.length === 0) {
      const tail = String(pattern).split('.').at(-1)!;
      const near = names.filter((name) => name.split('.').at(-1) === tail);
      throw new QkvError('usage', {
        where: `pattern ${String(pattern)}`,
        got: 'no value of this name',
        expected: `names such as ${(near.length > 0 ? near : names).slice(0, 8).join(', ')}`,
      });
    }
    for (const name of fitting) found.add(name);
  }
  return names.filter((name) => found.has(name));
}

/** Named values of one full pass, without the axis of the batch: `[H, T, S]`, `[T, D]`. Only these are kept. */
export async function capture(
  inspection: Inspection,
  reading: Reading,
  patterns: readonly NamePattern[],
  options: CaptureOptions = {},
): Promise<Map<string, HostTensor>> {
  const captured = new Map<string, HostTensor>();
  for await (const [name, tensor] of captureEach(inspection, reading, patterns, options)) captured.set(name, tensor);
  return captured;
}

/**
 * The same one after the other, in as many runs as keep each below `maxBytes` (a value that alone is larger has a run of its
 * own): for values of many layers of which one is looked at after the other.
 */
export async function* captureEach(
  inspection: Inspection,
  reading: Reading,
  patterns: readonly NamePattern[],
  { edits = {}, maxBytes = 2 ** 28 }: CaptureOptions = {},
): AsyncGenerator<[name: string, value: HostTensor]> {
  const names = matchNames(valueNames(inspection), patterns);
  const sizes = { B: 1, T: reading.ids.length, S: reading.sourceIds?.length ?? 0 };
  let group: string[] = [];
  let bytes = 0;
  const groups = [group];
  for (const name of names) {
    const size = 4 * sizeOf(concreteShape(findValue(inspection.pass.graph, name).shape, sizes, name));
    if (group.length > 0 && bytes + size > maxBytes) {
      groups.push((group = []));
      bytes = 0;
    }
    group.push(name);
    bytes += size;
  }
  for (const part of groups) {
    const task = { label: `values ${part.join(', ')}`, outputs: (pass: Pass) => valuesOf(pass, part) };
    const outputs = await inspection.run(task, [{ reading, edits }]);
    for (const name of part) {
      const { dtype, shape, data } = outputs[name]!;
      // rows [B·T, D] are [T, D] as they are
      const [first] = findValue(inspection.pass.graph, name).shape as [Dim];
      yield [name, { dtype, shape: dimEquals(first, inspection.pass.batch) ? shape.slice(1) : shape, data }];
    }
  }
}

function globExpression(pattern: string): RegExp {
  const source = pattern
    .split(/(\*\*|\*)/)
    .map((part) => (part === '**' ? '.*' : part === '*' ? '[^.]*' : part.replace(/[\\^$.+?()[\]{}|]/g, '\\$&')))
    .join('');
  return new RegExp(`^${source}$`);
}

/** A search must not depend on the one before. */
function flagsOf({ flags }: RegExp): string {
  return flags.replace(/[gy]/g, '');
}
