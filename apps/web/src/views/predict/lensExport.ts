import { visibleToken } from '../../../../../src/draw/attention-map.ts';
import { hexColour, INK, MUTED, textColour, weightColour } from '../../../../../src/draw/colour.ts';
import { cutText, escapeXml, FONT_FAMILY, px, textElement } from '../../../../../src/draw/svg-text.ts';
import type { Exportable } from '../../export/save.ts';
import { opened } from '../../state/open.ts';
import { edits } from '../../state/scene.ts';
import type { Lens, Token } from '../../worker/contract.ts';
import { formatPercent } from '../numbers/formatNumber.ts';
import { lens, target } from './state.ts';

/** The lens as picture and numbers. */
export function lensExport(): Exportable | null {
  const shown = lens.peek().value;
  const card = opened.peek().card;
  if (shown === null || card === null) return null;
  const tokens = shown.positions.map((position) => target.peek()[position]!);
  return {
    name: `${card.name}-${shown.kind}-lens`,
    svg: () => lensPicture(shown, tokens),
    table: () => [
      ['layer', 'position', 'token', 'rank', 'choice', 'probability', 'entropy'],
      ...shown.layers.flatMap((layer, l) =>
        shown.positions.flatMap((position, c) =>
          shown.choices[l]![c]!.map(({ token, probability }, rank) => [
            layer,
            position,
            tokens[c]!.text,
            rank + 1,
            token.text,
            probability,
            shown.entropy[l]![c]!,
          ]),
        ),
      ),
    ],
    json: () => ({ model: card.name, edits: edits.peek(), tokens, ...shown }),
  };
}

const CELL = 76;
const LINE = 34;
const NAMES = 130;
const TEXT = 12;

function lensPicture({ layers, choices }: Lens, tokens: readonly Token[]): string {
  const width = NAMES + tokens.length * CELL + 12;
  const height = (layers.length + 1) * LINE + 12;
  const parts = tokens.map((token, c) =>
    textElement(
      NAMES + c * CELL + 4,
      LINE / 2,
      cutText(visibleToken(token.text), TEXT, CELL - 8),
      { size: TEXT },
      undefined,
    ),
  );
  for (const [l, layer] of layers.entries()) {
    const y = (layers.length - l) * LINE;
    parts.push(textElement(NAMES - 8, y + LINE / 2, layer, { size: TEXT, anchor: 'end', fill: MUTED }, undefined));
    for (const [c] of tokens.entries()) {
      const { token, probability } = choices[l]![c]![0]!;
      const x = NAMES + c * CELL;
      const fill = textColour(probability);
      parts.push(
        `<rect x="${px(x)}" y="${px(y)}" width="${CELL - 1}" height="${LINE - 1}" fill="${hexColour(weightColour(probability))}"/>`,
        textElement(x + 4, y + 11, cutText(visibleToken(token.text), TEXT, CELL - 8), { size: TEXT, fill }, undefined),
        textElement(x + 4, y + 25, formatPercent(probability), { size: 10, fill }, undefined),
      );
    }
  }
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="${escapeXml(FONT_FAMILY)}" fill="${INK}"><rect width="100%" height="100%" fill="#ffffff"/>${parts.join('')}</svg>\n`;
}
