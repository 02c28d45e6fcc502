import { INK } from '../../../../../src/draw/colour.ts';
import { cutText, escapeXml, FONT_FAMILY, px, textElement } from '../../../../../src/draw/svg-text.ts';
import type { Exportable } from '../../export/save.ts';
import { t } from '../../i18n/predict.ts';
import { opened } from '../../state/open.ts';
import { edits } from '../../state/scene.ts';
import { isolated } from '../../ui/isolated.ts';
import type { Attribution } from '../../worker/contract.ts';
import { formatNumber } from '../numbers/formatNumber.ts';
import { attribution, explainedToken, placeShown, source, target } from './state.ts';

/** A token or a part of the model, and what attribution gives it. */
export interface NamedPart {
  readonly key: string;
  readonly name: string;
  readonly value: number;
}

export function namedParts({ method, source: ofSource, target: ofTarget, parts }: Attribution): readonly NamedPart[] {
  if (method === 'direct-logit') {
    return parts.map(({ name, head, value }) => ({
      key: `${name} ${head}`,
      name: head === null ? name : t('attribution.head', { name, head }),
      value,
    }));
  }
  const tokens = (side: 'source' | 'target', values: Float32Array): NamedPart[] =>
    Array.from(values, (value, i) => {
      const token = (side === 'source' ? source : target).value[i];
      return { key: `${side} ${i}`, name: `${isolated(token?.text ?? '')} (${i})`, value };
    });
  return [...tokens('source', ofSource), ...tokens('target', ofTarget)];
}

/** All parts as numbers, and as bars. */
export function attributionExport(): Exportable | null {
  const shown = attribution.peek().value;
  const card = opened.peek().card;
  if (shown === null || card === null) return null;
  const parts = namedParts(shown);
  const token = explainedToken.peek()?.text ?? '';
  return {
    name: `${card.name}-${shown.method}`,
    svg: () => barsPicture(`${card.name}, ${shown.method}: ${token}`, parts),
    table: () => [['part', 'value'], ...parts.map(({ name, value }) => [name.replace(/[\u2068\u2069]/g, ''), value])],
    json: () => ({ model: card.name, token, place: placeShown.peek(), edits: edits.peek(), ...shown }),
  };
}

const LINE = 20;
const NAMES = 260;
const BARS = 320;
const TEXT = 12;

function barsPicture(title: string, parts: readonly NamedPart[]): string {
  const from = Math.min(0, ...parts.map(({ value }) => value));
  const to = Math.max(0, ...parts.map(({ value }) => value));
  const x = (value: number): number => NAMES + 70 + ((value - from) / (to - from || 1)) * BARS;
  const lines = parts.flatMap(({ name, value }, i) => {
    const y = (i + 2) * LINE;
    const [start, end] = [Math.min(x(0), x(value)), Math.max(x(0), x(value))];
    return [
      textElement(12, y, cutText(name, TEXT, NAMES - 12), { size: TEXT }, undefined),
      textElement(NAMES + 60, y, formatNumber(value), { size: TEXT, anchor: 'end' }, undefined),
      `<rect x="${px(start)}" y="${px(y - 5)}" width="${px(end - start)}" height="10" fill="${value < 0 ? '#b4502f' : '#2566a8'}"/>`,
    ];
  });
  const [width, height] = [NAMES + 70 + BARS + 12, (parts.length + 3) * LINE];
  const head = textElement(12, LINE, title, { size: 13, weight: 600 }, undefined);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="${escapeXml(FONT_FAMILY)}" fill="${INK}"><rect width="100%" height="100%" fill="#ffffff"/>${head}${lines.join('')}</svg>\n`;
}
