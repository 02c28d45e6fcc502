import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout } from 'node:timers/promises';
import type { WatchEvent } from '../../web/src/watch/events.ts';

/** Steps that are kept; then every second one is dropped. More are not seen in a curve. */
const MAX_STEPS = 4000;
/** What a browser may leave unread before it is hung up on; it comes back and gets the rest. */
const MAX_UNREAD_BYTES = 8 << 20;
const KEEP_ALIVE_MS = 15_000;

interface Entry {
  readonly number: number;
  readonly event: WatchEvent;
}

/**
 * What has happened in a run, and who listens: server-sent events
 * (https://html.spec.whatwg.org/multipage/server-sent-events.html). A listener gets all of it first, and then what comes.
 */
export class WatchLog {
  /** Before the number in an event's id: that of another log is not of this one. */
  readonly #name: string = randomBytes(4).toString('hex');
  readonly #maxSteps: number;
  readonly #listeners = new Set<ServerResponse>();
  #entries: Entry[] = [];
  #count = 0;
  #hasEnded = false;

  constructor({ maxSteps = MAX_STEPS }: { readonly maxSteps?: number } = {}) {
    this.#maxSteps = maxSteps;
  }

  get events(): readonly WatchEvent[] {
    return this.#entries.map(({ event }) => event);
  }

  add(event: WatchEvent): void {
    // what came before is of another beginning of the run
    if (event.kind === 'run') this.#entries = [];
    const entry = { number: ++this.#count, event };
    this.#entries.push(entry);
    this.#thin();
    this.#send(this.#text(entry));
  }

  /** Tells it to those who listen now, and to nobody later. */
  show(event: WatchEvent): void {
    this.#send(`data: ${JSON.stringify(event)}\n\n`);
  }

  /** Takes back what later listeners need not hear. */
  remove(isOver: (event: WatchEvent) => boolean): void {
    this.#entries = this.#entries.filter(({ event }) => !isOver(event));
  }

  /** Answers a request with the events. */
  open(request: IncomingMessage, response: ServerResponse): void {
    response.writeHead(200, { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' });
    if (request.method === 'HEAD') return void response.end();
    const known = this.#numberOf(request.headers['last-event-id']);
    const missed = this.#entries.filter(({ number }) => number > known);
    response.write(`retry: 2000\n\n${missed.map((entry) => this.#text(entry)).join('')}`);
    if (this.#hasEnded) return void response.end();
    this.#listeners.add(response);
    const timer = setInterval(() => response.write(': still here\n\n'), KEEP_ALIVE_MS);
    response.on('close', () => {
      clearInterval(timer);
      this.#listeners.delete(response);
    });
  }

  /**
   * Lets the listeners go. A page leaves by itself when it has fetched what it was told of: it is given so many ms for that, if there
   * is more to fetch than events.
   */
  async end(patience = 0): Promise<void> {
    const last = performance.now() + patience;
    while (this.#listeners.size > 0 && performance.now() < last) await setTimeout(20);
    this.#hasEnded = true;
    for (const response of this.#listeners) response.end();
  }

  #send(text: string): void {
    for (const response of this.#listeners) {
      if (response.writableLength > MAX_UNREAD_BYTES) response.destroy();
      else response.write(text);
    }
  }

  #text({ number, event }: Entry): string {
    return `id: ${this.#name}-${number}\ndata: ${JSON.stringify(event)}\n\n`;
  }

  /** 0 of an id that is not of this log, or of a beginning that is over. */
  #numberOf(id: string | string[] | undefined): number {
    const [, name, digits] = /^([0-9a-f]+)-(\d{1,15})$/.exec(String(id ?? '')) ?? [];
    const number = name === this.#name ? Number(digits) : 0;
    return number < (this.#entries[0]?.number ?? 0) ? 0 : number;
  }

  #thin(): void {
    const steps = this.#entries.filter(({ event }) => event.kind === 'step');
    if (steps.length <= this.#maxSteps) return;
    const dropped = new Set(steps.filter((_, i) => i % 2 === 1));
    this.#entries = this.#entries.filter((entry) => !dropped.has(entry));
  }
}
