import type { ComponentChildren, JSX } from 'preact';
import type { HeadSteps, Place } from '../../worker/contract.ts';
import { formatNumber, formatShort } from '../numbers/formatNumber.ts';
import { ownIndex, type StageName, streamSign } from './stages.ts';

/** What the formula of a stage depends on. */
export interface FormulaFacts {
  readonly kind: Place['kind'];
  readonly headSize: number;
  readonly scale: number;
  readonly heads: number;
  readonly head: number;
  /** Of the attention among the sublayers of its layer, and their number. */
  readonly own: number;
  readonly sublayers: number;
  readonly norm: HeadSteps['norm'];
  readonly temperature: number;
}

export function formulaFacts(steps: HeadSteps, temperature: number): FormulaFacts {
  const { place, headSize, scale, head, norm } = steps;
  return {
    kind: place.kind,
    headSize,
    scale,
    heads: place.heads,
    head,
    own: ownIndex(steps),
    sublayers: steps.sublayers.length,
    norm,
    temperature,
  };
}

/** The formula of a stage as MathML, which a screen reader reads as mathematics. */
export function Formula({ stage, facts }: { readonly stage: StageName; readonly facts: FormulaFacts }): JSX.Element {
  return (
    <math class="formula" display="block">
      {formulas[stage](facts)}
    </math>
  );
}

type Part = ComponentChildren;

/** A vector or matrix: upright and bold. */
const v = (name: string): Part => (
  <mi mathvariant="normal" class="vector">
    {name}
  </mi>
);
const i = (name: string): Part => <mi>{name}</mi>;
const n = (x: number | string): Part => <mn>{typeof x === 'number' ? formatNumber(x) : x}</mn>;
const o = (sign: string): Part => <mo>{sign}</mo>;
const sub = (base: Part, index: Part): Part => (
  <msub>
    <mrow>{base}</mrow>
    <mrow>{index}</mrow>
  </msub>
);
const sup = (base: Part, index: Part): Part => (
  <msup>
    <mrow>{base}</mrow>
    <mrow>{index}</mrow>
  </msup>
);
const name = (text: string): Part => <mi mathvariant="normal">{text}</mi>;
const call = (f: Part, ...of: Part[]): Part => (
  <>
    {f}
    <mo>(</mo>
    {of}
    <mo>)</mo>
  </>
);
const over = (a: Part, b: Part): Part => (
  <mfrac>
    <mrow>{a}</mrow>
    <mrow>{b}</mrow>
  </mfrac>
);
const total = (index: string, of: Part): Part => (
  <>
    <munder>
      <mo>∑</mo>
      <mi>{index}</mi>
    </munder>
    {of}
  </>
);
const times = o('\u2062');
const W = (of: string): Part => sup(v('W'), i(of));
/** The stream before a sublayer, by its index. */
const stream = (index: number): Part => v(streamSign(index));
const norm = (of: Part): Part => call(name('Norm'), of);
const read = (facts: FormulaFacts, of: Part): Part => (facts.norm.placement === 'pre' ? norm(of) : of);

/** 1/√d_k or another factor, as it multiplies q·k. */
function scaling({ headSize, scale }: FormulaFacts): Part {
  const root = <msqrt>{sub(i('d'), i('k'))}</msqrt>;
  const factor = scale * Math.sqrt(headSize);
  const product = (
    <>
      {v('q')}
      {o('·')}
      {sub(v('k'), i('j'))}
    </>
  );
  if (Math.abs(factor - 1) < 1e-5) {
    return (
      <>
        {over(product, root)}
        {o('=')}
        {over(product, <msqrt>{n(String(headSize))}</msqrt>)}
      </>
    );
  }
  return (
    <>
      {n(scale === 1 ? '1' : scale)}
      {o('×')}
      {product}
    </>
  );
}

/** The stream after a sublayer that adds `out`. */
function after(facts: FormulaFacts, index: number, out: Part): Part {
  const added = [stream(index), o('+'), out];
  return [stream(index + 1), o('='), facts.norm.placement === 'pre' ? added : norm(added)];
}

const formulas: Readonly<Record<StageName, (facts: FormulaFacts) => Part>> = {
  selfFirst: (facts) => after(facts, 0, v('u')),
  query: (facts) => [v('q'), o('='), read(facts, stream(facts.own)), times, W('Q')],
  keys: (facts) => [
    sub(v('k'), i('j')),
    o('='),
    facts.kind === 'cross' ? sub(v('h'), i('j')) : read(facts, sub(stream(facts.own), i('j'))),
    times,
    W('K'),
  ],
  products: () => [
    v('q'),
    o('·'),
    sub(v('k'), i('j')),
    o('='),
    total('i', [sub(i('q'), i('i')), times, sub(i('k'), [i('j'), i('i')])]),
  ],
  scaled: (facts) => [sub(i('s'), i('j')), o('='), scaling(facts)],
  masked: () => [
    sub(i('m'), i('j')),
    o('='),
    sub(i('s'), i('j')),
    o('+'),
    sub(i('M'), i('j')),
    o(','),
    <mspace width="0.8em" />,
    sub(i('M'), i('j')),
    o('∈'),
    o('{'),
    n('0'),
    o(','),
    o('−'),
    i('∞'),
    o('}'),
  ],
  softmax: () => [
    sub(i('a'), i('j')),
    o('='),
    over(sup(i('e'), sub(i('m'), i('j'))), total('l', sup(i('e'), sub(i('m'), i('l'))))),
  ],
  context: () => [v('z'), o('='), total('j', [sub(i('a'), i('j')), times, sub(v('v'), i('j'))])],
  concat: ({ heads }) => [
    v('z'),
    o('='),
    o('['),
    sub(v('z'), n('0')),
    ...(heads > 2 ? [o(';'), o('…')] : []),
    ...(heads > 1 ? [o(';'), sub(v('z'), n(String(heads - 1)))] : []),
    o(']'),
  ],
  out: () => [v('o'), o('='), v('z'), times, W('O')],
  residual: (facts) => {
    const added = [stream(facts.own), o('+'), v('o')];
    return [facts.norm.placement === 'pre' ? stream(facts.own + 1) : v('y'), o('='), added];
  },
  crossNext: (facts) => after(facts, 1, v('u')),
  norm: (facts) => [
    ...(facts.norm.placement === 'pre' ? [] : [stream(facts.own + 1), o('=')]),
    norm(v('y')),
    o('='),
    ...(facts.norm.kind === 'rms'
      ? [over(v('y'), name('rms')), o('⊙'), v('γ')]
      : [over([v('y'), o('−'), i('μ')], i('σ')), o('⊙'), v('γ'), o('+'), v('β')]),
  ],
  mlp: (facts) => [v('f'), o('='), call(name('MLP'), read(facts, stream(facts.sublayers - 1)))],
  post: (facts) => after(facts, facts.sublayers - 1, v('f')),
  logits: ({ temperature }) => {
    const power = (index: string): Part =>
      sup(i('e'), temperature === 1 ? sub(i('ℓ'), i(index)) : [sub(i('ℓ'), i(index)), o('/'), i('τ')]);
    return [
      sub(i('p'), i('w')),
      o('='),
      over(power('w'), total('u', power('u'))),
      ...(temperature === 1 ? [] : [o(','), <mspace width="0.8em" />, i('τ'), o('='), n(formatShort(temperature))]),
    ];
  },
};
