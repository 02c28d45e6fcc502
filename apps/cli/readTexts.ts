import { QkvError } from '../../src/base/errors.ts';
import type { RunningModel } from './openRunning.ts';

/** Ids of what is looked at: a source and its target, given or the model's own, or a prompt. */
export async function readTexts(
  { session, tokenizer, defaults }: RunningModel,
  text: string,
  given: string | undefined,
  where = 'TEXT',
): Promise<{ sourceIds: readonly number[] | null; targetIds: readonly number[]; target?: string }> {
  const { model } = session;
  const ids = tokenizer.encode(text).ids;
  if (ids.length === 0) throw new QkvError('usage', { where, got: 'no tokens', expected: 'a text' });
  if (ids.length > model.maxLength) {
    const expected = `at most ${model.maxLength}, the positions of the model`;
    throw new QkvError('usage', { where, got: `${ids.length} tokens`, expected });
  }
  if (model.kind === 'causal') {
    if (given === undefined) return { sourceIds: null, targetIds: ids };
    throw new QkvError('usage', {
      where: '--target',
      got: `a ${model.family} model, which continues a text`,
      expected: 'an encoder-decoder model',
    });
  }
  if (given !== undefined) return { sourceIds: ids, targetIds: tokenizer.encode(given).ids, target: given };
  const [{ generate }, { forMode }] = await Promise.all([
    import('../../src/generate/generate.ts'),
    import('../../src/pretrained/generationDefaults.ts'),
  ]);
  // The start token takes a position of its own, so the last token of the longest translation has none.
  const most = Math.max(1, model.maxLength - 1);
  const greedy = {
    ...defaults,
    sample: false,
    numBeams: 1,
    maxNewTokens: Math.min(defaults.maxNewTokens ?? most, most),
  };
  const [results] = await generate(session, [ids], forMode(greedy));
  const targetIds = results![0]!.ids;
  return { sourceIds: ids, targetIds, target: tokenizer.decode(targetIds, { skipSpecialTokens: true }) };
}
