import { randomUUID } from 'node:crypto';
import { copyFile, mkdir, readdir, readFile, rename, rm, statfs, symlink, writeFile } from 'node:fs/promises';
import { dirname, join, relative, sep } from 'node:path';
import { QkvError } from '../base/errors.ts';
import { diskFull, onDisk, sizeOf } from './diskError.node.ts';
import { fetchBlob, type HubBlob, partialPath } from './fetchBlob.node.ts';
import { hubFetch } from './hubFetch.node.ts';
import { type HubName, hubPath } from './hubName.ts';
import type { HubProgress } from './hubProgress.ts';
import { HubUnreachable } from './hubRefusal.ts';
import { type HubSettings, hubSettings } from './hubSettings.node.ts';

export interface HubOptions {
  readonly onProgress?: (progress: HubProgress) => void;
  /** Is told, in a sentence, that the hub could not be reached and the copy in the cache is used. */
  readonly onNote?: (note: string) => void;
  /** Stops a download; what has arrived is kept, and the next call goes on from there. */
  readonly signal?: AbortSignal;
}

/** A text file of the repository; undefined where it has none of this name. */
export type ReadText = (name: string) => Promise<string | undefined>;

/** Which of a repository's files are wanted. */
export type ChooseFiles = (where: string, names: readonly string[], read: ReadText) => Promise<readonly string[]>;

export interface HubSnapshot {
  readonly folder: string;
  /** Those that were chosen, in that order; they lie in the folder. */
  readonly files: readonly string[];
}

/**
 * Files of a repository of the Hugging Face hub: those that are not in the cache yet are fetched into it. The cache is that of
 * Python's huggingface_hub and shared with it:
 *
 *     models--org--name/refs/main               the commit that `main` was last seen at
 *     models--org--name/snapshots/COMMIT/FILE   a link to
 *     models--org--name/blobs/HASH              the bytes
 *
 * Environment: see `hubSettings`. Without the network, or with `HF_HUB_OFFLINE=1`, a complete copy in the cache does.
 * https://huggingface.co/docs/huggingface_hub/guides/manage-cache
 *
 * @throws QkvError `io` (no such repository or revision, no access, no network, disk full), `checkpoint` (wrong checksum), `usage`,
 *   and what `choose` throws; the signal's reason once it is aborted
 */
export async function hubSnapshot(name: HubName, choose: ChooseFiles, options: HubOptions = {}): Promise<HubSnapshot> {
  const settings = hubSettings();
  const repository = join(settings.cache, `${name.kind}s--${name.id.replace('/', '--')}`);
  if (settings.isOffline) return cachedSnapshot(name, repository, choose, 'HF_HUB_OFFLINE is set');
  try {
    return await fetchSnapshot(name, repository, choose, settings, options);
  } catch (error) {
    if (!(error instanceof HubUnreachable)) throw error;
    const cached = await cachedSnapshot(name, repository, choose, error.message).catch(() => {
      throw error;
    });
    options.onNote?.(`${error.parts.where} gives ${error.parts.got}; using the copy in the cache`);
    return cached;
  }
}

const isCommit = (text: string): boolean => /^[0-9a-f]{40}$/.test(text);
const refPath = (repository: string, revision: string): string => join(repository, 'refs', revision);

async function cachedSnapshot(
  { id, revision = 'main' }: HubName,
  repository: string,
  choose: ChooseFiles,
  why: string,
): Promise<HubSnapshot> {
  const ref = await readFile(refPath(repository, revision), 'utf8').catch(() => revision);
  const folder = join(repository, 'snapshots', ref.trim());
  const where = `${id}@${revision}`;
  try {
    if (!isCommit(ref.trim())) throw new Error('this revision was never fetched');
    const entries = await readdir(folder, { recursive: true });
    const sizes = await Promise.all(entries.map((name) => sizeOf(join(folder, name))));
    const names = entries.filter((_, i) => sizes[i] !== undefined).map((name) => name.replaceAll(sep, '/'));
    const read: ReadText = async (name) =>
      names.includes(name) ? await readFile(join(folder, name), 'utf8') : undefined;
    return { folder, files: await choose(where, names, read) };
  } catch (cause) {
    throw new QkvError('io', {
      where,
      got: `no complete copy in ${repository} (${cause instanceof Error ? cause.message : String(cause)}), and ${why}`,
      hint: 'Run it once with the network, or give a folder that exists',
      cause,
    });
  }
}

