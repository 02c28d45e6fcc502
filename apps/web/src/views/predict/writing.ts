import { signal } from '@preact/signals';
import { inTurn } from '../../state/answer.ts';
import { asEngineError, engine } from '../../state/engine.ts';
import { act } from '../../state/history.ts';
import { edits } from '../../state/scene.ts';
import type { EngineError } from '../../worker/contract.ts';
import { count, ids, look, predicted, seed, target, temperature, topK } from './state.ts';

/** A generation on its way: the text so far. Null while none is. */
export const writing = signal<{ readonly text: string; readonly isStopped: boolean } | null>(null);
export const writingError = signal<EngineError | null>(null);

/** Lets the model go on from the place that is looked at, under the edits; the new tokens become the branch. */
export async function writeOn(from: number): Promise<void> {
  const asked = predicted.peek();
  if (asked === null || writing.peek() !== null) return;
  const start = target
    .peek()
    .slice(0, from)
    .map(({ id }) => id);
  writing.value = { text: '', isStopped: false };
  writingError.value = null;
  try {
    const connected = await engine;
    const request = {
      maxNewTokens: count.peek(),
      temperature: temperature.peek(),
      ...(topK.peek() > 0 && { topK: topK.peek() }),
      seed: seed.peek(),
    };
    const onText = (text: string): void => {
      if (writing.peek() !== null) writing.value = { ...writing.peek()!, text };
    };
    const isCurrent = (): boolean => predicted.peek() === asked;
    const { tokens } = await inTurn('generate', asked.model, isCurrent, () =>
      connected.generate(asked.model, { ...asked.input, ids: start }, edits.peek(), request, onText),
    );
    // another text or model meanwhile: what was written is of no use
    if (predicted.peek() !== asked) return;
    const all = [...start, ...tokens.map(({ id }) => id)];
    act(() => {
      ids.value = all;
      look(all.length);
    });
  } catch (thrown) {
    const error = asEngineError(thrown);
    if (error.code !== 'superseded') writingError.value = error;
  } finally {
    writing.value = null;
  }
}

export async function stopWriting(): Promise<void> {
  const asked = predicted.peek();
  if (asked === null || writing.peek() === null) return;
  writing.value = { ...writing.peek()!, isStopped: true };
  await (await engine).stop(asked.model);
}
