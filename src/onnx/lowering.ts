import { type Dim, dimEquals, type Shape } from '../base/dim.ts';
import { QkvError } from '../base/errors.ts';
import type { HostTensor } from '../base/tensor.ts';

import type { Value } from '../graph/value.ts';
import type { ModelBuilder, OnnxValue } from './modelBuilder.ts';
import { int64, type OnnxTensor } from './onnxTensor.ts';
import * as onnx from './operators.gen.ts';

/** Writes one operator as ONNX nodes. `inputs` are the operator's inputs, already written. */
export type Lowering<A> = (cx: LoweringContext, value: Value, inputs: readonly OnnxValue[], attrs: A) => OnnxValue;

export type LoweringTable<Ops> = { readonly [K in keyof Ops]: Lowering<Ops[K]> };

export interface LoweringOptions {
  /** Whether ONNX Runtime's own operators may be used; without them the model runs wherever ONNX does. */
  readonly contrib: boolean;
  /** The parameters' values, which then are a part of the model; without them parameters are inputs. */
  readonly weights?: Readonly<Record<string, HostTensor>>;
  /** Whether whole numbers come in as int64, as other exporters have them, and not as int32. */
  readonly longInputs?: boolean;
}

/** What the lowerings share: the model under construction, sizes that are known at run time only, and by-products. */
export class LoweringContext {
  readonly b: ModelBuilder;
  readonly contrib: boolean;
  readonly #memo = new Map<string, OnnxValue>();
  readonly #sources = new Map<string, { readonly value: OnnxValue; readonly axis: number }>();

  constructor(builder: ModelBuilder, options: LoweringOptions) {
    this.b = builder;
    this.contrib = options.contrib;
  }

  /** Declares where the symbols of an input's shape can be read. */
  declareSymbols(value: OnnxValue, shape: Shape): void {
    shape.forEach((dim, axis) => {
      if (typeof dim !== 'number' && isPlain(dim) && !this.#sources.has(dim.key))
        this.#sources.set(dim.key, { value, axis });
    });
  }

  /** Makes something once. Lowerings leave by-products here for others, such as the mean that a layer norm gives. */
  once(key: string, make: () => OnnxValue): OnnxValue {
    const known = this.#memo.get(key);
    if (known !== undefined) return known;
    const made = make();
    this.#memo.set(key, made);
    return made;
  }

  remember(key: string, value: OnnxValue): void {
    if (!this.#memo.has(key)) this.#memo.set(key, value);
  }

  recall(key: string): OnnxValue | undefined {
    return this.#memo.get(key);
  }

  constant(tensor: OnnxTensor): OnnxValue {
    return this.b.constant(tensor);
  }

  float(value: number): OnnxValue {
    return this.b.constant({ dtype: 'float32', shape: [], data: Float32Array.of(value) });
  }

  /** An int64 vector. */
  longs(values: readonly number[]): OnnxValue {
    return this.b.constant(int64(values));
  }

  /** One extent as an int64 vector of length 1. */
  extent(dim: Dim): OnnxValue {
    if (typeof dim === 'number') return this.longs([dim]);
    return this.once(`extent ${dim.key}`, () => {
      const terms = [...dim.terms].map(([monomial, coefficient]) => {
        const factors = monomial === '' ? [] : monomial.split('*').map((name) => this.#symbol(name));
        if (coefficient !== 1 || factors.length === 0) factors.push(this.longs([coefficient]));
        return factors.reduce((a, c) => onnx.mul(this.b, a, c));
      });
      return terms.reduce((a, c) => onnx.add(this.b, a, c));
    });
  }

  /** One extent as an int64 scalar. */
  extentScalar(dim: Dim): OnnxValue {
    if (typeof dim === 'number') return this.b.constant(int64(dim));
    return this.once(`scalar ${dim.key}`, () => onnx.squeeze(this.b, this.extent(dim), this.longs([0])));
  }

  /** A whole shape as an int64 vector. */
  shape(shape: Shape): OnnxValue {
    if (shape.every((dim) => typeof dim === 'number')) return this.longs(shape);
    return this.once(`shape ${shape.map((dim) => (typeof dim === 'number' ? dim : dim.key)).join()}`, () =>
      onnx.concat(
        this.b,
        shape.map((dim) => this.extent(dim)),
        { axis: 0 },
      ),
    );
  }

  /** x under another shape; the new shape is a constant wherever ONNX's 0 (as before) and −1 (the rest) can say it. */
  reshape(x: OnnxValue, from: Shape, to: Shape): OnnxValue {
    if (to.some((dim) => dim === 0) || from.some((dim) => dim === 0))
      return onnx.reshape(this.b, x, this.shape(to), { allowzero: true });
    const template = to.map((dim, axis) => {
      if (typeof dim === 'number') return dim;
      return axis < from.length && dimEquals(dim, from[axis]!) ? 0 : -1;
    });
    const holes = template.filter((dim) => dim === -1).length;
    if (holes <= 1) return onnx.reshape(this.b, x, this.longs(template));
    // all extents are computed, and one that turns out to be 0 means 0
    return onnx.reshape(this.b, x, this.shape(to), { allowzero: true });
  }

  #symbol(name: string): OnnxValue {
    return this.once(`extent ${name}`, () => {
      const source = this.#sources.get(name);
      if (!source) {
        throw new QkvError('graph', {
          where: `dimension ${name}`,
          got: 'a symbol that no input has as an extent of its own',
          expected: 'an input or parameter whose shape contains it',
        });
      }
      return onnx.shape(this.b, source.value, { start: source.axis, end: source.axis + 1 });
    });
  }
}

function isPlain(dim: Exclude<Dim, number>): boolean {
  return dim.terms.size === 1 && dim.terms.get(dim.key) === 1 && !dim.key.includes('*');
}