async function fetchSnapshot(
  name: HubName,
  repository: string,
  choose: ChooseFiles,
  settings: HubSettings,
  options: HubOptions,
): Promise<HubSnapshot> {
  const { datasetInfo, listFiles, modelInfo } = await import('@huggingface/hub');
  const { id, kind, revision = 'main' } = name;
  const where = `${id} on ${settings.endpoint}`;
  const fetch = hubFetch(name, settings, options.signal);
  const request = { hubUrl: settings.endpoint, fetch };
  const asked = { ...request, name: id, revision };
  // of a dataset the library gives no names: they come with the list
  const info: { readonly sha: string; readonly filePaths?: readonly unknown[] } = await answer(
    where,
    kind === 'model'
      ? modelInfo({ ...asked, additionalFields: ['sha', 'filePaths'] })
      : datasetInfo({ ...asked, additionalFields: ['sha'] }),
  );
  const commit = info.sha;
  if (!isCommit(commit)) throw wrongAnswer(where, `the commit ${JSON.stringify(commit)}`);
  const folder = join(repository, 'snapshots', commit);

  let listed: Promise<ReadonlyMap<string, HubBlob>> | undefined;
  const list = async () => {
    const blobs = new Map<string, HubBlob>();
    for await (const { type, path, size, oid, lfs } of listFiles({
      ...request,
      repo: { type: kind, name: id },
      revision: commit,
      recursive: true,
    })) {
      if (type !== 'file') continue;
      const hash = lfs?.oid ?? oid ?? '';
      const url = `${settings.endpoint}/${hubPath(name)}/resolve/${commit}/${path.split('/').map(encodeURIComponent).join('/')}`;
      blobs.set(path, {
        name: `${id}: ${path}`,
        url,
        size: lfs?.size ?? size,
        hash,
        path: join(repository, 'blobs', hash),
      });
    }
    return blobs;
  };
  const blobsOf = () => (listed ??= answer(where, list()));
  const names = info.filePaths ?? [...(await blobsOf()).keys()];
  if (!names.every((one) => typeof one === 'string')) throw wrongAnswer(where, 'files without names');

  const fetchMissing = async (files: readonly string[], onProgress?: HubOptions['onProgress']) => {
    const sizes = await Promise.all(files.map((file) => sizeOf(join(folder, file))));
    const missing = files.filter((_, i) => sizes[i] === undefined);
    if (missing.length === 0) return;
    const blobs = await blobsOf();
    const wanted = missing.map((file) => ({ file, blob: checked(where, file, blobs.get(file)) }));
    await fetchFiles(wanted, { id, repository, folder, fetch, signal: options.signal, onProgress });
  };

  const read: ReadText = async (file) => {
    if (!names.includes(file)) return undefined;
    await fetchMissing([file]);
    return readFile(join(folder, file), 'utf8');
  };
  const files = await choose(where, names, read);
  await fetchMissing(files, options.onProgress);
  if (revision !== commit) await writeRef(refPath(repository, revision), commit);
  return { folder, files };
}

/** What the library throws of its own is about an answer that it cannot read. */
async function answer<T>(where: string, call: Promise<T>): Promise<T> {
  try {
    return await call;
  } catch (cause) {
    if (cause instanceof SyntaxError || cause instanceof TypeError) throw wrongAnswer(where, cause.message, cause);
    throw cause;
  }
}

function wrongAnswer(where: string, got: string, cause?: unknown): QkvError {
  const hint = 'Is HF_ENDPOINT a hub, or does a proxy answer in its place?';
  return new QkvError('io', {
    where,
    got,
    expected: 'an answer of the hub',
    hint,
    ...(cause !== undefined && { cause }),
  });
}

/** The hash becomes the name of a file. */
function checked(where: string, file: string, blob: HubBlob | undefined): HubBlob {
  if (!blob) throw wrongAnswer(where, `a list of files without ${file}`);
  const isSound = /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(blob.hash) && Number.isSafeInteger(blob.size) && blob.size >= 0;
  if (!isSound) throw wrongAnswer(where, `for ${file} the hash ${JSON.stringify(blob.hash)} and ${blob.size} bytes`);
  return blob;
}

interface Fetching {
  readonly id: string;
  readonly repository: string;
  readonly folder: string;
  readonly fetch: typeof fetch;
  readonly signal: AbortSignal | undefined;
  readonly onProgress: HubOptions['onProgress'];
}

async function fetchFiles(
  wanted: readonly { readonly file: string; readonly blob: HubBlob }[],
  { id, repository, folder, fetch, signal, onProgress }: Fetching,
): Promise<void> {
  const blobs = join(repository, 'blobs');
  await onDisk(blobs, mkdir(blobs, { recursive: true }));
  const total = wanted.reduce((sum, { blob }) => sum + blob.size, 0);
  const left = await Promise.all(wanted.map(async ({ blob }) => blob.size - ((await sizeOf(partialPath(blob))) ?? 0)));
  const { bavail, bsize } = await statfs(blobs);
  if (left.reduce((sum, size) => sum + size, 0) > bavail * bsize) throw diskFull(blobs);
  let done = 0;
  for (const { file, blob } of wanted) {
    const onBytes = (bytes: number) => onProgress?.({ id, file, done: done + bytes, total });
    if ((await sizeOf(blob.path)) !== blob.size) await fetchBlob(blob, { fetch, onBytes, signal });
    await link(blob.path, join(folder, file));
    done += blob.size;
  }
}

/** A relative link, as Python's library makes it; a copy where the system allows no links. */
async function link(blob: string, path: string): Promise<void> {
  await onDisk(path, mkdir(dirname(path), { recursive: true }));
  const make = () => symlink(relative(dirname(path), blob), path);
  await make().catch(async (cause: NodeJS.ErrnoException) => {
    if (cause.code === 'EPERM') return onDisk(path, copyFile(blob, path));
    if (cause.code !== 'EEXIST') return onDisk(path, Promise.reject(cause));
    if ((await sizeOf(path)) !== undefined) return; // another process was first
    await onDisk(path, rm(path, { force: true }).then(make)); // it led to a blob that was deleted
  });
}

/** Written last: where a download stops, the revision still leads to the files that are there. */
async function writeRef(path: string, commit: string): Promise<void> {
  if ((await readFile(path, 'utf8').catch(() => '')) === commit) return;
  // a name for each writer: several downloads may be at work in one process
  const temporary = `${path}.${randomUUID()}.tmp`;
  await onDisk(path, mkdir(dirname(path), { recursive: true }));
  await onDisk(path, writeFile(temporary, commit));
  await onDisk(path, rename(temporary, path));
}
