import {
  filesStorage,
  float32,
  httpStorage,
  hubStorage,
  loadPretrained,
  opfsStorage,
  type QkvError,
  type Storage,
} from '../../../src/web.ts';

const text = (value: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(value);
const read = async (storage: Storage, name: string): Promise<string> =>
  new TextDecoder().decode(await storage.read(name, 0, await storage.size(name)));

async function refusal(act: Promise<unknown>): Promise<{ code: string; message: string }> {
  return act.then(
    (value) => ({ code: 'none', message: JSON.stringify(value) }),
    (error: QkvError) => ({ code: error.code, message: error.message }),
  );
}

function fileAt(path: string, content: string): File {
  const file = new File([content], path.split('/').at(-1)!);
  Object.defineProperty(file, 'webkitRelativePath', { value: path.includes('/') ? path : '' });
  return file;
}

interface HubRequest {
  readonly name: string;
  readonly endpoint: string;
  readonly token?: string;
  /** Stops the download once so many bytes are there. */
  readonly stopAt?: number;
}

export const storageSuite = {
  /** `files`: names that are given to it; null: it reads them from files.json. Bytes of the ranges of `file`. */
  async http(
    url: string,
    files: readonly string[] | null,
    file: string,
    ranges: readonly (readonly [number, number])[],
  ): Promise<{ list: string[]; size: number; parts: number[][]; progress: unknown[] }> {
    const progress: unknown[] = [];
    const storage = httpStorage(url, { ...(files && { files }), onProgress: (one) => progress.push(one) });
    const list = await storage.list();
    const size = await storage.size(file);
    const parts: number[][] = [];
    for (const [offset, length] of ranges) parts.push([...(await storage.read(file, offset, length))]);
    return { list, size, parts, progress };
  },

  httpRefusals: (url: string) =>
    Promise.all([
      refusal(httpStorage(url).list()),
      refusal(httpStorage(url, { files: ['none'] }).size('none')),
      refusal(httpStorage(url).read('../index.json', 0, 1)),
      refusal(httpStorage(url, { files: ['index.json'] }).read('index.json', 0, 1e9)),
      refusal(httpStorage(url).writeAtomic('a', [])),
      refusal(httpStorage('http://127.0.0.1:9/').list()),
    ]),

  async files(): Promise<unknown> {
    const run = filesStorage([
      fileAt('run/recipe.yaml', 'x'),
      fileAt('run/model/config.json', '{}'),
      fileAt('run/model/model.safetensors', '1234'),
      fileAt('run/snapshots/1/config.json', '[]'),
    ]);
    const alone = filesStorage([fileAt('a.gguf', 'GGUF')]);
    return {
      run: [run.location, await run.list(), await read(run, 'config.json'), await run.size('model.safetensors')],
      alone: [await alone.list(), await read(alone, 'a.gguf')],
      refusals: [
        await refusal((async () => filesStorage([]))()),
        await refusal((async () => filesStorage([fileAt('a', ''), fileAt('a', '')]))()),
        await refusal(alone.read('a.gguf', 2, 3)),
        await refusal(alone.read('b.gguf', 0, 1)),
        await refusal(alone.writeAtomic('b', [])),
      ],
    };
  },

  async opfs(): Promise<unknown> {
    const storage = opfsStorage('tests/one');
    const before = await refusal(storage.list());
    await storage.writeAtomic('a', [text('first')]);
    await storage.writeAtomic('b', [text('more '), text('than one')]);
    const shared = typeof SharedArrayBuffer === 'undefined' ? new ArrayBuffer(3) : new SharedArrayBuffer(3);
    new Uint8Array(shared).set(text('own'));
    await storage.writeAtomic('c', [new Uint8Array(shared)]);
    const failing = async function* (): AsyncGenerator<Uint8Array> {
      yield text('half');
      throw new Error('the power is gone');
    };
    const failed = [
      await refusal(storage.writeAtomic('a', failing())),
      await refusal(storage.writeAtomic('new', failing())),
    ];
    const kept = await read(storage, 'a');
    await storage.writeAtomic('a', [text('second')]);
    const values = [await storage.list(), await read(storage, 'a'), await read(storage, 'b'), await read(storage, 'c')];
    await storage.remove('b');
    return {
      before,
      failed,
      kept,
      values,
      after: await storage.list(),
      part: new TextDecoder().decode(await storage.read('a', 2, 3)),
      refusals: [
        await refusal(storage.read('a', 4, 3)),
        await refusal(storage.read('b', 0, 1)),
        await refusal(storage.remove('b')),
        await refusal(storage.writeAtomic('../a', [])),
      ],
    };
  },

  /** Reads some bytes of a file of a hub's model. */
  async hubBytes(
    { name, endpoint }: HubRequest,
    file: string,
    ranges: readonly (readonly [number, number])[],
  ): Promise<number[][]> {
    const storage = await hubStorage(name, { endpoint });
    const parts: number[][] = [];
    for (const [offset, length] of ranges) parts.push([...(await storage.read(file, offset, length))]);
    return parts;
  },

  /** Opens a model of a hub: what it is, how much of it came, and the first of its numbers. */
  async hub({ name, endpoint, token, stopAt }: HubRequest): Promise<unknown> {
    const stop = new AbortController();
    const progress: { file: string; done: number; total: number }[] = [];
    const notes: string[] = [];
    try {
      const storage = await hubStorage(name, {
        endpoint,
        ...(token !== undefined && { token }),
        signal: stop.signal,
        onNote: (note) => notes.push(note),
        onProgress: ({ file, done, total }) => {
          progress.push({ file, done, total });
          if (stopAt !== undefined && done >= stopAt) stop.abort(new Error('stopped'));
        },
      });
      const { model, arena } = await loadPretrained(storage);
      const { data } = float32([4], arena.data.slice(0, 4));
      return { family: model.family, files: await storage.list(), first: [...data], progress, notes };
    } catch (error) {
      return { code: (error as QkvError).code, message: (error as Error).message, progress };
    }
  },
};
