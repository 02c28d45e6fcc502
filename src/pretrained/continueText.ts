import { QkvError } from '../base/errors.ts';
import { generate } from '../generate/generate.ts';
import type { GenerateOptions } from '../generate/options.ts';
import type { GenerationSession } from '../generate/session.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';

export interface Continuation {
  /** What follows the prompt. */
  readonly text: string;
  readonly ids: readonly number[];
  /** Whether it came to its end token, or to the greatest length. */
  readonly finish: 'end' | 'length';
}

/**
 * Continues a text, or token ids, with a decoder-only model; an empty text from the token that begins texts. Gives `numReturn` results.
 * Where `maxNewTokens` is more than the model has positions for, the text is written in pieces, each with the last half
 * of the model's positions before it; not with beams.
 *
 * `onText` gets the text of a single greedy or sampled continuation as it comes, whole characters only.
 *
 * @throws QkvError `usage` for a model of another kind, an empty prompt where no token begins texts, and wrong options.
 */
export async function continueText(
  session: GenerationSession,
  tokenizer: Tokenizer,
  prompt: string | readonly number[],
  options: GenerateOptions = {},
  onText?: (text: string) => void,
): Promise<Continuation[]> {
  const promptIds = idsOf(session, tokenizer, prompt);
  const { maxLength } = session.model;
  const half = Math.max(1, Math.floor(maxLength / 2));
  const wanted = options.maxNewTokens;
  const isBeam = (options.numBeams ?? 1) > 1;
  // The last token is not read, so it needs no position.
  const room = maxLength + 1 - promptIds.length;
  const inPieces = wanted !== undefined && wanted > room && !isBeam;

  const streamed = onText && textStream(tokenizer, promptIds, onText);
  const callbacks = streamed ? { onToken: (token: number) => streamed.push(token) } : {};
  const { numReturn: _, ...single } = options;
  const first = inPieces ? promptIds.slice(-half) : promptIds;
  const [started] = await generate(
    session,
    [first],
    inPieces ? { ...options, maxNewTokens: maxLength + 1 - first.length } : options,
    callbacks,
  );
  const results = started!.map(({ ids, finish }) => ({ ids: [...ids], finish }));
  for (let piece = 1; inPieces; piece++) {
    const open = results.filter(({ ids, finish }) => finish === 'length' && ids.length < wanted);
    if (open.length === 0) break;
    // All that are open have the same length.
    const maxNewTokens = Math.min(wanted - open[0]!.ids.length, maxLength + 1 - half);
    const contexts = open.map(({ ids }) => [...promptIds, ...ids].slice(-half));
    const seed = options.sample ? { seed: (options.seed ?? 0) + piece } : {};
    const found = await generate(session, contexts, { ...single, ...seed, maxNewTokens }, callbacks);
    for (const [i, result] of open.entries()) {
      result.ids.push(...found[i]![0]!.ids);
      result.finish = found[i]![0]!.finish;
    }
  }
  streamed?.end();
  return results.map(({ ids, finish }) => {
    let text = '';
    const stream = textStream(tokenizer, promptIds, (part) => {
      text += part;
    });
    for (const id of ids) stream.push(id);
    stream.end();
    return { text, ids, finish };
  });
}

function idsOf(
  { model }: GenerationSession,
  tokenizer: Tokenizer,
  prompt: string | readonly number[],
): readonly number[] {
  if (model.kind !== 'causal') {
    throw new QkvError('usage', {
      where: 'continueText',
      got: `a ${model.family} model, which makes a target of a source`,
      expected: 'a model that continues a text',
    });
  }
  const ids = typeof prompt === 'string' ? tokenizer.encode(prompt).ids : prompt;
  if (ids.length > 0) return ids;
  if (model.bosId !== null) return [model.bosId];
  throw new QkvError('usage', {
    where: 'prompt',
    got: 'an empty text',
    expected: 'a character or more: the model has no token that begins a text',
  });
}

/** The text of ids that follow a prompt: decoded behind it, since a first token may be written in another way. */
function textStream(
  tokenizer: Tokenizer,
  prompt: readonly number[],
  onText: (text: string) => void,
): { push(id: number): void; end(): void } {
  const decoder = tokenizer.createStreamDecoder({ skipSpecialTokens: true });
  for (const id of prompt) decoder.push(id);
  return { push: (id) => onText(decoder.push(id)), end: () => onText(decoder.end()) };
}
