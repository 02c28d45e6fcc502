import { computed, type ReadonlySignal, type Signal } from '@preact/signals';
import { type Answer, ask, inTurn } from '../../state/answer.ts';
import { flagCodec } from '../../state/codecs.ts';
import { edits } from '../../state/scene.ts';
import { shared } from '../../state/shared.ts';
import type { Edits, Token } from '../../worker/contract.ts';
import { latest } from '../numbers/latest.ts';
import { isEncoder, isTranslator, predicted } from './state.ts';

/** Tokens of a continuation that are compared. */
export const LENGTH = 24;

/** Whether what a text's model writes is compared too: a translator's always is, since that is one sentence. */
export const isComparing: Signal<boolean> = shared('predict.compare', false, flagCodec);

export interface Outcome {
  readonly before: readonly Token[];
  readonly now: readonly Token[];
}

const unedited = latest<readonly Token[]>();
const isAsked: ReadonlySignal<boolean> = computed(
  () => Object.keys(edits.value).length > 0 && !isEncoder.value && (isTranslator.value || isComparing.value),
);

/** What the model writes by itself, always the likeliest token: without the edits and with them. */
export const outcome: ReadonlySignal<Answer<Outcome>> = ask<Outcome>(() => {
  const asked = predicted.value;
  if (asked === null || !isAsked.value) return null;
  const { model } = asked;
  const translates = isTranslator.value;
  // a whole translation, whatever prefix is looked at
  const input = translates ? { text: asked.input.text } : asked.input;
  const request = { maxNewTokens: translates ? 128 : LENGTH, temperature: 0 };
  const changed = edits.value;
  return async (engine, isCurrent) => {
    const write = async (with_: Edits): Promise<readonly Token[]> =>
      (await inTurn('generate', model, isCurrent, () => engine.generate(model, input, with_, request, () => {})))
        .tokens;
    const before = await unedited(JSON.stringify([model, input]), () => write({}));
    return { before, now: await write(changed) };
  };
}).answer;
