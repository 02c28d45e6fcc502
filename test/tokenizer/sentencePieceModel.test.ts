import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { QkvError } from '../../src/base/errors.ts';
import { parseSentencePieceModel } from '../../src/tokenizer/sentencePieceModel.ts';

it('refuses every beginning of a SentencePiece model in which a message is cut off', () => {
  const model = new URL('../../fixtures/tokenizer/models/t5/spiece.model', import.meta.url);
  const bytes = new Uint8Array(readFileSync(model));
  let whole = 0;
  for (let length = 0; length < bytes.length; length += 13) {
    try {
      parseSentencePieceModel(bytes.subarray(0, length), 'model');
      whole += 1;
    } catch (error) {
      expect(error).toBeInstanceOf(QkvError);
    }
  }
  expect(whole).toBeLessThan(bytes.length / 13 / 4); // those that end with a piece
});
