import { describe, expect, it } from 'vitest';
import { characters, columnsOf, cutColumns, fitColumns } from '../../src/draw/columns.ts';

describe('terminal columns', () => {
  it.each([
    ['abc', 3],
    ['我們', 4],
    ['，。「」', 8],
    ['Ａ１', 4],
    ['ｱ', 1],
    ['한국', 4],
    ['e\u0301', 1],
    ['👩‍👩‍👧', 2],
    ['▁the', 4],
    ['\u200b', 0],
    ['𠀀', 2],
  ])('%s takes %i', (text, columns) => {
    expect(columnsOf(text)).toBe(columns);
  });

  it('cuts and pads to a width, also where a wide character straddles it', () => {
    expect(fitColumns('我們知道', 6, 'right')).toBe(' 我們…');
    expect(fitColumns('ab', 4, 'left')).toBe('ab  ');
    expect(cutColumns('我們知道', 8)).toBe('我們知道');
    expect(columnsOf(fitColumns('國際化internationalization', 9, 'left'))).toBe(9);
  });

  it('keeps marks and joined emoji with their base', () => {
    expect(characters('e\u0301x👩‍👩‍👧')).toEqual(['e\u0301', 'x', '👩‍👩‍👧']);
  });
});
