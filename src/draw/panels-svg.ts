import type { Picture } from './svg.ts';
import { escapeXml, FONT_FAMILY } from './svg-text.ts';

export interface PanelsOptions {
  /** Prefix of the ids inside, unique where several pictures share a page. */
  readonly id: string;
  /** What the whole is called; the panels' titles when left out. */
  readonly title?: string;
}

/** Panels in rows of `columns`. */
export interface PanelBlock {
  readonly panels: readonly Picture[];
  readonly columns: number;
}

/** Panels as one self-contained SVG document on a white ground: block below block, each row as high as its highest panel. */
export function panelsSvg(blocks: readonly PanelBlock[], { id, title }: PanelsOptions): string {
  let [width, height] = [0, 0];
  const placed: string[] = [];
  for (const { panels, columns } of blocks) {
    const rows = Array.from({ length: Math.ceil(panels.length / columns) }, (_, r) =>
      panels.slice(r * columns, (r + 1) * columns),
    );
    const widths = Array.from({ length: columns }, (_, c) => Math.max(0, ...rows.map((row) => row[c]?.width ?? 0)));
    for (const row of rows) {
      let x = 0;
      for (const [c, { body }] of row.entries()) {
        placed.push(x === 0 && height === 0 ? body : `<g transform="translate(${x} ${height})">\n${body}\n</g>`);
        x += widths[c]!;
      }
      height += Math.ceil(Math.max(...row.map((panel) => panel.height)));
      width = Math.max(width, Math.ceil(x));
    }
  }
  const panels = blocks.flatMap((block) => block.panels);
  const name = title ?? panels.map((panel) => panel.title).join('; ');
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-labelledby="${id}-title ${id}-desc" font-family="${escapeXml(FONT_FAMILY)}">`,
    `<title id="${id}-title">${escapeXml(name)}</title>`,
    `<desc id="${id}-desc">${escapeXml(panels.map(({ description }) => description).join(' '))}</desc>`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    ...placed,
    '</svg>\n',
  ].join('\n');
}
