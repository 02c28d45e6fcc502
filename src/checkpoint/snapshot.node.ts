import { createHash, type Hash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import * as z from 'zod';
import { QkvError } from '../base/errors.ts';
import { type OutgoingTensor, safetensorsChunks } from './safetensors.ts';
import { isAbsent, nodeStorage, removeFolder, removeLeftovers, replaceFolder } from './storage.node.ts';
import { type Chunks, checkName, type Storage } from './storage.ts';
import { decodeUtf8, encodeUtf8 } from './utf8.ts';

const manifestFile = 'manifest.json';
const readBytes = 4 << 20;

/** A file of a snapshot: bytes as they are, or tensors to be written as safetensors. */
export type SnapshotFile = Uint8Array | { readonly tensors: readonly OutgoingTensor[] };

export interface Snapshot {
  /** The folder's name in the run folder: `step-000123`, or `step-000123-1` where that step was saved before. */
  readonly name: string;
  readonly step: number;
  /** Its files; open one with `openSafetensors(snapshot.storage, 'model.safetensors')`. */
  readonly storage: Storage;
}

export interface DamagedSnapshot {
  readonly name: string;
  readonly problems: readonly { readonly file: string; readonly problem: string }[];
}

export interface SaveOptions {
  /** How many of the newest snapshots stay, the one being saved included. */
  readonly keep: number;
  /** Names of snapshots that stay whatever their age, such as the best one. */
  readonly pin?: readonly string[];
}

const Manifest = z.strictObject({
  format: z.literal(1),
  step: z.int().min(0),
  files: z.record(z.string(), z.strictObject({ bytes: z.int().min(0), sha256: z.string().regex(/^[0-9a-f]{64}$/) })),
});
type Manifest = z.infer<typeof Manifest>;

/**
 * Saves a snapshot as a folder of `runFolder`, complete or not at all: the files and a manifest with their lengths and
 * SHA-256 are written and synced under a temporary name, then renamed. Only after that are older snapshots removed, so
 * that at every moment a valid one is on disk once there was one. What killed writes left is removed first; hence one
 * process at a time may save into a run folder.
 */
export async function saveSnapshot(
  runFolder: string,
  step: number,
  files: Readonly<Record<string, SnapshotFile>>,
  { keep, pin = [] }: SaveOptions,
): Promise<Snapshot> {
  if (!Number.isInteger(keep) || keep < 1) {
    throw new QkvError('usage', { where: 'snapshots to keep', got: String(keep), expected: 'an integer from 1' });
  }
  if (!Number.isSafeInteger(step) || step < 0) {
    throw new QkvError('usage', { where: 'step of a snapshot', got: String(step), expected: 'an integer from 0' });
  }
  const before = await listSnapshots(runFolder);
  await removeLeftovers(runFolder);
  const newest = before.filter((other) => other.step === step).at(-1);
  const base = `step-${String(step).padStart(6, '0')}`;
  const name = newest ? `${base}-${newest.revision + 1}` : base;
  await replaceFolder(join(runFolder, name), (storage) => writeFiles(storage, step, files));

  const kept = new Set([name, ...pin]);
  const older = before.filter((other) => other.step <= step && !kept.has(other.name));
  for (const { name: old } of older.slice(0, Math.max(0, older.length - (keep - 1)))) {
    await removeFolder(join(runFolder, old));
  }
  return { name, step, storage: nodeStorage(join(runFolder, name)) };
}

async function writeFiles(storage: Storage, step: number, files: Readonly<Record<string, SnapshotFile>>) {
  const manifest: Manifest = { format: 1, step, files: {} };
  for (const [file, content] of Object.entries(files)) {
    if (file === manifestFile) throw new QkvError('usage', { where: 'file of a snapshot', got: manifestFile });
    const tally = { bytes: 0, hash: createHash('sha256') };
    const chunks = content instanceof Uint8Array ? [content] : safetensorsChunks(content.tensors);
    await storage.writeAtomic(file, tallied(chunks, tally));
    manifest.files[file] = { bytes: tally.bytes, sha256: tally.hash.digest('hex') };
  }
  await storage.writeAtomic(manifestFile, [encodeUtf8(`${JSON.stringify(manifest, null, 2)}\n`)]);
}

async function* tallied(chunks: Chunks, tally: { bytes: number; hash: Hash }): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) {
    tally.bytes += chunk.length;
    tally.hash.update(chunk);
    yield chunk;
  }
}

