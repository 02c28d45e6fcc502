import { QkvError } from '../base/errors.ts';

/** Sentences of a text in their order, as token ids without special tokens; none is empty. */
export type Sentences = readonly ArrayLike<number>[];

/** @throws QkvError `data` for a document without sentences and for an empty sentence */
export function requireSentences(document: Sentences, where: string): void {
  const empty = document.findIndex((sentence) => sentence.length === 0);
  if (document.length > 0 && empty < 0) return;
  throw new QkvError('data', {
    where,
    got: document.length === 0 ? 'no sentences' : `sentence ${empty} without tokens`,
    expected: 'sentences of at least a token each',
    hint: 'Leave out what the tokenizer gives nothing for',
  });
}
