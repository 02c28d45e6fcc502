import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { maskedLm } from '../../src/objectives/maskedLm.ts';
import { wordStarts } from '../../src/objectives/wordStarts.ts';
import { loadTokenizer, type Tokenizer } from '../../src/tokenizer/tokenizer.ts';
import { trainBpe } from '../../src/tokenizer/trainBpe.ts';
import { chineseLines, keyOf, specialTokens, wordPieceTokenizer } from './sample.ts';

/** Tokens, those of a word joined with +. */
function words(tokenizer: Tokenizer, rule: 'pieces' | 'chinese', text: string): string {
  const { ids, tokens } = tokenizer.encode(text, { addSpecialTokens: false });
  const starts = wordStarts(tokenizer, rule)(ids);
  return tokens.map((token, i) => (i === 0 ? token : `${starts[i] ? ' ' : '+'}${token}`)).join('');
}

const segmenter = new Intl.Segmenter('zh', { granularity: 'word' });
const characters = wordPieceTokenizer(chineseLines.flatMap((line) => Array.from(line)));

describe('word starts', () => {
  it('of WordPiece are the tokens without ##', () => {
    const tokenizer = wordPieceTokenizer(['un', '##believ', '##able', ',', 'don', "'", 't']);
    expect(words(tokenizer, 'pieces', "Unbelievable, don't")).toBe("un+##believ+##able , don ' t");
  });

  it('of byte-level BPE are spaces', () => {
    const tokenizer = loadTokenizer(JSON.parse(readFileSync('fixtures/tokenizer/byte.tokenizer.json', 'utf8')));
    const { ids, tokens } = tokenizer.encode('I have understood,\nnot you', { addSpecialTokens: false });
    const starts = wordStarts(tokenizer, 'pieces')(ids);
    tokens.forEach((token, i) => {
      expect(starts[i], token).toBe(/^[ĠĊ]/.test(token) ? 1 : 0);
    });
    expect(starts.reduce((sum, n) => sum + n)).toBeGreaterThanOrEqual(4);
  });

  it('of SentencePiece are ▁, punctuation and Chinese characters', () => {
    const texts = Array.from({ length: 9 }, () => 'low lower lowest, 我们 new newer');
    const json = trainBpe(texts, { kind: 'word', vocabSize: 30, specialTokens: ['<unk>'], unk: '<unk>' });
    const found = words(loadTokenizer(json), 'pieces', 'lowest, new 我们');
    expect(found.split(' ').map((word) => word.replaceAll(/[+▁]/g, ''))).toEqual(
      expect.arrayContaining(['lowest', ',']),
    );
    expect(found.replaceAll(/[+▁ ]/g, '')).toBe('lowest,new我们');
  });

  it('of Chinese are words over characters', () => {
    expect(words(characters, 'pieces', '他强调了教育。')).toBe('他 强 调 了 教 育 。');
    expect(words(characters, 'chinese', '他强调了教育。')).toBe('他 强+调 了 教+育 。');
  });

  it('of Chinese and English each follow their own rule', () => {
    const mixed = wordPieceTokenizer(['我', '喜', '欢', 'un', '##real', '苹', '果', "'", 's']);
    expect(words(mixed, 'chinese', "我喜欢unreal's苹果")).toBe("我 喜+欢 un+##real ' s 苹+果");
  });

  it('equal those of the segmenter on every Chinese sentence of Tatoeba', () => {
    const find = wordStarts(characters, 'chinese');
    let compared = 0;
    for (const line of chineseLines) {
      // the tokenizer leaves spaces out and takes Latin letters together: compare what is Chinese alone
      if (!/^[\p{Script=Han}，。？！]+$/u.test(line)) continue;
      const { ids, tokens } = characters.encode(line, { addSpecialTokens: false });
      if (tokens.includes('[UNK]')) continue;
      const expected = [...line.matchAll(/\p{Script=Han}+|[，。？！]/gu)].flatMap(([run]) =>
        [...segmenter.segment(run)].flatMap(({ segment }) => Array.from(segment, (_, i) => (i === 0 ? 1 : 0))),
      );
      expect(Array.from(find(ids)), line).toEqual(expected);
      compared++;
    }
    expect(compared).toBeGreaterThan(2000);
  });

  it('of byte-level BPE in Chinese: none inside a character', () => {
    const tokenizer = loadTokenizer(trainBpe(['苹果'], { kind: 'byte', vocabSize: 256 }));
    const { ids } = tokenizer.encode('我吃苹果', { addSpecialTokens: false });
    const find = wordStarts(tokenizer, 'chinese');
    expect(find(ids).join('')).toBe('100100100000');
    // what follows is another word, though no space says so
    expect(find(tokenizer.encode('苹果!', { addSpecialTokens: false }).ids).join('')).toBe('1000001');
    // cut in the middle of a character
    expect(find(ids.slice(1)).join('')).toBe('00100100000');
  });

  it('are masked together: no word of real Chinese text is half masked', () => {
    const find = wordStarts(characters, 'chinese');
    const special = new Set(specialTokens.map((token) => characters.tokenToId(token)!));
    const options = { vocabSize: characters.vocabSize, maskId: characters.tokenToId('[MASK]')!, specialIds: special };
    const share = { chosen: 0, tokens: 0, halves: 0 };
    for (let i = 0; i < 1500; i += 10) {
      const { ids } = characters.encode(chineseLines.slice(i, i + 10).join(''));
      const starts = find(ids);
      const { labels } = maskedLm(ids, { ...options, wordStarts: find }, keyOf('zh', i));
      for (let t = 0; t < ids.length; t++) {
        share.tokens++;
        if (labels[t] !== -100) share.chosen++;
        if (starts[t] === 1 || special.has(ids[t]!)) continue;
        if ((labels[t] === -100) !== (labels[t - 1] === -100)) share.halves++;
      }
    }
    expect(share.halves).toBe(0);
    // a last token that is wanted may find no word of one token, which is rare
    expect(Math.abs(share.chosen / share.tokens - 0.15)).toBeLessThan(0.002);
  });

  it('need a vocabulary with marks, and a rule', () => {
    const letters = loadTokenizer(trainBpe(['ab'], { kind: 'char' }));
    expect(() => wordStarts(letters, 'pieces')).toThrow('does not mark where words begin');
    expect(() => wordStarts(characters, 'words' as 'pieces')).toThrow('pieces or chinese');
  });
});
