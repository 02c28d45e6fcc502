import { describe, expect, it } from 'vitest';
import { gpt2Pattern, metaspace, wordPattern } from '../../src/tokenizer/preTokenPatterns.ts';
import { expected, lines } from './fixtures.ts';

describe('the patterns of pieces', () => {
  it("cut as Python's byte-level pre-tokenizer", () => {
    expect(lines.map((line) => line.match(gpt2Pattern) ?? [])).toEqual(expected.byte.pieces);
  });

  it('cut as the expression that tokenizer.json holds does in Python', () => {
    const cut = (line: string): string[] => {
      const spaced = line.replaceAll(' ', metaspace);
      return (spaced.startsWith(metaspace) ? spaced : metaspace + spaced).match(wordPattern) ?? [];
    };
    const filled = lines.map((line, i) => [line, expected.word.pieces[i]!] as const).filter(([line]) => line !== '');
    expect(filled.map(([line]) => cut(line))).toEqual(filled.map(([, pieces]) => pieces));
  });
});
