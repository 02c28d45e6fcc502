import { visibleToken } from '../../../../../src/draw/attention-map.ts';
import { textColour } from '../../../../../src/draw/colour.ts';
import type { Palette } from '../../ui/palette.ts';
import type { Piece } from './arrange.ts';
import type { MapGeometry } from './mapGeometry.ts';
import type { Pointer } from './pointer.ts';
import type { Shown } from './shown.ts';

interface Scene {
  readonly width: number;
  readonly height: number;
  readonly geometry: MapGeometry;
  readonly scrolled: { readonly x: number; readonly y: number };
  /** A pixel for each weight. */
  readonly heat: HTMLCanvasElement;
  readonly shown: Shown;
  readonly weights: Float32Array;
  readonly max: number;
  readonly dark: boolean;
  readonly colours: Palette;
  /** Row that is held. */
  readonly held: number | null;
  readonly pointer: Pointer;
  readonly isKeyHidden: (column: number) => boolean;
}

/** Cells of this side have their weights written in them. */
const WRITTEN = 30;
const LINED = 12;

/** Draws the part of the map that is on the screen: cells, words, cursor. */
export function drawMap(context: CanvasRenderingContext2D, scene: Scene): void {
  const { width, height, geometry, scrolled, heat, shown, colours, held, pointer } = scene;
  const { cell, left, top } = geometry;
  const [rows, columns] = [shown.queries.length, shown.keys.length];
  const firstRow = Math.max(0, Math.floor(scrolled.y / cell));
  const lastRow = Math.min(rows, Math.ceil((scrolled.y + height - top) / cell));
  const firstColumn = Math.max(0, Math.floor(scrolled.x / cell));
  const lastColumn = Math.min(columns, Math.ceil((scrolled.x + width - left) / cell));
  const x = (column: number): number => left + column * cell - scrolled.x;
  const y = (row: number): number => top + row * cell - scrolled.y;
  const [visibleRows, visibleColumns] = [lastRow - firstRow, lastColumn - firstColumn];
  if (visibleRows <= 0 || visibleColumns <= 0) return;

  context.save();
  context.beginPath();
  context.rect(left - 1, top - 1, width, height);
  context.clip();
  context.imageSmoothingEnabled = cell < 1;
  const [px, py] = [x(firstColumn), y(firstRow)];
  const [pw, ph] = [visibleColumns * cell, visibleRows * cell];
  context.drawImage(heat, firstColumn, firstRow, visibleColumns, visibleRows, px, py, pw, ph);
  if (cell >= LINED) {
    context.fillStyle = colours.paper;
    for (let row = firstRow; row <= lastRow; row++) context.fillRect(px, y(row) - 0.5, pw, 1);
    for (let column = firstColumn; column <= lastColumn; column++) context.fillRect(x(column) - 0.5, py, 1, ph);
  }
  if (cell >= WRITTEN) writeWeights(context, scene, [firstRow, lastRow], [firstColumn, lastColumn], x, y);
  context.strokeStyle = colours.line;
  context.lineWidth = 1;
  context.strokeRect(x(0) - 0.5, y(0) - 0.5, columns * cell + 1, rows * cell + 1);
  if (held !== null) {
    context.strokeStyle = colours.accent;
    context.lineWidth = 1.5;
    context.strokeRect(x(0), y(held), columns * cell, Math.max(cell, 2));
  }
  if (pointer.query !== null && pointer.key !== null) {
    context.strokeStyle = colours.focus;
    context.lineWidth = 2;
    context.strokeRect(x(pointer.key) - 1, y(pointer.query) - 1, Math.max(cell, 3) + 1, Math.max(cell, 3) + 1);
  }
  context.restore();

  const size = Math.min(12, Math.max(8, cell - 1));
  const all = geometry.words !== 'none';
  for (let row = firstRow; row < lastRow; row++) {
    const isNow = row === pointer.query || row === held;
    if (all || isNow) rowWord(context, shown.queries[row]!, y(row) + cell / 2, isNow, all ? size : 12, scene);
  }
  for (let column = firstColumn; column < lastColumn; column++) {
    const isNow = column === pointer.key;
    if (all || isNow) columnWord(context, column, x(column) + cell / 2, isNow, all ? size : 12, scene);
  }
}

function writeWeights(
  context: CanvasRenderingContext2D,
  { weights, max, shown, geometry, dark, colours }: Scene,
  [firstRow, lastRow]: readonly [number, number],
  [firstColumn, lastColumn]: readonly [number, number],
  x: (column: number) => number,
  y: (row: number) => number,
): void {
  const { cell } = geometry;
  context.font = `${Math.min(12, cell * 0.34)}px ${colours.sans}`;
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  for (let row = firstRow; row < lastRow; row++) {
    for (let column = firstColumn; column < lastColumn; column++) {
      const weight = weights[row * shown.keys.length + column]!;
      if (weight < 0.005) continue;
      // The dark ramp goes from dark to light with the weight.
      const strength = Math.min(1, weight / max);
      context.fillStyle = dark ? (strength < 0.5 ? '#ffffff' : '#000000') : textColour(strength);
      const text = weight >= 0.995 ? '1' : weight.toFixed(2).slice(1);
      context.fillText(text, x(column) + cell / 2, y(row) + cell / 2);
    }
  }
}

function rowWord(
  context: CanvasRenderingContext2D,
  piece: Piece,
  y: number,
  isNow: boolean,
  size: number,
  { geometry, colours, height }: Scene,
): void {
  if (y < geometry.top || y > height) return;
  context.font = `${isNow ? '600 ' : ''}${size}px ${colours.sans}`;
  context.fillStyle = isNow ? colours.ink : colours.muted;
  context.textAlign = 'right';
  context.textBaseline = 'middle';
  context.fillText(cut(context, piece.text, geometry.left - 10), geometry.left - 6, y);
}

function columnWord(
  context: CanvasRenderingContext2D,
  column: number,
  x: number,
  isNow: boolean,
  size: number,
  { geometry, colours, shown, isKeyHidden }: Scene,
): void {
  if (x < geometry.left) return;
  const hidden = isKeyHidden(column);
  context.save();
  context.font = `${isNow ? '600 ' : ''}${size}px ${colours.sans}`;
  context.fillStyle = hidden ? colours.edited : isNow ? colours.ink : colours.muted;
  context.textAlign = geometry.words === 'none' ? 'center' : 'left';
  context.textBaseline = 'middle';
  context.translate(x, geometry.top - 7);
  if (geometry.words === 'slanted') context.rotate(-Math.PI / 4);
  else if (geometry.words === 'upright') context.rotate(-Math.PI / 2);
  const text = cut(context, shown.keys[column]!.text, 140);
  context.fillText(text, 0, 0);
  if (hidden) {
    const length = context.measureText(text).width;
    context.fillRect(geometry.words === 'none' ? -length / 2 : 0, -0.5, length, 1);
  }
  context.restore();
}

/** The word, or as much of it as fits, with `…`. */
function cut(context: CanvasRenderingContext2D, word: string, room: number): string {
  const text = visibleToken(word);
  if (context.measureText(text).width <= room) return text;
  const characters = [...text];
  while (characters.length > 1 && context.measureText(`${characters.join('')}…`).width > room) characters.pop();
  return `${characters.join('')}…`;
}
