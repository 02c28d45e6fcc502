import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import { QkvError } from '../../base/errors.ts';
import type { Command, EngineOptions, Outcome, Request, Response } from './protocol.ts';
import { SentTensors } from './sentTensors.ts';

/** One engine thread, the tensors that it knows, and the requests that wait for it. */
export class Lane {
  readonly sent: SentTensors = new SentTensors();
  readonly #worker: Worker;
  readonly #waiting = new Map<number, { resolve: (outcome: Outcome) => void; reject: (error: unknown) => void }>();
  #next = 0;
  #failure: QkvError | undefined;

  constructor(options: EngineOptions) {
    const module = new URL(`./engine${extname(import.meta.url)}`, import.meta.url);
    this.#worker = new Worker(module, { workerData: options });
    this.#worker.unref();
    this.#worker.on('message', (response: Response) => {
      const waiting = this.#waiting.get(response.id);
      this.#waiting.delete(response.id);
      if (this.#waiting.size === 0) this.#worker.unref();
      if ('error' in response) waiting?.reject(new QkvError('runtime', { where: 'ONNX Runtime', got: response.error }));
      else waiting?.resolve(response.outcome);
    });
    this.#worker.on('error', (error) => this.#fail(error));
    this.#worker.on('exit', () => this.#fail('the engine thread has ended'));
  }

  get isClosed(): boolean {
    return this.#failure !== undefined;
  }

  request(command: Command): Promise<Outcome> {
    if (this.#failure) return Promise.reject(this.#failure);
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#worker.ref();
      this.#worker.postMessage({ id, command } satisfies Request);
    });
  }

  async close(): Promise<void> {
    if (this.#failure) return;
    await this.request({ kind: 'close' });
    this.#failure = new QkvError('runtime', { where: 'node runtime', got: 'a call after it was closed' });
    await this.#worker.terminate();
  }

  #fail(cause: unknown): void {
    this.#failure ??= new QkvError('runtime', { where: 'engine thread', got: String(cause), cause });
    for (const { reject } of this.#waiting.values()) reject(this.#failure);
    this.#waiting.clear();
  }
}
