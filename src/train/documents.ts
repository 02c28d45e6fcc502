import { QkvError } from '../base/errors.ts';
import type { Sentences } from '../objectives/sentences.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';

/** Documents of sentences: lines, with blank lines between documents. @throws QkvError `data` where there is none */
export function documentsOf(text: string, tokenizer: Tokenizer, part: string): Sentences[] {
  const documents: Int32Array[][] = [[]];
  for (const line of text.split('\n')) {
    const { ids } = tokenizer.encode(line.trim(), { addSpecialTokens: false });
    if (line.trim() === '') documents.push([]);
    else if (ids.length > 0) documents.at(-1)!.push(Int32Array.from(ids));
  }
  const found = documents.filter(({ length }) => length > 0);
  if (found.length > 0) return found;
  throw new QkvError('data', { where: `${part} text`, got: 'no tokens', expected: 'a sentence a line' });
}
