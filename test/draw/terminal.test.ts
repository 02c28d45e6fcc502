import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { QkvError } from '../../src/base/errors.ts';
import { columnsOf } from '../../src/draw/columns.ts';
import { drawTerminal } from '../../src/draw/terminal.ts';
import { luminance, risingMap } from './maps.ts';

const RESET = '\x1b[0m';

describe('one map in a terminal', () => {
  it('shades by weight, tokens on both axes, Chinese two columns wide', () => {
    const map = risingMap(2, 3, {
      title: '我謝謝你',
      kind: 'cross',
      queryTokens: ['我', '謝謝'],
      keyTokens: ['I', 'am', '你'],
      weights: Float32Array.of(0, 0.5, 0.5, 0, 0.25, 0.75),
    });
    expect(drawTerminal(map).split('\n')).toEqual([
      '我謝謝你',
      'cross · layer 0 · head 0',
      '',
      '       a',
      '     I m 你',
      '  我   ▓▓▓▓',
      '謝謝   ░░██',
      '',
      'weight 0   ░░▒▒▓▓██ 0.75',
      'rows: decoder (query), columns: encoder (key)',
      '',
    ]);
  });

  it('darkens along a row whose weights rise, in 24 bits', () => {
    const row = drawTerminal(risingMap(1, 8), { colour: 'truecolor' })
      .split('\n')
      .find((line) => line.startsWith('q0'))!;
    const light = [...row.matchAll(/48;2;(\d+);(\d+);(\d+)m {2}/g)].map((m) => luminance(m.slice(1).map(Number)));
    expect(light).toHaveLength(8);
    for (const [i, value] of light.slice(1).entries()) expect(value).toBeLessThan(light[i]!);
    expect(row.endsWith(RESET)).toBe(true);
  });

  it.each(['none', 'ansi256', 'truecolor'] as const)(
    'fits the width in %s, in bands that show each key once',
    (colour) => {
      const keyTokens = Array.from({ length: 60 }, (_, s) => (s % 2 === 0 ? '國際化' : `t${s}`));
      const map = risingMap(5, 60, {
        keyTokens,
        queryTokens: ['短', 'a'.repeat(40), 'b', '很長很長很長很長很長很長', 'c'],
      });
      for (const width of [30, 80]) {
        const lines = stripVTControlCharacters(drawTerminal(map, { width, colour })).split('\n');
        for (const line of lines) expect(columnsOf(line)).toBeLessThanOrEqual(width);
        expect(lines.join('').match(/際/g)).toHaveLength(30);
        const bands = lines.filter((line) => /^keys \d+ to \d+ of 60$/.test(line));
        expect(bands.at(-1)).toMatch(/to 60 of 60$/);
        expect(bands.length).toBe(width === 80 ? 2 : 7);
      }
    },
  );

  it('lets no token or title steer the terminal', () => {
    const text = drawTerminal(
      risingMap(1, 2, { title: 'x\x1b[2J', keyTokens: ['\x1b]0;t\x07', '\n'], queryTokens: ['\u202e'] }),
    );
    for (const c of ['\x1b', '\x07', '\u202e']) expect(text).not.toContain(c);
    expect(text.split('\n')[0]).toBe('x\\x1b[2J');
  });

  it('refuses what it cannot draw', () => {
    const nan = risingMap(1, 2, { weights: Float32Array.of(0, Number.NaN) });
    expect(() => drawTerminal(nan)).toThrow(/query 0, key 1.*NaN/);
    expect(() => drawTerminal(risingMap(1, 2, { weights: Float32Array.of(3, -1) }))).toThrow(QkvError);
    expect(() => drawTerminal(risingMap(2, 2, { keyTokens: ['a'] }))).toThrow(/got 4 weights, expected 2 × 1 = 2/);
    expect(() => drawTerminal(risingMap(1, 2), { width: 10 })).toThrow(/width/);
    expect(() => drawTerminal(risingMap(1, 2), { color: 'none' } as object)).toThrow(/option "color"/);
    expect(() => drawTerminal([])).toThrow(/none/);
  });
});

describe('several maps in a terminal', () => {
  const maps = [0, 1].flatMap((layer) => [0, 1, 2].map((head) => risingMap(4, 6, { layer, head })));

  it('draws layer by layer, heads side by side', () => {
    const lines = drawTerminal(maps).split('\n');
    expect(lines.filter((line) => line.startsWith('encoder · layer'))).toEqual([
      'encoder · layer 0',
      'encoder · layer 1',
    ]);
    expect(lines).toContain('head 0        head 1        head 2');
    expect(lines).toContain('  ░░▒▒▒▒▓▓██    ░░▒▒▒▒▓▓██    ░░▒▒▒▒▓▓██');
  });

  it('puts two rows in one line of half blocks, and the odd last row alone', () => {
    const lines = drawTerminal([risingMap(3, 2), risingMap(3, 2, { head: 1 })], { colour: 'truecolor' }).split('\n');
    const cells = lines.filter((line) => line.includes('▀'));
    expect(cells).toHaveLength(2);
    expect(cells[0]).toMatch(/38;2;[\d;]+;48;2;/);
    expect(cells[1]).not.toContain('48;2');
  });

  it.each(['none', 'ansi256'] as const)('fits a narrow terminal in %s', (colour) => {
    const wide = [0, 1].map((head) => risingMap(30, 30, { head }));
    const lines = stripVTControlCharacters(drawTerminal(wide, { width: 30, colour })).split('\n');
    const note = lines.findIndex((line) => line.startsWith('longer maps'));
    for (const line of lines.slice(0, note)) expect(columnsOf(line)).toBeLessThanOrEqual(30);
  });

  it('averages long maps down and says so', () => {
    const uniform = risingMap(50, 50, { weights: new Float32Array(2500).fill(0.02) });
    const text = drawTerminal([uniform, { ...uniform, head: 1 }], { width: 60 });
    expect(text).toContain('longer maps are averaged down to 12 × 12 cells');
    expect(text.match(/█{24}/g)).toHaveLength(24);
    expect(text).toContain('██ 0.020');
  });
});
