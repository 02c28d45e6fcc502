import type { Tokenizer } from '../../src/tokenizer/tokenizer.ts';

/** A token as a reader knows it: bytes that are whole characters as these (GPT-2 has ` the` as `Ġthe`), else as it is. */
export function tokenText(tokenizer: Tokenizer, id: number): string {
  const token = tokenizer.idToToken(id);
  if (token === undefined) return `#${id}`;
  const text = tokenizer.decode([id]);
  return token.includes('▁') || text === '' || text.includes('\ufffd') ? token : text;
}
