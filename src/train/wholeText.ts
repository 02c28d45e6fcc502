import { QkvError } from '../base/errors.ts';
import { Corpus } from '../data/corpus.ts';
import { memoryTokens, type TokenStore, type TokenWriter } from '../data/tokenStore.ts';
import { Fingerprint } from './fingerprint.ts';

/** Tokens as running text, or as the sentences of documents. */
export type TextUnit = 'text' | 'sentences';
export type Encode = (text: string) => readonly number[];

/** The corpus of one text, in memory. `where`: its name, for errors. @throws QkvError `data` for a text without tokens */
export async function wholeText(
  text: string,
  {
    seed,
    unit,
    encode,
    where,
  }: { readonly seed: number; readonly unit: TextUnit; readonly encode: Encode; readonly where: string },
): Promise<Corpus> {
  const write = (writer: TokenWriter): void => writeText(writer, text, unit, encode);
  const store = await memoryTokens(write, (ids) => new Fingerprint().add(ids).text);
  return new Corpus(requireTokens(store, where), { seed });
}

/** A text as one document, or, of sentences, a line each, as documents with blank lines between them. */
function writeText(writer: TokenWriter, text: string, unit: TextUnit, encode: Encode): void {
  for (const part of unit === 'text' ? [text] : text.split('\n')) {
    if (part.trim() === '' && unit === 'sentences') writer.endDocument();
    else writer.sentence(encode(unit === 'text' ? part : part.trim()));
  }
  writer.endSource();
}

/** @throws QkvError `data` for a store without tokens; `where`: what it is made of */
export function requireTokens(store: TokenStore, where: string): TokenStore {
  if (store.tokens > 0) return store;
  throw new QkvError('data', { where, got: 'no tokens', expected: 'text' });
}
