/** Tells a job that nobody waits for it any more. */
export interface Wanted {
  /** @throws Superseded */
  throwIfAborted(): void;
}
