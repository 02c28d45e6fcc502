import { effect, type ReadonlySignal, signal } from '@preact/signals';
import type { Engine, EngineError } from '../worker/contract.ts';
import { asEngineError, engine } from './engine.ts';

/** What a question to the engine has brought so far. The last value stays while the next one is computed. */
export interface Answer<T> {
  readonly value: T | null;
  readonly isBusy: boolean;
  readonly error: EngineError | null;
}

/** `isCurrent` tells whether the answer is still wanted. */
export type Question<T> = (engine: Engine, isCurrent: () => boolean) => Promise<T>;

const turns = new Map<string, Promise<unknown>>();

/**
 * Calls of one kind on one model, one after the other: the engine lets a later one replace an unfinished one, which two questions
 * about one model must not do to each other. What nobody wants any more when its turn comes is left out.
 */
export function inTurn<T>(kind: string, model: number, isCurrent: () => boolean, call: () => Promise<T>): Promise<T> {
  const turn = `${kind} ${model}`;
  const before = turns.get(turn) ?? Promise.resolve();
  const mine = before.then(() => {
    if (isCurrent()) return call();
    throw { code: 'superseded', message: '' } satisfies EngineError;
  });
  const settled = mine.catch(() => {});
  turns.set(turn, settled);
  void settled.then(() => turns.get(turn) === settled && turns.delete(turn));
  return mine;
}

/**
 * Asks the engine, and again whenever a signal that `question` reads changes; answers to older questions are dropped.
 * `question` gives null where there is nothing to ask. Lives as long as the page, unless `dispose` is called.
 */
export function ask<T>(question: () => Question<T> | null): {
  readonly answer: ReadonlySignal<Answer<T>>;
  readonly dispose: () => void;
} {
  const answer = signal<Answer<T>>({ value: null, isBusy: false, error: null });
  let latest = 0;
  const dispose = effect(() => {
    const asked = question();
    const number = ++latest;
    if (asked === null) {
      answer.value = { value: null, isBusy: false, error: null };
      return;
    }
    answer.value = { ...answer.peek(), isBusy: true };
    const isCurrent = (): boolean => number === latest;
    engine
      .then((connected) => asked(connected, isCurrent))
      .then(
        (value) => {
          if (isCurrent()) answer.value = { value, isBusy: false, error: null };
        },
        (thrown: unknown) => {
          const error = asEngineError(thrown);
          if (isCurrent() && error.code !== 'superseded') {
            answer.value = { value: answer.peek().value, isBusy: false, error };
          }
        },
      );
  });
  return { answer, dispose };
}
