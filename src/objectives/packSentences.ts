import { QkvError } from '../base/errors.ts';
import { requireAtLeast, requireKnown } from './requireOptions.ts';
import { requireSentences, type Sentences } from './sentences.ts';

export interface PackSentencesOptions {
  /**
   * `full-sentences`: on into the next document, with one more separator between the two. `doc-sentences`: a document's end
   * ends a sequence, which may be short; a batch then takes more of them.
   */
  readonly packing: 'full-sentences' | 'doc-sentences';
  /** Tokens of a sequence at most, `<s>` and `</s>` included; from 3. */
  readonly maxLength: number;
  /** `<s>`, BERT's [CLS]. */
  readonly startId: number;
  /** `</s>`, BERT's [SEP]. */
  readonly separatorId: number;
}

/**
 * RoBERTa's inputs without next-sentence prediction (Liu et al. 2019 §4.2, arXiv:1907.11692): `<s> sentences </s>`, as many
 * whole sentences as fit, in their order. A sentence that fits into no sequence is cut into several that are full.
 * Nothing is random: give the documents in the order of the epoch.
 *
 * @throws QkvError `usage` for options that are unknown or impossible, `data` for an empty document
 */
export function* packSentences(documents: Iterable<Sentences>, options: PackSentencesOptions): Generator<Int32Array> {
  const { packing, maxLength, startId, separatorId } = options;
  requireKnown('packSentences', options, ['packing', 'maxLength', 'startId', 'separatorId']);
  if (packing !== 'full-sentences' && packing !== 'doc-sentences') {
    const expected = 'full-sentences or doc-sentences';
    throw new QkvError('usage', { where: 'packSentences: packing', got: String(packing), expected });
  }
  requireAtLeast('packSentences: maxLength', maxLength, 3);
  const room = maxLength - 2;
  const wrap = (content: readonly number[]): Int32Array => Int32Array.of(startId, ...content, separatorId);
  let content: number[] = [];
  let index = 0;
  for (const document of documents) {
    requireSentences(document, `document ${index++}`);
    let separator = content.length > 0 ? [separatorId] : [];
    for (const sentence of document) {
      for (let start = 0; start < sentence.length; start += room) {
        const piece = Array.from(sentence).slice(start, start + room);
        if (content.length + separator.length + piece.length > room) {
          yield wrap(content);
          content = [];
          separator = [];
        }
        content.push(...separator, ...piece);
        separator = [];
      }
    }
    if (packing === 'doc-sentences') {
      yield wrap(content);
      content = [];
    }
  }
  if (content.length > 0) yield wrap(content);
}
