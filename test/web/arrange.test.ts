import { describe, expect, it } from 'vitest';
import { csv } from '../../apps/web/src/export/csv.ts';
import { editsCodec } from '../../apps/web/src/state/editsCodec.ts';
import { arrange, arrangeWeights } from '../../apps/web/src/views/attention/arrange.ts';
import type { Edits, Token } from '../../apps/web/src/worker/contract.ts';

const token = (text: string, word: number): Token => ({ id: 0, text, word, isSpecial: word < 0 });
const tokens = [token('[CLS]', -1), token('un', 0), token('kind', 0), token(' man', 1), token('[SEP]', -1)];

describe('arrange', () => {
  it('keeps every token apart, in its order', () => {
    const pieces = arrange(tokens, { words: false, specials: true });
    expect(pieces.map((piece) => piece.positions)).toEqual([[0], [1], [2], [3], [4]]);
  });

  it('makes one of the pieces of a word, and none of two special tokens beside each other', () => {
    const pieces = arrange([...tokens, token('[SEP]', -1)], { words: true, specials: true });
    expect(pieces.map((piece) => piece.text)).toEqual(['[CLS]', 'unkind', 'man', '[SEP]', '[SEP]']);
    expect(pieces[1]!.positions).toEqual([1, 2]);
  });

  it('sums what the pieces of a word get and takes the mean of how they look', () => {
    const weights = Float32Array.from([9, 9, 0.2, 0.3, 0.5, 0, 0.4, 0.6]); // the first two belong to another head
    const pair = [token('un', 0), token('kind', 0)];
    const [queries, keys] = [
      arrange(pair, { words: true, specials: true }),
      arrange(tokens.slice(1, 4), { words: true, specials: true }),
    ];
    const arranged = arrangeWeights(weights, 2, [2, 3], queries, keys);
    expect([...arranged].map((weight) => Number(weight.toFixed(6)))).toEqual([
      (0.2 + 0.3 + 0 + 0.4) / 2,
      (0.5 + 0.6) / 2,
    ]);
  });

  it('leaves special tokens out without making their weight good', () => {
    const pieces = arrange(tokens, { words: false, specials: false });
    const weights = new Float32Array(25).fill(0.2);
    const arranged = arrangeWeights(weights, 0, [5, 5], pieces, pieces);
    expect(arranged.length).toBe(9);
    expect(arranged[0]).toBeCloseTo(0.2, 6);
  });
});

describe('editsCodec', () => {
  const edits: Edits = {
    heads: [{ path: 'decoder.layers.1.crossAttention', head: 2, how: 'mean' }],
    hidden: [
      { side: 'source', position: 0 },
      { side: 'target', position: 12 },
    ],
    mlps: ['layers.3'],
    scoreFactor: 0.5,
    causalMask: false,
    positions: false,
  };

  it('reads what it writes', () => {
    expect(editsCodec.parse(editsCodec.format(edits))).toEqual(edits);
    expect(editsCodec.parse(editsCodec.format({}))).toEqual({});
  });

  it('leaves out what is no edit', () => {
    expect(editsCodec.parse('heads=<script>:1:zero,a:-1:zero,a:1:wrong;hidden=x3,t-1;score=-2;causal=1;what')).toEqual(
      {},
    );
  });
});

describe('csv', () => {
  it('quotes what would break a line or a field', () => {
    expect(csv([['a,b', '"', '\n', 0.5]])).toBe('\ufeff"a,b","""","\n",0.5\r\n');
  });
});