/** The snapshots of a run folder, oldest first, whether valid or damaged; none where the folder does not exist. */
export async function listSnapshots(
  runFolder: string,
): Promise<{ readonly name: string; readonly step: number; readonly revision: number }[]> {
  let entries: string[];
  try {
    entries = await readdir(resolve(runFolder));
  } catch (cause) {
    if (isAbsent(cause)) return [];
    throw new QkvError('io', { where: runFolder, got: 'cannot list it', cause });
  }
  return entries
    .flatMap((name) => {
      const found = /^step-(\d{6,})(?:-(\d+))?$/.exec(name);
      return found ? [{ name, step: Number(found[1]), revision: Number(found[2] ?? 0) }] : [];
    })
    .sort((a, b) => a.step - b.step || a.revision - b.revision);
}

/**
 * The newest snapshot whose every file has the manifest's length and SHA-256; undefined where there is none at all. Each
 * damaged one on the way is reported. Throws `QkvError('run')` where all are damaged. Changes nothing on disk.
 */
export async function latestSnapshot(
  runFolder: string,
  onDamaged: (damaged: DamagedSnapshot) => void,
): Promise<Snapshot | undefined> {
  const found = await listSnapshots(runFolder);
  for (const { name, step } of found.toReversed()) {
    const storage = nodeStorage(join(runFolder, name));
    const problems = await verifySnapshot(storage, step);
    if (problems.length === 0) return { name, step, storage };
    onDamaged({ name, problems });
  }
  if (found.length === 0) return undefined;
  throw new QkvError('run', {
    where: runFolder,
    got: `${found.length} snapshots, all damaged`,
    expected: 'a valid one',
    hint: 'Restore one from a copy, or start anew in another folder',
  });
}

/** What is wrong with a snapshot's files; empty where all is well. */
export async function verifySnapshot(storage: Storage, step: number): Promise<DamagedSnapshot['problems']> {
  let manifest: Manifest;
  try {
    const bytes = await storage.read(manifestFile, 0, await storage.size(manifestFile));
    manifest = Manifest.parse(JSON.parse(decodeUtf8(bytes)));
    for (const file of Object.keys(manifest.files)) checkName(file);
  } catch (cause) {
    return [{ file: manifestFile, problem: reasonOf(cause) }];
  }
  if (manifest.step !== step) {
    return [{ file: manifestFile, problem: `it is of step ${manifest.step}, its folder of step ${step}` }];
  }
  const problems: { file: string; problem: string }[] = [];
  for (const [file, expected] of Object.entries(manifest.files)) {
    try {
      const bytes = await storage.size(file);
      if (bytes !== expected.bytes) problems.push({ file, problem: `${bytes} bytes instead of ${expected.bytes}` });
      else if ((await sha256(storage, file, bytes)) !== expected.sha256) {
        problems.push({ file, problem: 'its SHA-256 is not the one in the manifest: bytes have changed' });
      }
    } catch (cause) {
      problems.push({ file, problem: reasonOf(cause) });
    }
  }
  return problems;
}

async function sha256(storage: Storage, file: string, bytes: number): Promise<string> {
  const hash = createHash('sha256');
  for (let at = 0; at < bytes; at += readBytes) {
    hash.update(await storage.read(file, at, Math.min(readBytes, bytes - at)));
  }
  return hash.digest('hex');
}

function reasonOf(cause: unknown): string {
  if (cause instanceof z.ZodError) return z.prettifyError(cause);
  return cause instanceof Error ? cause.message : String(cause);
}
