import { strongLinks } from './strongLinks.ts';

export interface LinesScene {
  readonly height: number;
  readonly scrolled: number;
  /** Where the lines begin and end, and the outer edges of the columns of tokens, px. */
  readonly left: number;
  readonly right: number;
  readonly width: number;
  readonly rowHeight: number;
  readonly columns: number;
  readonly rows: number;
  readonly heads: readonly { readonly weights: Float32Array; readonly largest: number; readonly colour: string }[];
  readonly threshold: number;
  /** One token is looked at: only its links are drawn, and the tokens at their other ends are coloured. */
  readonly query: number | null;
  readonly key: number | null;
}

/** Steps of strength; lines of one step and head are one path. */
const STEPS = 12;
/** More lines than this are straight. */
const CURVED = 8000;

export function drawLines(context: CanvasRenderingContext2D, scene: LinesScene): void {
  context.lineCap = 'round';
  if (scene.query === null && scene.key === null) drawAll(context, scene);
  else drawFocus(context, scene);
}

function drawAll(context: CanvasRenderingContext2D, scene: LinesScene): void {
  const { heads, columns, rowHeight, height, scrolled, threshold } = scene;
  const firstRow = Math.floor(scrolled / rowHeight) - 1;
  const lastRow = Math.ceil((scrolled + height) / rowHeight);
  const share = 1 / Math.sqrt(heads.length);
  for (const { weights, colour } of heads) {
    const links = strongLinks(weights, columns);
    const isCurved = links.weights.length < CURVED;
    const paths: (Path2D | undefined)[] = [];
    for (let i = 0; i < links.weights.length; i++) {
      const [from, to, weight] = [links.queries[i]!, links.keys[i]!, links.weights[i]!];
      if (weight < threshold) continue;
      if ((from < firstRow && to < firstRow) || (from > lastRow && to > lastRow)) continue;
      const step = Math.min(STEPS - 1, Math.floor(weight * STEPS));
      addLine((paths[step] ??= new Path2D()), scene, from, to, isCurved);
    }
    context.strokeStyle = colour;
    for (const [step, path] of paths.entries()) {
      if (path === undefined) continue;
      const strength = (step + 0.5) / STEPS;
      context.globalAlpha = (0.06 + 0.84 * strength) * share;
      context.lineWidth = 0.75 + 1.75 * strength;
      context.stroke(path);
    }
  }
  context.globalAlpha = 1;
}

function drawFocus(context: CanvasRenderingContext2D, scene: LinesScene): void {
  const { heads, columns, rows, query, key, rowHeight, scrolled, left, right, width, threshold } = scene;
  // From a query the keys at the right are coloured, from a key the queries at the left.
  const isQuery = query !== null;
  const count = isQuery ? columns : rows;
  const [edge, room] = isQuery ? [right, width - right] : [0, left];
  const stripe = room / heads.length;
  for (const [at, { weights, colour, largest }] of heads.entries()) {
    context.strokeStyle = colour;
    context.fillStyle = colour;
    for (let other = 0; other < count; other++) {
      const [from, to] = isQuery ? [query, other] : [other, key!];
      const weight = weights[from * columns + to]!;
      if (weight < Math.max(threshold, 0.001)) continue;
      context.globalAlpha = 0.45 * Math.sqrt(Math.min(1, weight / (largest || 1)));
      context.fillRect(edge + at * stripe, other * rowHeight - scrolled + 1, stripe, rowHeight - 2);
      if (weight < 0.004) continue;
      const path = new Path2D();
      addLine(path, scene, from, to, true);
      context.globalAlpha = 0.15 + 0.85 * Math.sqrt(weight);
      context.lineWidth = 0.75 + 2.5 * weight;
      context.stroke(path);
    }
  }
  context.globalAlpha = 1;
}

function addLine(path: Path2D, scene: LinesScene, from: number, to: number, isCurved: boolean): void {
  const { left, right, rowHeight, scrolled } = scene;
  const [y1, y2] = [(from + 0.5) * rowHeight - scrolled, (to + 0.5) * rowHeight - scrolled];
  path.moveTo(left, y1);
  const bend = (right - left) * 0.4;
  if (!isCurved) path.lineTo(right, y2);
  else path.bezierCurveTo(left + bend, y1, right - bend, y2, right, y2);
}
