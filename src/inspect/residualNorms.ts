import { findValue } from '../graph/graph.ts';
import { mul, sqrt } from '../ops/elementwise.ts';
import { sum } from '../ops/reduce.ts';
import type { Edits } from './edits.ts';
import type { Inspection } from './inspection.ts';
import { stacksOf } from './pass.ts';
import type { Reading } from './reading.ts';
import { residualNames } from './stream.ts';

/** ‖residual stream‖₂ of one stack. */
export interface ResidualNorms {
  /** `encoder` or `decoder`. */
  readonly stack: 'encoder' | 'decoder';
  /** Before the first layer, then after each: L + 1 names. */
  readonly layers: readonly string[];
  /** Tokens of the stack's text, T. */
  readonly length: number;
  /** [L + 1, T] */
  readonly norms: Float32Array;
}

/** The length of the residual stream at every position, before the first layer and after each, by stack. */
export async function residualNorms(
  inspection: Inspection,
  reading: Reading,
  edits: Edits = {},
): Promise<ResidualNorms[]> {
  const stacks = stacksOf(inspection.pass);
  const names = stacks.flatMap(residualNames);
  const found = await inspection.run(
    {
      label: 'residual norms',
      outputs: ({ graph }) =>
        Object.fromEntries(
          names.map((name) => {
            const stream = findValue(graph, name);
            return [name, sqrt(sum(mul(stream, stream), [2]))];
          }),
        ),
    },
    [{ reading, edits }],
  );
  return stacks.map((stack) => {
    const layers = residualNames(stack);
    const length = (stack.side === 'source' ? reading.sourceIds! : reading.ids).length;
    const norms = new Float32Array(layers.length * length);
    layers.forEach((name, i) => {
      norms.set(found[name]!.data as Float32Array, i * length);
    });
    return { stack: stack.kind, layers, length, norms };
  });
}
