import { QkvError } from '../../../../src/base/errors.ts';
import { checkName, type Storage } from '../../../../src/checkpoint/storage.ts';
import { savePretrained } from '../../../../src/pretrained/pretrained.ts';
import type { SnapshotContents } from '../../../../src/train/trainer.ts';

/** The files of the model folder of a snapshot, by name. */
export async function modelFolder({
  task,
  arena,
}: SnapshotContents): Promise<ReadonlyMap<string, Uint8Array<ArrayBuffer>>> {
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  const { model, tokenizerFiles, generationConfig } = task;
  await savePretrained(collecting(files), {
    model,
    arena,
    tokenizerFiles,
    ...(generationConfig && { generationConfig }),
  });
  return files;
}

/** A folder that is only written to. */
function collecting(files: Map<string, Uint8Array<ArrayBuffer>>): Storage {
  const refuse = async (): Promise<never> => {
    throw new QkvError('io', { where: 'model folder', got: 'a read', expected: 'writes' });
  };
  return {
    location: 'model folder',
    list: async () => [...files.keys()],
    size: refuse,
    read: refuse,
    async writeAtomic(name, chunks) {
      checkName(name);
      const parts: Uint8Array<ArrayBuffer>[] = [];
      // copied at once: the weights go on changing
      for await (const chunk of chunks) parts.push(chunk.slice());
      files.set(name, await new Blob(parts).bytes());
    },
    async remove(name) {
      files.delete(name);
    },
  };
}
