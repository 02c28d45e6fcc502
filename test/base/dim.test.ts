import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bindDim,
  concreteShape,
  type Dim,
  dimAdd,
  dimDivide,
  dimEquals,
  dimMul,
  dimSub,
  dimText,
  matchShape,
  shapeEquals,
  shapeSize,
  shapeText,
  symbol,
  symbolsOf,
} from '../../src/base/dim.ts';

const [B, T, past] = ['B', 'T', 'past'].map(symbol) as [Dim, Dim, Dim];

/** Polynomials of small degree in three symbols. */
const polynomial: fc.Arbitrary<Dim> = fc.letrec<{ dim: Dim; leaf: Dim }>((tie) => ({
  leaf: fc.oneof(fc.integer({ min: -3, max: 5 }), fc.constantFrom(B, T, past)),
  dim: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    tie('leaf'),
    fc.tuple(tie('dim'), tie('dim')).map(([a, b]) => dimAdd(a, b)),
    fc.tuple(tie('dim'), tie('dim')).map(([a, b]) => dimMul(a, b)),
    fc.tuple(tie('dim'), tie('dim')).map(([a, b]) => dimSub(a, b)),
  ),
})).dim;
const sizes = fc.record({
  B: fc.integer({ min: 0, max: 9 }),
  T: fc.integer({ min: 0, max: 9 }),
  past: fc.integer({ min: 0, max: 9 }),
});

describe('dims', () => {
  it('print in one canonical order', () => {
    expect(dimText(dimMul(dimMul(T, 4), B))).toBe('4*B*T');
    expect(dimText(dimAdd(T, past))).toBe('T+past');
    expect(dimText(dimAdd(dimAdd(past, 1), T))).toBe('T+past+1');
    expect(shapeText([B, dimMul(T, T), 3])).toBe('[B, T*T, 3]');
  });

  it('become numbers when the symbols cancel', () => {
    expect(dimSub(dimAdd(T, 2), T)).toBe(2);
    expect(dimMul(B, 0)).toBe(0);
    expect(dimEquals(dimSub(dimAdd(T, past), past), T)).toBe(true);
  });

  it('are divided by what they are a product of, and by nothing else', () => {
    fc.assert(
      fc.property(polynomial, fc.integer({ min: 1, max: 5 }), fc.subarray([B, T, past]), (a, factor, names) => {
        const product = names.reduce<Dim>(dimMul, factor);
        expect(dimEquals(dimDivide(dimMul(a, product), product)!, a)).toBe(true);
      }),
    );
    expect(dimDivide(dimMul(B, T), past)).toBeUndefined();
    expect(dimDivide(dimMul(3, B), 2)).toBeUndefined();
    expect(dimDivide(dimAdd(B, 1), B)).toBeUndefined();
    expect(dimDivide(dimMul(T, dimAdd(B, 1)), dimAdd(B, 1))).toBeUndefined();
    expect(dimDivide(B, 0)).toBeUndefined();
  });

  it('tell different polynomials apart', () => {
    expect(dimEquals(dimMul(B, T), dimAdd(B, T))).toBe(false);
    expect(dimEquals(B, 1)).toBe(false);
    expect(shapeEquals([B, T], [T, B])).toBe(false);
    expect(shapeEquals([B], [B, 1])).toBe(false);
  });

  it('compute like the numbers they stand for', () => {
    fc.assert(
      fc.property(polynomial, polynomial, sizes, (a, b, bindings) => {
        const sizeAt = (dim: Dim): number => (bindDim(dim, bindings) as number) + 0; // −0 is 0
        expect(sizeAt(dimAdd(a, b))).toBe(sizeAt(a) + sizeAt(b));
        expect(sizeAt(dimSub(a, b))).toBe(sizeAt(a) - sizeAt(b));
        expect(sizeAt(dimMul(a, b))).toBe(sizeAt(a) * sizeAt(b) + 0);
      }),
    );
  });

  it('are equal however they are written', () => {
    fc.assert(
      fc.property(polynomial, polynomial, polynomial, (a, b, c) => {
        expect(dimEquals(dimMul(a, dimAdd(b, c)), dimAdd(dimMul(c, a), dimMul(b, a)))).toBe(true);
        expect(dimEquals(dimSub(dimAdd(a, b), b), a)).toBe(true);
      }),
    );
  });

  it('may be bound one symbol after the other', () => {
    fc.assert(
      fc.property(polynomial, sizes, (dim, bindings) => {
        const stepwise = bindDim(bindDim(bindDim(dim, { past: bindings.past }), { B: bindings.B }), { T: bindings.T });
        expect(dimEquals(stepwise, bindDim(dim, bindings))).toBe(true);
        expect(typeof stepwise).toBe('number');
      }),
    );
  });

  it('name the symbols they are made of', () => {
    expect(symbolsOf([dimAdd(dimMul(B, T), 1), 4, past])).toEqual(new Set(['B', 'T', 'past']));
    expect(dimText(shapeSize([B, T, 4]))).toBe('4*B*T');
  });

  it.each(['', '1', 'a b', 'a*b', '2T', 'T+1'])('refuse the symbol name %j', (name) => {
    expect(() => symbol(name)).toThrow(/expected a name such as/);
  });
});

describe('shapes', () => {
  it('give sizes to symbols and check what is known', () => {
    const bindings: Record<string, number> = {};
    matchShape([B, T, 8], [2, 5, 8], bindings, 'x');
    expect(bindings).toEqual({ B: 2, T: 5 });
    matchShape([dimMul(B, T)], [10], bindings, 'flat');
    expect(() => matchShape([dimMul(B, T)], [11], bindings, 'flat')).toThrow(
      'flat: got [11], expected [B*T] with {"B":2,"T":5}',
    );
    expect(() => matchShape([T, T], [5, 6], bindings, 'square')).toThrow(/square: got \[5, 6\]/);
    expect(() => matchShape([B], [2, 1], bindings, 'rank')).toThrow(/rank/);
  });

  it('become concrete only when every symbol is known', () => {
    expect(concreteShape([dimAdd(T, past), 3], { T: 2, past: 5 }, 'x')).toEqual([7, 3]);
    expect(() => concreteShape([B, dimAdd(T, past)], { B: 1, T: 2 }, 'cache')).toThrow(
      'cache: got unbound dimension past+2',
    );
  });
});
