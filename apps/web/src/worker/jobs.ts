import { letMessagesIn } from '../../../../src/runtime/web/letMessagesIn.ts';
import type { Wanted } from './wanted.ts';

/** Why a call was given up: a later one of its kind took its place. */
export class Superseded extends Error {
  override readonly name = 'Superseded';
}

/**
 * One job after the other; of two with one key the later takes the place of the earlier, which rejects at once, and never begins or,
 * where it is running, ends when it next asks `wanted`.
 */
export class Jobs {
  readonly #latest = new Map<string, () => void>();
  #last: Promise<unknown> = Promise.resolve();

  run<T>(key: string, work: (wanted: Wanted) => Promise<T>): Promise<T> {
    this.#latest.get(key)?.();
    return new Promise((resolve, reject) => {
      let isWanted = true;
      const superseded = (): Superseded => new Superseded('a later call took the place of this one');
      const giveUp = (): void => {
        isWanted = false;
        reject(superseded());
      };
      const wanted: Wanted = {
        throwIfAborted() {
          if (!isWanted) throw superseded();
        },
      };
      this.#latest.set(key, giveUp);
      this.#last = this.#last
        .then(letMessagesIn)
        .then(() => {
          wanted.throwIfAborted();
          return work(wanted);
        })
        .then(resolve, reject)
        .finally(() => {
          if (this.#latest.get(key) === giveUp) this.#latest.delete(key);
        });
    });
  }
}
