import type { AttentionMap, Engine, ModelCard, ModelSource, Progress } from '../../../apps/web/src/worker/contract.ts';

/** A file as a test sends it: its bytes in base64, and where it lies in what was dropped. */
export interface SentFile {
  readonly name: string;
  readonly base64: string;
}

type Failure = Readonly<Record<string, unknown>>;

/** The page's engine for tests: arguments and results are JSON, arrays as arrays; the engine starts with the first call. */
export function makeEngineSuite(connect: (options: { readonly hub?: string }) => Promise<Engine>) {
  let engine: Promise<Engine> | undefined;
  let options = {};
  const connected = (): Promise<Engine> => (engine ??= connect(options));
  const open = async (source: ModelSource): Promise<{ card: ModelCard; progress: Progress[] }> => {
    const progress: Progress[] = [];
    const card = await (await connected()).open(source, (one) => progress.push(one));
    return { card, progress };
  };
  return {
    open,

    /** A model that never comes, and what is read of another meanwhile. */
    async readWhileOpening(source: ModelSource, model: number): Promise<number> {
      const found = await connected();
      found.open(source, () => {}).catch(() => {});
      return (await found.read(model, { text: 'To be' })).target.length;
    },

    /** From the next call on, an engine that asks another hub. */
    useHub(hub: string): void {
      options = { hub };
      engine = undefined;
    },

    openFiles: (name: string, files: readonly SentFile[]) =>
      open({
        kind: 'files',
        name,
        files: files.map((file) => new File([Uint8Array.fromBase64(file.base64)], file.name)),
      }),

    /** Calls a method with JSON arguments; functions are added at its end. */
    async call(name: keyof Engine, ...args: unknown[]): Promise<unknown> {
      const heard: string[] = [];
      const method = (await connected())[name] as (...given: unknown[]) => Promise<unknown>;
      const result = await method(...args, ...(name === 'generate' ? [(text: string) => heard.push(text)] : []));
      return name === 'generate' ? { ...(result as object), heard } : plain(result);
    },

    /** The error that it rejects with, as the page sees it. */
    async failure(name: string, ...args: unknown[]): Promise<Failure> {
      const suite = this as unknown as Record<string, (...given: unknown[]) => Promise<unknown>>;
      const result = await (suite[name]?.(...args) ?? this.call(name as keyof Engine, ...args)).then(
        (value) => ({ unexpected: value }),
        (error: object) => ({ ...error, message: (error as Error).message, isError: error instanceof Error }),
      );
      return result as Failure;
    },

    /** Several attention calls at once: which are answered and which superseded. */
    async race(model: number, texts: readonly string[]): Promise<string[]> {
      const found = await connected();
      const results = await Promise.allSettled(texts.map((text) => found.attention(model, { text }, {})));
      return results.map((one) =>
        one.status === 'fulfilled'
          ? `${(one.value as AttentionMap[]).length} maps`
          : (one.reason as { code: string }).code,
      );
    },

    /** What there is of a long text behind some ids when it is told to end. */
    async stopped(model: number, ids: readonly number[]): Promise<{ tokens: number; heard: number }> {
      const found = await connected();
      let heard = 0;
      const { tokens } = await found.generate(
        model,
        { text: '', ids },
        {},
        { maxNewTokens: 300, temperature: 0 },
        () => {
          heard++;
          if (heard === 3) void found.stop(model);
        },
      );
      return { tokens: tokens.length, heard };
    },

    /** A long text, and another that replaces it while it is written: what became of both. */
    async interrupt(model: number): Promise<{ first: string; heard: number; second: string }> {
      const found = await connected();
      let heard = 0;
      let second: Promise<{ text: string }> | undefined;
      const ask = { maxNewTokens: 400, temperature: 0 };
      const first = found.generate(model, { text: '' }, {}, ask, () => {
        heard++;
        second ??= found.generate(model, { text: 'The cat' }, {}, { ...ask, maxNewTokens: 3 }, () => {});
      });
      const code = await first.then(
        () => 'finished',
        (error: { code: string }) => error.code,
      );
      return { first: code, heard, second: (await second!).text };
    },
  };
}

function plain(value: unknown): unknown {
  if (value instanceof Float32Array) return [...value];
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, part]) => [key, plain(part)]));
}
