import { QkvError } from '../../src/base/errors.ts';
import type { Reading } from '../../src/inspect/reading.ts';
import type { Model } from '../../src/models/model.ts';
import type { TextInput } from '../web/src/worker/contract.ts';
import type { OpenModel } from '../web/src/worker/openModel.ts';

/** The texts of a command line. */
export interface LookTexts {
  readonly text: string;
  readonly target?: string | undefined;
  readonly pair?: string | undefined;
}

const doings: Readonly<Record<Model['kind'], string>> = {
  encoder: 'reads a text or a pair',
  causal: 'continues a text',
  'encoder-decoder': 'translates',
};

/**
 * What a model reads of them: of an encoder-decoder model with its own translation where none is given.
 *
 * @throws QkvError `usage` for one that this model does not read
 */
export async function readLookTexts(
  opened: OpenModel,
  { text, target, pair }: LookTexts,
): Promise<{ readonly input: TextInput; readonly reading: Reading }> {
  const { model } = opened.inspection;
  const refuse = (where: string, kind: Model['kind'], expected: string): void => {
    if (model.kind === kind) return;
    throw new QkvError('usage', { where, got: `a ${model.family} model, which ${doings[model.kind]}`, expected });
  };
  if (target !== undefined) refuse('--target', 'encoder-decoder', 'an encoder-decoder model');
  if (pair !== undefined) refuse('--pair', 'encoder', 'an encoder');
  const given = { text, ...(target !== undefined && { target }), ...(pair !== undefined && { pair }) };
  const reading = await opened.readingOf(given, { throwIfAborted() {} });
  const own = opened.targetOf(reading);
  return { input: target === undefined && own !== undefined ? { ...given, target: own } : given, reading };
}
