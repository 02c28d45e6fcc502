import { type Shape, shapeText } from '../base/dim.ts';
import { QkvError } from '../base/errors.ts';
import type { Graph } from '../graph/graph.ts';
import type { Value } from '../graph/value.ts';
import { mul } from '../ops/elementwise.ts';
import { input, parameter } from '../ops/leaf.ts';
import { dropoutMask } from '../ops/random.ts';
import type { Init } from './init.ts';
import type { LoraPlan } from './lora.ts';

/** What is known of a parameter besides its values: enough to make it, load it, train it and save it. */
export interface ParameterDeclaration {
  readonly path: string;
  readonly shape: readonly number[];
  readonly init: Init;
  /** Whether weight decay acts on it: on matrices, not on biases and norms. */
  readonly decay: boolean;
  readonly trainable: boolean;
}

export type ParameterOptions = Partial<Pick<ParameterDeclaration, 'decay' | 'trainable'>>;

/** Everything that one tracing of a model declares and names. */
export class Trace {
  readonly parameters: Map<string, { readonly declaration: ParameterDeclaration; readonly value: Value }> = new Map();
  readonly names: Map<string, Value> = new Map();
  /** Places of the parameters of linear layers. */
  readonly linears: Set<string> = new Set();
  /** Set by a model that has an adapter; linear layers ask for it. */
  lora: LoraPlan | undefined;
  /** int32 [2], different in every step, while training; dropout does nothing without it. */
  readonly dropoutSeed: Value | undefined;

  constructor(options: { readonly training?: boolean } = {}) {
    this.dropoutSeed = options.training ? input('dropoutSeed', 'int32', [2]) : undefined;
  }

  get root(): Scope {
    return new Scope(this, '');
  }

  get declarations(): ParameterDeclaration[] {
    return [...this.parameters.values()].map(({ declaration }) => declaration);
  }

  graph(outputs: Readonly<Record<string, Value>>): Graph {
    return { outputs, names: this.names };
  }
}

/**
 * A place in a model while it is traced: `scope.at('encoder').at('layers').at(0)`. Layers are functions of a scope and of
 * values; a parameter that is asked for twice under one path is one parameter, which is how layers share weights.
 */
export class Scope {
  readonly trace: Trace;
  /** Where values are named. */
  readonly path: string;
  /** Where parameters are: the path, unless they are those of another place. */
  readonly parameterPath: string;

  constructor(trace: Trace, path: string, parameterPath: string = path) {
    this.trace = trace;
    this.path = path;
    this.parameterPath = parameterPath;
  }

  at(name: string | number): Scope {
    return new Scope(this.trace, join(this.path, name), join(this.parameterPath, name));
  }

  /** This place with the parameters of another: its values have names of their own, its dropout masks too. */
  withParametersOf({ parameterPath }: Scope): Scope {
    return new Scope(this.trace, this.path, parameterPath);
  }

  /** Declares a parameter, or finds the one that is already there. */
  parameter(name: string, shape: readonly number[], init: Init, options: ParameterOptions = {}): Value {
    const path = join(this.parameterPath, name);
    const known = this.trace.parameters.get(path);
    if (known) {
      if (known.declaration.shape.join() !== shape.join()) {
        throw new QkvError('shape', {
          where: `parameter ${path}`,
          got: shapeText(shape),
          expected: `${shapeText(known.declaration.shape)} as before`,
        });
      }
      return known.value;
    }
    const declaration = {
      path,
      shape,
      init,
      decay: options.decay ?? shape.length > 1,
      trainable: options.trainable ?? true,
    };
    const value = parameter(path, shape);
    this.trace.parameters.set(path, { declaration, value });
    return value;
  }

  /** Gives a value a name under which it can be fetched, patched and ablated, and returns it. */
  name(name: string, value: Value): Value {
    const path = this.at(name).path;
    if (this.trace.names.has(path)) throw new Error(`qkv defect: two values are named ${path}`);
    this.trace.names.set(path, value);
    return value;
  }

  /** Zeroes elements at random while training (Srivastava et al. 2014), the rest scaled by 1 / (1 − rate). */
  dropout(name: string, x: Value, rate: number, shape: Shape = x.shape): Value {
    const seed = this.trace.dropoutSeed;
    return seed && rate > 0 ? mul(x, dropoutMask(seed, siteOf(this.at(name).path), rate, shape)) : x;
  }
}

function join(path: string, name: string | number): string {
  return path === '' ? `${name}` : `${path}.${name}`;
}

/** A number for a path: FNV-1a, 32 bits. */
function siteOf(path: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < path.length; i++) hash = Math.imul(hash ^ path.charCodeAt(i), 0x01000193);
  return hash | 0;
}
