import { concreteShape } from '../../base/dim.ts';
import { QkvError } from '../../base/errors.ts';
import { bool, float32, type HostTensor, int32 } from '../../base/tensor.ts';
import type { Graph } from '../../graph/graph.ts';
import { bind } from '../../graph/rewrite.ts';
import { reachable, type Value } from '../../graph/value.ts';
import { checkFeeds, feedLeaves } from '../checkFeeds.ts';
import { runFlat } from '../flatKernels.ts';
import type { Call, Program, ProgramOptions, Runtime, Tensors } from '../runtime.ts';
import type { Elements, Kernel, Operand } from './kernel.ts';
import { kernels } from './kernels.ts';

export interface EvaluateOptions {
  /** What float results are held as; all is computed in float64. Default float32: rounded to nearest. */
  readonly keep?: 'float32' | 'float64';
  /** A name for messages. */
  readonly label?: string;
}

/**
 * Evaluates a graph's outputs in plain TypeScript and float64: slow, and written to be obviously right. Other
 * implementations are compared with it.
 *
 * @throws QkvError where feeds do not fit (`runtime`, `dtype`, `shape`) or an index is out of range (`runtime`).
 */
export function evaluate(graph: Graph, feeds: Tensors, options: EvaluateOptions = {}): Tensors {
  const { keep = 'float32', label = 'graph' } = options;
  const bindings = checkFeeds(feedLeaves(graph), feeds, label);
  const { outputs } = bind({ outputs: graph.outputs, names: new Map() }, bindings);
  const done = new Map<Value, Operand>();
  for (const value of reachable(Object.values(outputs))) {
    const { dtype } = value;
    const shape = concreteShape(value.shape, {}, value.op);
    const data = dataOf(value, shape, feeds, (input) => done.get(input)!);
    done.set(value, { dtype, shape, data });
  }
  return Object.fromEntries(
    Object.entries(outputs).map(([name, value]) => [name, toHost(done.get(value)!, keep === 'float64')]),
  );
}

function dataOf(value: Value, shape: readonly number[], feeds: Tensors, operand: (input: Value) => Operand): Elements {
  if (value.op === 'constant') return toElements(value.literal!);
  if (value.op === 'input' || value.op === 'parameter') return toElements(feeds[value.attrs['name'] as string]!);
  const kernel = kernels[value.op as keyof typeof kernels] as Kernel<never> | undefined;
  if (!kernel) throw new Error(`qkv defect: no reference kernel for ${value.op}`);
  return kernel(value.inputs.map(operand), value.attrs as never, { dtype: value.dtype, shape });
}

function toElements({ data }: HostTensor): Elements {
  return data instanceof Float32Array ? Float64Array.from(data) : data;
}

/** A copy, so that no result shares memory with a feed or another result. */
function toHost({ dtype, shape, data }: Operand, keepsFloat64: boolean): HostTensor {
  if (dtype === 'float32') return float32(shape, keepsFloat64 ? Float64Array.from(data) : Float32Array.from(data));
  return dtype === 'int32' ? int32(shape, Int32Array.from(data)) : bool(shape, Uint8Array.from(data));
}

class ReferenceProgram implements Program {
  readonly graph: Graph;
  readonly label: string;
  readonly feeds: readonly string[];
  readonly fetches: readonly string[];
  isDisposed = false;

  constructor(graph: Graph, label: string) {
    this.graph = graph;
    this.label = label;
    this.feeds = feedLeaves(graph).map(({ name }) => name);
    this.fetches = Object.keys(graph.outputs);
  }

  [Symbol.dispose](): void {
    this.isDisposed = true;
  }
}

function runCall({ program, feeds, into = {} }: Call): Tensors {
  if (!(program instanceof ReferenceProgram) || program.isDisposed) {
    throw new QkvError('runtime', {
      where: `program ${program.label}`,
      got: program instanceof ReferenceProgram ? 'a program that was disposed' : 'a program of another runtime',
    });
  }
  const results = { ...evaluate(program.graph, feeds, { label: program.label }) };
  for (const [name, target] of Object.entries(into)) {
    const result = results[name];
    if (!result) {
      throw new QkvError('graph', {
        where: `into ${name} of ${program.label}`,
        got: 'no output of this name',
        expected: `one of ${program.fetches.join(', ')}`,
      });
    }
    if (target.dtype !== result.dtype || target.shape.join() !== result.shape.join()) {
      throw new QkvError('shape', {
        where: `into ${name} of ${program.label}`,
        got: `${target.dtype}[${target.shape.join(', ')}]`,
        expected: `${result.dtype}[${result.shape.join(', ')}]`,
      });
    }
    target.data.set(result.data);
    delete results[name];
  }
  return results;
}

/** A runtime on `evaluate`: the oracle, for tests and for graphs of a few thousand elements. */
export function createReferenceRuntime(): Runtime {
  return {
    name: 'reference',
    lanes: 1,
    compile: async (graph: Graph, { label = 'graph' }: ProgramOptions = {}) => new ReferenceProgram(graph, label),
    run: async (calls) => calls.map(runCall),
    runFlat: async (calls) => calls.map(runFlat),
    [Symbol.asyncDispose]: async () => {},
  };
}
