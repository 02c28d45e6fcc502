import type { AttentionMap as DrawnMap } from '../../../../../src/draw/attention-map.ts';
import { poolWeights } from '../../../../../src/draw/pool.ts';
import { drawSvg } from '../../../../../src/draw/svg.ts';
import type { Exportable } from '../../export/save.ts';
import { attentionTitle } from './attentionTitle.ts';
import { linesSvg } from './linesSvg.ts';
import type { Shown } from './shown.ts';

/** More tokens than this are pooled in a picture of all heads; the numbers are all there. */
const POOLED = 48;

function drawnMap({ side, place, queries, keys, weights }: Shown, head: number): DrawnMap {
  return {
    title: attentionTitle(side.input),
    kind: place.kind,
    layer: place.layer,
    head,
    queryTokens: queries.map((piece) => piece.text),
    keyTokens: keys.map((piece) => piece.text),
    weights: weights(head),
  };
}

/** The same form as `qkv look --json` prints. */
function json(all: readonly Shown[], heads: (shown: Shown) => readonly number[]): unknown {
  const { side } = all[0]!;
  return {
    model: side.card.name,
    text: side.input.text,
    target: side.input.target ?? null,
    pair: side.input.pair ?? null,
    attention: all.flatMap((shown) =>
      heads(shown).map((head) => {
        const { title: _, weights, ...map } = drawnMap(shown, head);
        const columns = shown.keys.length;
        return { ...map, weights: shown.queries.map((_, row) => weights.subarray(row * columns, (row + 1) * columns)) };
      }),
    ),
  };
}

function fileName(shown: Shown, what: string): string {
  return `${shown.side.card.name}-${shown.place.path}-${what}`;
}

/** One head as a map: the numbers are a table with a row for each query. */
export function mapExport(shown: Shown, head: number): Exportable {
  return {
    name: fileName(shown, `head-${head}`),
    svg: () => drawSvg(drawnMap(shown, head)),
    table: () => {
      const weights = shown.weights(head);
      const columns = shown.keys.length;
      return [
        ['', ...shown.keys.map((piece) => piece.text)],
        ...shown.queries.map(({ text }, row) => [text, ...weights.subarray(row * columns, (row + 1) * columns)]),
      ];
    },
    json: () => json([shown], () => [head]),
  };
}

/** Lines of some heads of a place. */
export function linesExport(
  shown: Shown,
  heads: readonly number[],
  query: number | null,
  threshold: number,
): Exportable {
  return {
    name: fileName(shown, heads.length === 1 ? `head-${heads[0]}-lines` : 'lines'),
    svg: () => linesSvg(shown, heads, query, threshold),
    table: () => longTable([shown], () => heads),
    json: () => json([shown], () => heads),
  };
}

/** All heads of all layers of a kind. */
export function gridExport(all: readonly Shown[]): Exportable {
  const heads = (shown: Shown): number[] => Array.from({ length: shown.place.heads }, (_, head) => head);
  return {
    name: `${all[0]!.side.card.name}-${all[0]!.place.kind}-all-heads`,
    svg: () => drawSvg(all.flatMap((shown) => heads(shown).map((head) => poolWeights(drawnMap(shown, head), POOLED)))),
    table: () => longTable(all, heads),
    json: () => json(all, heads),
  };
}

function longTable(all: readonly Shown[], heads: (shown: Shown) => readonly number[]): (string | number)[][] {
  const rows: (string | number)[][] = [['layer', 'head', 'query', 'query token', 'key', 'key token', 'weight']];
  for (const shown of all) {
    for (const head of heads(shown)) {
      const weights = shown.weights(head);
      let at = 0;
      for (const [q, query] of shown.queries.entries()) {
        for (const [k, key] of shown.keys.entries()) {
          rows.push([shown.place.layer, head, q, query.text, k, key.text, weights[at++]!]);
        }
      }
    }
  }
  return rows;
}
