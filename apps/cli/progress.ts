/** A line on stderr that is rewritten while work goes on; silent where stderr is not a terminal. */
export class Progress implements Disposable {
  readonly #label: string;
  readonly #total: number | undefined;
  readonly #start: number = performance.now();
  readonly #isShown: boolean;
  #lastDrawn = 0;

  /** `total`: how many steps there will be, where that is known. */
  constructor(label: string, total?: number, isQuiet = false) {
    this.#label = label;
    this.#total = total;
    this.#isShown = process.stderr.isTTY === true && !isQuiet;
  }

  /** `note` says what is being done now. */
  update(done: number, note = ''): void {
    const now = performance.now();
    if (!this.#isShown || (now - this.#lastDrawn < 100 && done !== this.#total)) return;
    this.#lastDrawn = now;
    process.stderr.write(`\r\x1b[2K${this.#line(done, (now - this.#start) / 1000)}${note === '' ? '' : ` · ${note}`}`);
  }

  #line(done: number, seconds: number): string {
    if (this.#total === undefined) return `${this.#label} ${done} · ${seconds.toFixed(0)} s`;
    const share = this.#total === 0 ? 1 : done / this.#total;
    const width = 24;
    const bar = '█'.repeat(Math.round(share * width)).padEnd(width, '░');
    const left = done > 0 ? ` · ${((seconds / done) * (this.#total - done)).toFixed(0)} s left` : '';
    return `${this.#label} ${bar} ${done}/${this.#total}${left}`;
  }

  [Symbol.dispose](): void {
    if (this.#isShown && this.#lastDrawn > 0) process.stderr.write('\r\x1b[2K');
  }
}
