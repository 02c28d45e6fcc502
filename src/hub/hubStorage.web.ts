import { brief } from '../base/brief.ts';
import { QkvError } from '../base/errors.ts';
import { httpStorage } from '../checkpoint/httpStorage.web.ts';
import { hasOpfs, noRoom, opfsStorage } from '../checkpoint/opfsStorage.web.ts';
import type { Storage } from '../checkpoint/storage.ts';
import { decodeUtf8 } from '../checkpoint/utf8.ts';
import { type HubApi, type HubFile, hubApi } from './hubApi.web.ts';
import { parseHubName } from './hubName.ts';
import type { HubProgress } from './hubProgress.ts';
import { HubUnreachable } from './hubRefusal.ts';
import { modelFiles } from './modelFiles.ts';
import { fetchParts, partedStorage } from './partedFiles.web.ts';

export interface HubStorageOptions {
  /** The hub's address; `https://huggingface.co` when left out. */
  readonly endpoint?: string;
  /** For private and gated models: `hf_…`. It goes to the hub alone. */
  readonly token?: string;
  readonly onProgress?: (progress: HubProgress) => void;
  /** Is told, in a sentence, that the hub could not be reached and the copy in the browser is used. */
  readonly onNote?: (note: string) => void;
  /** Stops a download; what has arrived is kept, and the next call goes on from there. */
  readonly signal?: AbortSignal;
}

/** Name of the list of the files of a commit, written when all of them are there and checked. */
const LIST = 'files.json';

/**
 * A model of the Hugging Face hub, `org/name` or `org/name@revision`, in a page: its files are fetched into the browser's file
 * system by commit, each checked by its hash, a broken download going on where it stopped. Without the network the copy that is
 * there does. Where the browser has no file system (no https) the files are read over the network each time.
 *
 * @throws QkvError `usage` for what is no name, `io` (no such model or revision, no access, no network, no room), `checkpoint`
 *   (wrong hash, no model that qkv reads); the signal's reason once it is aborted
 */
export async function hubStorage(name: string, options: HubStorageOptions = {}): Promise<Storage> {
  const parsed = parseHubName(name);
  if (!parsed) {
    throw new QkvError('usage', {
      where: 'model of the hub',
      got: brief(name),
      expected: 'org/name or org/name@revision',
    });
  }
  const api = hubApi(parsed, options);
  const { id, revision = 'main' } = parsed;
  const folder = `qkv/hub/models--${id.replace('/', '--')}`;
  const cache = hasOpfs() ? opfsStorage(folder) : undefined;
  let found: { readonly commit: string; readonly names: readonly string[] };
  try {
    found = await api.resolve(revision);
  } catch (error) {
    if (!(error instanceof HubUnreachable) || !cache) throw error;
    const kept = await keptCommit(cache, revision);
    const storage = kept && (await keptStorage(folder, kept, id));
    if (!storage) throw error;
    options.onNote?.(`${error.parts.where} gives ${error.parts.got}; using the copy in the browser`);
    return storage;
  }
  const { commit, names } = found;
  if (!cache) {
    const files = await neededFiles(api, commit, names);
    const url = `${api.endpoint}/${id}/resolve/${commit}`;
    return httpStorage(url, { files, ...(options.signal && { signal: options.signal }) });
  }
  const storage = (await keptStorage(folder, commit, id)) ?? (await fetchAll(api, folder, commit, names, options));
  if (revision !== commit) await keepCommit(cache, revision, commit);
  return storage;
}

const isHash = (text: unknown): text is string =>
  typeof text === 'string' && /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(text);

/** The files of a commit, where all of them are there. */
async function keptStorage(folder: string, commit: string, id: string): Promise<Storage | undefined> {
  const files = await readList(opfsStorage(`${folder}/${commit}`));
  return files && partedStorage(`${folder}/${commit}`, files, `${id}@${commit.slice(0, 8)}`);
}

async function readList(storage: Storage): Promise<HubFile[] | undefined> {
  try {
    const list: unknown = JSON.parse(decodeUtf8(await storage.read(LIST, 0, await storage.size(LIST))));
    return Array.isArray(list) &&
      list.every(({ name, size, hash }) => typeof name === 'string' && size >= 0 && isHash(hash))
      ? list
      : undefined;
  } catch {
    return undefined; // not there, or not whole: it is fetched
  }
}

/** A storage is a flat folder: what lies in folders is for sentence encoders alone. */
async function neededFiles(api: HubApi, commit: string, names: readonly string[]): Promise<string[]> {
  const files = await modelFiles(api.where, names, async (file) => decodeUtf8(await api.read(commit, file)));
  return files.filter((file) => !file.includes('/'));
}

async function fetchAll(
  api: HubApi,
  folder: string,
  commit: string,
  names: readonly string[],
  { onProgress, signal }: HubStorageOptions,
): Promise<Storage> {
  const listed = await api.list(commit);
  const chosen = await neededFiles(api, commit, names);
  const files = chosen.map((file): HubFile => {
    const found = listed.get(file);
    if (found && isHash(found.hash) && Number.isSafeInteger(found.size) && found.size >= 0) return found;
    throw api.wrongAnswer(`for ${file} ${found ? `the hash ${brief(found.hash)} and ${found.size} bytes` : 'nothing'}`);
  });
  const total = files.reduce((sum, { size }) => sum + size, 0);
  const { quota = total, usage = 0 } = await navigator.storage.estimate();
  // what an earlier attempt left is part of the usage, so this may ask for a little too much
  if (total > quota) throw noRoom(`${api.id}, ${Math.ceil(total / 1e6)} MB of ${Math.floor((quota - usage) / 1e6)}`);
  let done = 0;
  for (const file of files) {
    const onBytes = (bytes: number): void => onProgress?.({ id: api.id, file: file.name, done: done + bytes, total });
    await fetchParts(api, `${folder}/${commit}`, commit, file, { onBytes, signal });
    done += file.size;
  }
  await opfsStorage(`${folder}/${commit}`).writeAtomic(LIST, [new TextEncoder().encode(JSON.stringify(files))]);
  return partedStorage(`${folder}/${commit}`, files, `${api.id}@${commit.slice(0, 8)}`);
}

/** A revision may have slashes in it: its file has another name. */
const refFile = (revision: string): string => `ref-${encodeURIComponent(revision)}`;

async function keptCommit(cache: Storage, revision: string): Promise<string | undefined> {
  if (/^[0-9a-f]{40}$/.test(revision)) return revision;
  try {
    const file = refFile(revision);
    const commit = decodeUtf8(await cache.read(file, 0, await cache.size(file)));
    return /^[0-9a-f]{40}$/.test(commit) ? commit : undefined;
  } catch {
    return undefined;
  }
}

/** Written last: where a download stops, the revision still leads to the files that are there. */
async function keepCommit(cache: Storage, revision: string, commit: string): Promise<void> {
  if ((await keptCommit(cache, revision)) === commit) return;
  await cache.writeAtomic(refFile(revision), [new TextEncoder().encode(commit)]);
}
