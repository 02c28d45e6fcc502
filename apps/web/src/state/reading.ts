import { computed, type ReadonlySignal } from '@preact/signals';
import type { ModelCard, Reading, TextInput } from '../worker/contract.ts';
import { type Answer, ask, inTurn } from './answer.ts';
import { debounced } from './debounced.ts';
import { opened } from './open.ts';
import { input } from './scene.ts';

/** The text, once a person has stopped typing, the first one at once: what is computed follows this. */
export const settledInput: ReadonlySignal<TextInput> = debounced(input, 250, (before) => before.text === '');

/** The open model and the text that it reads; null while there is none. */
export const subject: ReadonlySignal<{ readonly model: number; readonly input: TextInput } | null> = computed(() => {
  const card = opened.value.card;
  if (card === null || settledInput.value.text.trim() === '') return null;
  return { model: card.model, input: inputFor(card, settledInput.value) };
});

/** The texts that a model of this kind reads; the others are of no use to it, and it would say so. */
export function inputFor({ kind }: ModelCard, { text, target, pair }: TextInput): TextInput {
  return {
    text,
    ...(kind === 'encoder-decoder' && target !== undefined && { target }),
    ...(kind === 'encoder' && pair !== undefined && { pair }),
  };
}

/** The tokens of the text. */
export const reading: ReadonlySignal<Answer<Reading>> = ask<Reading>(() => {
  const asked = subject.value;
  if (asked === null) return null;
  return (engine, isCurrent) => inTurn('read', asked.model, isCurrent, () => engine.read(asked.model, asked.input));
}).answer;
