import { QkvError } from '../../../../src/base/errors.ts';
import { generate } from '../../../../src/generate/generate.ts';
import type { GenerateOptions } from '../../../../src/generate/options.ts';
import { continueEdited } from '../../../../src/inspect/continueEdited.ts';
import { type Reading, readingOf } from '../../../../src/inspect/reading.ts';
import { continueText } from '../../../../src/pretrained/continueText.ts';
import { forMode } from '../../../../src/pretrained/generationDefaults.ts';
import type { Edits, GenerateRequest, TextInput } from './contract.ts';
import type { OpenModel } from './openModel.ts';
import type { Wanted } from './wanted.ts';

/** Ids that a model writes behind a text, or as its translation, and their text, which `onText` gets as it grows. */
export interface Written {
  readonly ids: readonly number[];
  readonly text: string;
}

/** What ends a text before its time: nobody waits for it, or it is to be given as it is. */
interface Ending extends Wanted {
  isStopped(): boolean;
}

/**
 * Writes as the model does by itself, with and without edits alike: of the model's settings its ends, its first token and what it may
 * never write count; rules against repetition do not, since they would hide what an edit does.
 *
 * @throws QkvError `usage` for an encoder, and for beams under edits or behind given ids
 */
export function writeText(
  model: OpenModel,
  input: TextInput,
  edits: Edits,
  request: GenerateRequest,
  onText: (text: string) => void,
  ending: Ending,
): Promise<Written> {
  const isEdited = Object.values(edits).some(
    (edit) => edit !== undefined && !(Array.isArray(edit) && edit.length === 0),
  );
  return isEdited || input.ids !== undefined
    ? writeEdited(model, input, edits, request, onText, ending)
    : writePlain(model, input, request, onText, ending);
}

async function writePlain(
  model: OpenModel,
  input: TextInput,
  { maxNewTokens, temperature, topK, beams = 1, seed = 0 }: GenerateRequest,
  onText: (text: string) => void,
  signal: Wanted,
): Promise<Written> {
  const { session, tokenizer, defaults } = model;
  const sampling: GenerateOptions =
    temperature > 0 ? { sample: true, temperature, seed, ...(topK !== undefined && { topK }) } : { sample: false };
  const options = forMode({ ...ownRules(defaults), ...sampling, numBeams: beams, signal });
  if (session.model.kind === 'causal') {
    let text = '';
    const onPart = (part: string): void => onText((text += part));
    const [found] = await continueText(
      session,
      tokenizer,
      input.text,
      { ...options, maxNewTokens },
      beams > 1 ? undefined : onPart,
    );
    return { ids: found!.ids, text: found!.text };
  }
  const { ids: source } = tokenizer.encode(input.text);
  const stream = streamOf(model, onText);
  const most = { ...options, maxNewTokens: Math.min(maxNewTokens, session.model.maxLength) };
  const [results] = await generate(session, [source], most, beams > 1 ? {} : { onToken: (id) => stream.push(id) });
  const { ids } = results![0]!;
  return { ids, text: tokenizer.decode(ids, { skipSpecialTokens: true }) };
}

async function writeEdited(
  model: OpenModel,
  input: TextInput,
  edits: Edits,
  { maxNewTokens, temperature, topK, beams = 1, seed = 0 }: GenerateRequest,
  onText: (text: string) => void,
  signal: Ending,
): Promise<Written> {
  if (beams > 1) {
    const expected = '1: under edits, and behind given ids, a text is written greedily or drawn';
    throw new QkvError('usage', { where: 'beams', got: `${beams}`, expected });
  }
  const { inspection, tokenizer } = model;
  const { kind } = inspection.model;
  const { ids: text } = tokenizer.encode(input.text);
  const { forcedBosId, badWordsIds = [] } = ownRules(model.defaults);
  const first = kind === 'encoder-decoder' && forcedBosId !== undefined ? [forcedBosId] : [];
  // a translation begins with the start token alone
  const own = (): Reading => (kind === 'encoder-decoder' ? readingOf(inspection.model, text, first) : { ids: text });
  const reading = input.ids ? await model.readingOf(input, signal) : own();
  const stream = streamOf(model, onText, kind === 'encoder-decoder' && !input.ids ? [] : reading.ids);
  const ids: number[] = [];
  const options = {
    edits,
    maxNewTokens,
    temperature,
    seed,
    signal,
    bannedIds: badWordsIds.flatMap((sequence) => (sequence.length === 1 ? sequence : [])),
    ...(topK !== undefined && { topK }),
  };
  for (const id of input.ids ? [] : first) {
    ids.push(id);
    stream.push(id);
  }
  for await (const id of continueEdited(inspection, reading, options)) {
    ids.push(id);
    stream.push(id);
    if (signal.isStopped()) break;
  }
  return { ids, text: stream.end() };
}

function ownRules({ eosId, forcedBosId, badWordsIds }: GenerateOptions): GenerateOptions {
  return {
    ...(eosId !== undefined && { eosId }),
    ...(forcedBosId !== undefined && { forcedBosId }),
    ...(badWordsIds !== undefined && { badWordsIds }),
  };
}

/** Text of ids as they come, behind others that are not shown. */
function streamOf(
  { tokenizer }: OpenModel,
  onText: (text: string) => void,
  before: readonly number[] = [],
): { push(id: number): void; end(): string } {
  const decoder = tokenizer.createStreamDecoder({ skipSpecialTokens: true });
  for (const id of before) decoder.push(id);
  let text = '';
  return {
    push: (id) => onText((text += decoder.push(id))),
    end: () => (text += decoder.end()),
  };
}
