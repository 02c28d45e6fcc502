/**
 * The files of what was dropped: those of one folder (its own, not those of folders in it), or the files themselves.
 * Must be called while the event is handled; afterwards the browser empties it.
 */
export async function droppedFiles(data: DataTransfer): Promise<{ readonly name: string; readonly files: File[] }> {
  const entries = [...data.items].map((item) => item.webkitGetAsEntry()).filter((entry) => entry !== null);
  const files = [...data.files];
  const folder = entries.find((entry): entry is FileSystemDirectoryEntry => entry.isDirectory);
  if (folder === undefined) return { name: files[0]?.name ?? '', files };
  const children = await listFolder(folder);
  const found = await Promise.all(
    children.filter((entry) => entry.isFile).map((entry) => fileOf(entry as FileSystemFileEntry)),
  );
  return { name: folder.name, files: found };
}

/** A reader gives some entries at a time, none at the end. */
async function listFolder(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader();
  const all: FileSystemEntry[] = [];
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return all;
    all.push(...some);
  }
}

function fileOf(entry: FileSystemFileEntry): Promise<File> {
  return new Promise((resolve, reject) => entry.file(resolve, reject));
}

/** Of a chosen folder: its name, and the files directly in it. */
export function chosenFiles(list: FileList): { readonly name: string; readonly files: File[] } {
  const files = [...list];
  const [folder, ...rest] = files[0]?.webkitRelativePath.split('/') ?? [];
  if (folder === undefined || rest.length === 0) return { name: files[0]?.name ?? '', files };
  return { name: folder, files: files.filter((file) => file.webkitRelativePath.split('/').length === 2) };
}
