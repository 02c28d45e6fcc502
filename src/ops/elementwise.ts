import type { DType } from '../base/tensor.ts';
import type { Value } from '../graph/value.ts';
import { scalarConstant } from './leaf.ts';
import {
  broadcastShapes,
  type Derivative,
  expectDtype,
  maker,
  type NoDerivative,
  type None,
  type OpRecord,
  type OpTable,
} from './record.ts';

/** Operators that act on each element; binary ones broadcast. */
export interface ElementwiseOps {
  neg: None;
  abs: None;
  exp: None;
  log: None;
  sqrt: None;
  reciprocal: None;
  erf: None;
  tanh: None;
  sigmoid: None;
  sin: None;
  cos: None;
  add: None;
  sub: None;
  mul: None;
  div: None;
  maximum: None;
  minimum: None;
  pow: { readonly exponent: number };
  equal: None;
  less: None;
  lessEqual: None;
  greater: None;
  greaterEqual: None;
  and: None;
  or: None;
  not: None;
  bitXor: None;
  where: None;
  cast: { readonly to: DType };
  stopGradient: None;
}

const noBool: NoDerivative = { none: 'the result is boolean' };
const noInt: NoDerivative = { none: 'the result is an integer' };

function unary(derivative: Derivative<None>): OpRecord<None> {
  return {
    type: (inputs, _, op) => ({ shape: inputs[0]!.shape, dtype: expectDtype(op, inputs, 'float32') }),
    derivative: [derivative],
  };
}

/** These serve int32 too, whose results nobody differentiates. */
function binary(left: Derivative<None>, right: Derivative<None>): OpRecord<None> {
  return {
    type: (inputs, _, op) => ({
      shape: broadcastShapes(op, ...inputs),
      dtype: expectDtype(op, inputs, 'float32', 'int32'),
    }),
    derivative: [left, right],
  };
}

function comparison(): OpRecord<None> {
  return {
    type: (inputs, _, op) => {
      expectDtype(op, inputs, 'float32', 'int32');
      return { shape: broadcastShapes(op, ...inputs), dtype: 'bool' };
    },
    derivative: [noBool, noBool],
  };
}

function logical(arity: 1 | 2): OpRecord<None> {
  return {
    type: (inputs, _, op) => ({ shape: broadcastShapes(op, ...inputs), dtype: expectDtype(op, inputs, 'bool') }),
    derivative: arity === 1 ? [noBool] : [noBool, noBool],
  };
}

export const elementwiseOps: OpTable<ElementwiseOps> = {
  neg: unary((g) => neg(g)),
  // d|x| = sign(x); 0 at 0, as PyTorch has it
  abs: unary((g, _, [x]) =>
    where(greater(x!, scalarConstant(0)), g, where(less(x!, scalarConstant(0)), neg(g), mul(g, scalarConstant(0)))),
  ),
  exp: unary((g, y) => mul(g, y)),
  log: unary((g, _, [x]) => div(g, x!)),
  // d√x = 1 / (2 √x)
  sqrt: unary((g, y) => div(mul(g, scalarConstant(0.5)), y)),
  // d(1/x) = −1/x²
  reciprocal: unary((g, y) => neg(mul(g, mul(y, y)))),
  // d erf(x) = 2/√π · exp(−x²)
  erf: unary((g, _, [x]) => mul(g, mul(exp(neg(mul(x!, x!))), scalarConstant(2 / Math.sqrt(Math.PI))))),
  // d tanh(x) = 1 − tanh²(x)
  tanh: unary((g, y) => mul(g, sub(scalarConstant(1), mul(y, y)))),
  // dσ(x) = σ(x) (1 − σ(x))
  sigmoid: unary((g, y) => mul(g, mul(y, sub(scalarConstant(1), y)))),
  sin: unary((g, _, [x]) => mul(g, cos(x!))),
  cos: unary((g, _, [x]) => neg(mul(g, sin(x!)))),

  add: binary(
    (g) => g,
    (g) => g,
  ),
  sub: binary(
    (g) => g,
    (g) => neg(g),
  ),
  mul: binary(
    (g, _, [, b]) => mul(g, b!),
    (g, _, [a]) => mul(g, a!),
  ),
  // d(a/b)/db = −(a/b)/b
  div: binary(
    (g, _, [, b]) => div(g, b!),
    (g, y, [, b]) => neg(mul(g, div(y, b!))),
  ),
  // the larger side gets the gradient; at a tie each side gets half, as PyTorch has it
  maximum: binary(
    (g, _, [a, b]) => mul(g, share(greater(a!, b!), a!, b!)),
    (g, _, [a, b]) => mul(g, share(less(a!, b!), a!, b!)),
  ),
  minimum: binary(
    (g, _, [a, b]) => mul(g, share(less(a!, b!), a!, b!)),
    (g, _, [a, b]) => mul(g, share(greater(a!, b!), a!, b!)),
  ),
  pow: {
    type: (inputs, _, op) => ({ shape: inputs[0]!.shape, dtype: expectDtype(op, inputs, 'float32') }),
    // d x^n = n x^(n−1)
    derivative: [
      (g, _, [x], { exponent }) =>
        exponent === 0 ? mul(g, scalarConstant(0)) : mul(g, mul(pow(x!, exponent - 1), scalarConstant(exponent))),
    ],
  },

  equal: {
    type: (inputs, _, op) => {
      expectDtype(op, inputs, 'float32', 'int32', 'bool');
      return { shape: broadcastShapes(op, ...inputs), dtype: 'bool' };
    },
    derivative: [noBool, noBool],
  },
  less: comparison(),
  lessEqual: comparison(),
  greater: comparison(),
  greaterEqual: comparison(),
  and: logical(2),
  or: logical(2),
  not: logical(1),
  bitXor: {
    type: (inputs, _, op) => ({ shape: broadcastShapes(op, ...inputs), dtype: expectDtype(op, inputs, 'int32') }),
    derivative: [noInt, noInt],
  },

  where: {
    type: (inputs, _, op) => {
      const [condition, a, b] = inputs as [Value, Value, Value];
      expectDtype(op, [condition], 'bool');
      return { shape: broadcastShapes(op, condition, a, b), dtype: expectDtype(op, [a, b], 'float32', 'int32') };
    },
    derivative: [
      { none: 'a condition is boolean' },
      (g, _, [condition]) => where(condition!, g, scalarConstant(0)),
      (g, _, [condition]) => where(condition!, scalarConstant(0), g),
    ],
  },
  cast: {
    type: (inputs, { to }) => ({ shape: inputs[0]!.shape, dtype: to }),
    derivative: [{ none: 'one of the two types is not continuous' }],
  },
  stopGradient: {
    type: (inputs) => inputs[0]!,
    derivative: [{ none: 'stopGradient was asked for' }],
  },
};

