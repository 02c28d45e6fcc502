import { QkvError } from './errors.ts';

/**
 * One extent of a shape: a number, or a polynomial with integer coefficients over named symbols, such as `B*T` or
 * `past+T`. Equal polynomials have equal `key`s, so shapes are compared while tracing, whatever the sizes will be.
 */
export type Dim = number | SymbolicDim;
export type Shape = readonly Dim[];

export interface SymbolicDim {
  /** Canonical text, e.g. `4*B*T` or `T+past`. */
  readonly key: string;
  /** Monomial (sorted symbol names joined by `*`; '' is the constant term) to coefficient. */
  readonly terms: ReadonlyMap<string, number>;
}

/** Values of the symbols, e.g. `{ B: 12, T: 64 }`. */
export type Bindings = Readonly<Record<string, number>>;

export function symbol(name: string): SymbolicDim {
  if (!/^[A-Za-z_]\w*$/.test(name)) {
    throw new QkvError('shape', { where: 'symbol', got: JSON.stringify(name), expected: 'a name such as B or past' });
  }
  return { key: name, terms: new Map([[name, 1]]) };
}

function termsOf(dim: Dim): ReadonlyMap<string, number> {
  return typeof dim === 'number' ? new Map([['', dim]]) : dim.terms;
}

function fromTerms(terms: Map<string, number>): Dim {
  for (const [monomial, coefficient] of terms) if (coefficient === 0) terms.delete(monomial);
  if (terms.size === 0) return 0;
  if (terms.size === 1 && terms.has('')) return terms.get('')!;
  const sorted = [...terms].sort(([a], [b]) => (a === '' ? 1 : b === '' ? -1 : a < b ? -1 : 1));
  const text = sorted.map(([monomial, c]) => (monomial === '' ? `${c}` : c === 1 ? monomial : `${c}*${monomial}`));
  return { key: text.join('+'), terms: new Map(sorted) };
}

export function dimAdd(a: Dim, b: Dim): Dim {
  if (typeof a === 'number' && typeof b === 'number') return a + b;
  const terms = new Map(termsOf(a));
  for (const [monomial, c] of termsOf(b)) terms.set(monomial, (terms.get(monomial) ?? 0) + c);
  return fromTerms(terms);
}

export function dimMul(a: Dim, b: Dim): Dim {
  if (typeof a === 'number' && typeof b === 'number') return a * b;
  const terms = new Map<string, number>();
  for (const [m, c] of termsOf(a)) {
    for (const [n, d] of termsOf(b)) {
      const monomial = [...m.split('*'), ...n.split('*')].filter(Boolean).sort().join('*');
      terms.set(monomial, (terms.get(monomial) ?? 0) + c * d);
    }
  }
  return fromTerms(terms);
}

export function dimSub(a: Dim, b: Dim): Dim {
  return dimAdd(a, dimMul(b, -1));
}

/** a / b for a b of one term, a number or a product; undefined where it does not divide every term of a. */
export function dimDivide(a: Dim, b: Dim): Dim | undefined {
  const factorsOf = (monomial: string): string[] => monomial.split('*').filter(Boolean);
  const [divisor, ...others] = termsOf(b);
  if (!divisor || divisor[1] === 0 || others.length > 0) return undefined;
  const terms = new Map<string, number>();
  for (const [monomial, coefficient] of termsOf(a)) {
    if (coefficient === 0) continue;
    const rest = factorsOf(monomial);
    for (const name of factorsOf(divisor[0])) {
      const at = rest.indexOf(name);
      if (at === -1) return undefined;
      rest.splice(at, 1);
    }
    if (coefficient % divisor[1] !== 0) return undefined;
    terms.set(rest.join('*'), coefficient / divisor[1]);
  }
  return fromTerms(terms);
}

export function dimEquals(a: Dim, b: Dim): boolean {
  return typeof a === 'number' || typeof b === 'number' ? a === b : a.key === b.key;
}

export function shapeEquals(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((dim, i) => dimEquals(dim, b[i]!));
}

export function shapeSize(shape: Shape): Dim {
  return shape.reduce<Dim>(dimMul, 1);
}

export function dimText(dim: Dim): string {
  return typeof dim === 'number' ? `${dim}` : dim.key;
}

export function shapeText(shape: Shape): string {
  return `[${shape.map(dimText).join(', ')}]`;
}

export function symbolsOf(shape: Shape): Set<string> {
  const names = new Set<string>();
  for (const dim of shape) {
    if (typeof dim === 'number') continue;
    for (const monomial of dim.terms.keys()) for (const name of monomial.split('*')) if (name) names.add(name);
  }
  return names;
}

/** Puts numbers for the symbols that `bindings` knows; the others stay. */
export function bindDim(dim: Dim, bindings: Bindings): Dim {
  if (typeof dim === 'number') return dim;
  const plain = bindings[dim.key];
  if (plain !== undefined) return plain;
  let sum: Dim = 0;
  for (const [monomial, coefficient] of dim.terms) {
    let product: Dim = coefficient;
    for (const name of monomial.split('*')) if (name) product = dimMul(product, bindings[name] ?? symbol(name));
    sum = dimAdd(sum, product);
  }
  return sum;
}

export function bindShape(shape: Shape, bindings: Bindings): Shape {
  return shape.map((dim) => bindDim(dim, bindings));
}

/** The shape as numbers; a symbol without a value is an error. */
export function concreteShape(shape: Shape, bindings: Bindings, where: string): number[] {
  return shape.map((dim) => {
    const bound = bindDim(dim, bindings);
    if (typeof bound === 'number') return bound;
    throw new QkvError('shape', { where, got: `unbound dimension ${bound.key}`, expected: 'a size for every symbol' });
  });
}

/**
 * Reads symbols from an actual shape: `matchShape([B, T], [12, 64], bindings)` sets B and T, and throws where a literal
 * or an already known symbol differs. Only plain symbols and literals are matched; a compound dim is checked when bound.
 */
export function matchShape(
  shape: Shape,
  actual: readonly number[],
  bindings: Record<string, number>,
  where: string,
): void {
  const mismatch = (): never => {
    throw new QkvError('shape', {
      where,
      got: `[${actual.join(', ')}]`,
      expected: `${shapeText(shape)}${Object.keys(bindings).length > 0 ? ` with ${JSON.stringify(bindings)}` : ''}`,
    });
  };
  if (shape.length !== actual.length) mismatch();
  shape.forEach((dim, axis) => {
    const size = actual[axis]!;
    const bound = bindDim(dim, bindings);
    if (typeof bound === 'number') {
      if (bound !== size) mismatch();
    } else if (bound.terms.size === 1 && bound.terms.get(bound.key) === 1 && !bound.key.includes('*')) {
      bindings[bound.key] = size;
    }
  });
}
