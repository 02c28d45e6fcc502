import { csv } from './csv.ts';

/** A picture that can be taken along, with its numbers. Nothing is made before it is asked for. */
export interface Exportable {
  /** The file's name without its ending. */
  readonly name: string;
  /** One self-contained SVG document with a size. */
  readonly svg: () => string;
  /** The first row names the columns. */
  readonly table: () => readonly (readonly (string | number)[])[];
  /** What JSON writes: numbers as they are. */
  readonly json: () => unknown;
}

/** Longest side of a PNG, px: browsers refuse larger canvases. */
const LONGEST = 8192;

export function saveSvg(picture: Exportable): void {
  saveFile(`${picture.name}.svg`, new Blob([picture.svg()], { type: 'image/svg+xml' }));
}

/** Twice as large as the SVG says, for sharp screens. @throws Error where the browser cannot draw it. */
export async function savePng(picture: Exportable): Promise<void> {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(picture.svg())}`;
  await image.decode();
  const scale = Math.min(2, LONGEST / Math.max(image.naturalWidth, image.naturalHeight));
  const canvas = document.createElement('canvas');
  canvas.width = Math.round(image.naturalWidth * scale);
  canvas.height = Math.round(image.naturalHeight * scale);
  const context = canvas.getContext('2d');
  context?.drawImage(image, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done, 'image/png'));
  if (blob === null) throw new Error(`${canvas.width} × ${canvas.height} px`);
  saveFile(`${picture.name}.png`, blob);
}

export function saveCsv(picture: Exportable): void {
  saveFile(`${picture.name}.csv`, new Blob([csv(picture.table())], { type: 'text/csv' }));
}

export function saveJson(picture: Exportable): void {
  // Typed arrays would become objects with a key for each number.
  const plain = (_: string, value: unknown): unknown =>
    ArrayBuffer.isView(value) ? Array.from(value as unknown as ArrayLike<number>) : value;
  saveFile(`${picture.name}.json`, new Blob([JSON.stringify(picture.json(), plain)], { type: 'application/json' }));
}

function saveFile(name: string, blob: Blob): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(blob);
  link.download = name.replace(/[^\p{L}\p{N}._-]+/gu, '-');
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
