import { type Bindings, concreteShape } from '../base/dim.ts';
import { QkvError } from '../base/errors.ts';
import type { Graph, Leaf } from '../graph/graph.ts';
import { printGraph } from '../graph/print.ts';
import { checkFeeds, feedLeaves } from './checkFeeds.ts';
import type { Call, Program, ProgramOptions, Tensors } from './runtime.ts';

/** What an engine does with a graph: makes it ready under a number, and lets it go. */
export interface Engine {
  compile(program: number, graph: Graph): Promise<void>;
  release(program: number): void;
}

/** Programs of one engine: those of equal graphs are one, which is released when nobody uses it any more. */
export class ProgramCache {
  readonly #engine: Engine;
  readonly #programs = new Map<string, Promise<CachedProgram>>();
  #next = 0;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  async compile(graph: Graph, { label = 'program' }: ProgramOptions = {}): Promise<Program> {
    const key = printGraph(graph);
    const known = this.#programs.get(key);
    if (known) {
      const program = await known;
      program.users++;
      return program;
    }
    const made = this.#compile(graph, key, label);
    this.#programs.set(key, made);
    made.catch(() => this.#programs.delete(key));
    return made;
  }

  /**
   * Checks a call's feeds and targets, and gives the number of its program.
   *
   * @throws QkvError `runtime`, `dtype`, `shape` or `graph`
   */
  check({ program, feeds, into = {} }: Call): number {
    if (!(program instanceof CachedProgram) || program.cache !== this || program.users === 0) {
      throw new QkvError('runtime', {
        where: program.label,
        got: 'a program of another runtime, or a disposed one',
        expected: 'one that this runtime compiled',
      });
    }
    checkTargets(program, into, checkFeeds(program.declared, feeds, program.label));
    return program.number;
  }

  async #compile(graph: Graph, key: string, label: string): Promise<CachedProgram> {
    const number = this.#next++;
    await this.#engine.compile(number, graph);
    return new CachedProgram(this, number, label, feedLeaves(graph), graph.outputs, () => {
      this.#programs.delete(key);
      this.#engine.release(number);
    });
  }
}

class CachedProgram implements Program {
  readonly cache: ProgramCache;
  readonly number: number;
  readonly label: string;
  readonly declared: readonly Leaf[];
  readonly outputs: Graph['outputs'];
  readonly #release: () => void;
  users = 1;

  constructor(
    cache: ProgramCache,
    number: number,
    label: string,
    declared: readonly Leaf[],
    outputs: Graph['outputs'],
    release: () => void,
  ) {
    this.cache = cache;
    this.number = number;
    this.label = label;
    this.declared = declared;
    this.outputs = outputs;
    this.#release = release;
  }

  get feeds(): readonly string[] {
    return this.declared.map(({ name }) => name);
  }

  get fetches(): readonly string[] {
    return Object.keys(this.outputs);
  }

  [Symbol.dispose](): void {
    if (--this.users === 0) this.#release();
  }
}

function checkTargets(program: CachedProgram, into: Tensors, bindings: Bindings): void {
  for (const [name, target] of Object.entries(into)) {
    const output = program.outputs[name];
    const where = `${program.label}: output ${name}`;
    if (!output)
      throw new QkvError('graph', {
        where,
        got: 'a place to write it',
        expected: `only ${program.fetches.join(', ')}`,
      });
    const shape = concreteShape(output.shape, bindings, where);
    if (target.dtype !== output.dtype || target.shape.join() !== shape.join()) {
      throw new QkvError('shape', {
        where,
        got: `a target of ${target.dtype}[${target.shape.join(', ')}]`,
        expected: `${output.dtype}[${shape.join(', ')}]`,
      });
    }
  }
}
