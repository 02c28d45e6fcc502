/** Where the parts of a large map lie, CSS px. */
export interface MapGeometry {
  readonly cell: number;
  /** Space for the words at the left and above. */
  readonly left: number;
  readonly top: number;
  /** Space at the right, into which slanted words of the last columns reach. */
  readonly right: number;
  /** Size of everything, of which the canvas shows a part. */
  readonly width: number;
  readonly height: number;
  /** Words are slanted, upright, or only written for the row and column looked at. */
  readonly words: 'slanted' | 'upright' | 'none';
}

const LARGEST = 44;
const READABLE = 9;
const ROOMY = 15;

/** `zoom` 0: as large as fits into `room`, but at least a pixel; else the side of a cell. `longest`: widths of the longest words. */
export function mapGeometry(
  rows: number,
  columns: number,
  zoom: number,
  room: { readonly width: number; readonly height: number },
  longest: { readonly query: number; readonly key: number },
): MapGeometry {
  const left = Math.min(longest.query, room.width * 0.3) + 12;
  const slant = Math.min(longest.key, 140) * Math.SQRT1_2 + 10;
  const side = (top: number, right: number): number =>
    Math.min(LARGEST, (room.width - left - right) / columns, (room.height - top) / rows);
  const free = zoom > 0 ? zoom : side(slant, slant * 0.8);
  const words = free >= ROOMY ? 'slanted' : free >= READABLE ? 'upright' : 'none';
  const top = words === 'slanted' ? slant : words === 'upright' ? Math.min(longest.key, 140) + 10 : 24;
  const right = words === 'slanted' ? slant * 0.8 : 8;
  const exact = zoom > 0 ? zoom : Math.max(1, side(top, right));
  const cell = exact >= 4 ? Math.floor(exact) : exact;
  return { cell, left, top, right, width: left + columns * cell + right, height: top + rows * cell + 2, words };
}
