import { QkvError } from '../base/errors.ts';
import { encodeUtf8 } from '../checkpoint/utf8.ts';
import { bitsPerByte, perplexity, stridedWindows } from '../eval/perplexity.ts';
import { causalIds, causalLosses, causalOf } from './causalLosses.ts';
import type { EvaluationKind } from './evaluation.ts';

/**
 * How well a model predicts texts. One longer than `length` tokens is read in windows, each `stride` tokens further than the one
 * before it, and every token counts once: see `stridedWindows`.
 */
export const languageModel: EvaluationKind = {
  models: ['causal'],
  metricsOf: () => ['loss', 'perplexity', 'bits-per-byte'],
  roles: { text: 'text' },
  options: { length: [], stride: [] },
  async evaluate(subject, examples, { length = subject.model.maxLength, stride = length, running }) {
    const { model, tokenizer } = subject;
    if (length > model.maxLength) {
      const expected = `at most ${model.maxLength}, the positions of the model`;
      throw new QkvError('usage', { where: 'length', got: String(length), expected });
    }
    const { bosId } = causalOf(model);
    const documents = examples.map((example) => {
      const text = example.text('text');
      const ids = causalIds(subject, text);
      if (ids.length < 2) throw example.wrong('text', text, `a text of ${bosId === null ? 2 : 1} tokens or more`);
      // without a token that begins texts nothing predicts the first token, whose bytes then do not count
      const untold = bosId === null ? firstTokenEnd(text, tokenizer) : 0;
      return { ids, bytes: encodeUtf8(text.slice(untold)).length };
    });
    const windows = documents.flatMap(({ ids }, document) =>
      stridedWindows(ids.length, { maxLength: length, stride }).map((window) => ({ ids, document, ...window })),
    );
    const losses = await causalLosses(subject, windows, running);
    const ofDocument: number[][] = documents.map(() => []);
    for (const [i, { document, start, firstTarget }] of windows.entries()) {
      for (const loss of losses[i]!.subarray(firstTarget - start - 1)) ofDocument[document]!.push(loss);
    }
    const all = ofDocument.flat();
    const bytes = documents.reduce((sum, document) => sum + document.bytes, 0);
    const facts = { tokens: all.length };
    const whole = perplexity(all);
    return {
      metrics: {
        loss: { score: Math.log(whole), ...facts },
        perplexity: { score: whole, ...facts },
        'bits-per-byte': { score: bytes === 0 ? Number.NaN : bitsPerByte(all, bytes), bytes, ...facts },
      },
      predictions: ofDocument.map((some, i) => ({
        tokens: some.length,
        bytes: documents[i]!.bytes,
        loss: Math.log(perplexity(some)),
      })),
      settings: { length, stride, begins: bosId === null ? null : (tokenizer.idToToken(bosId) ?? bosId) },
    };
  },
};

/** Where the first token of a text ends; its first thousand characters say that. */
function firstTokenEnd(
  text: string,
  {
    encodeWithOffsets,
  }: { encodeWithOffsets(text: string, options: object): { offsets: readonly (readonly number[])[] } },
): number {
  return encodeWithOffsets(text.slice(0, 1000), { addSpecialTokens: false }).offsets[0]?.[1] ?? 0;
}