/** 1 where `wins`, ½ where a = b, else 0. */
function share(wins: Value, a: Value, b: Value): Value {
  return where(wins, scalarConstant(1), where(equal(a, b), scalarConstant(0.5), scalarConstant(0)));
}

const make = maker(elementwiseOps);

export function neg(x: Value): Value {
  return make('neg', [x], {});
}
export function abs(x: Value): Value {
  return make('abs', [x], {});
}
export function exp(x: Value): Value {
  return make('exp', [x], {});
}
/** Natural logarithm. */
export function log(x: Value): Value {
  return make('log', [x], {});
}
export function sqrt(x: Value): Value {
  return make('sqrt', [x], {});
}
export function reciprocal(x: Value): Value {
  return make('reciprocal', [x], {});
}
export function erf(x: Value): Value {
  return make('erf', [x], {});
}
export function tanh(x: Value): Value {
  return make('tanh', [x], {});
}
export function sigmoid(x: Value): Value {
  return make('sigmoid', [x], {});
}
export function sin(x: Value): Value {
  return make('sin', [x], {});
}
export function cos(x: Value): Value {
  return make('cos', [x], {});
}
export function add(a: Value, b: Value): Value {
  return make('add', [a, b], {});
}
export function sub(a: Value, b: Value): Value {
  return make('sub', [a, b], {});
}
export function mul(a: Value, b: Value): Value {
  return make('mul', [a, b], {});
}
export function div(a: Value, b: Value): Value {
  return make('div', [a, b], {});
}
export function maximum(a: Value, b: Value): Value {
  return make('maximum', [a, b], {});
}
export function minimum(a: Value, b: Value): Value {
  return make('minimum', [a, b], {});
}
/** x to a fixed power. */
export function pow(x: Value, exponent: number): Value {
  return make('pow', [x], { exponent });
}
export function equal(a: Value, b: Value): Value {
  return make('equal', [a, b], {});
}
export function less(a: Value, b: Value): Value {
  return make('less', [a, b], {});
}
export function lessEqual(a: Value, b: Value): Value {
  return make('lessEqual', [a, b], {});
}
export function greater(a: Value, b: Value): Value {
  return make('greater', [a, b], {});
}
export function greaterEqual(a: Value, b: Value): Value {
  return make('greaterEqual', [a, b], {});
}
export function and(a: Value, b: Value): Value {
  return make('and', [a, b], {});
}
export function or(a: Value, b: Value): Value {
  return make('or', [a, b], {});
}
export function not(x: Value): Value {
  return make('not', [x], {});
}
export function bitXor(a: Value, b: Value): Value {
  return make('bitXor', [a, b], {});
}
/** `a` where the condition holds, else `b`. */
export function where(condition: Value, a: Value, b: Value): Value {
  return make('where', [condition, a, b], {});
}
/** To float32: true is 1. To int32: toward zero. To bool: not 0. */
export function cast(x: Value, to: DType): Value {
  return x.dtype === to ? x : make('cast', [x], { to });
}
/** x itself, through which no gradient passes. */
export function stopGradient(x: Value): Value {
  return make('stopGradient', [x], {});
}
