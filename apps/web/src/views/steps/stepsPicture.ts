import { visibleToken } from '../../../../../src/draw/attention-map.ts';
import { INK, MUTED } from '../../../../../src/draw/colour.ts';
import { cutText, escapeXml, FONT_FAMILY, px, textElement } from '../../../../../src/draw/svg-text.ts';
import type { HeadSteps } from '../../worker/contract.ts';
import { formatNumber, isForbidden } from '../numbers/formatNumber.ts';
import { row } from './stages.ts';

interface Words {
  readonly model: string;
  readonly token: string;
  readonly keys: readonly string[];
}

const LINE = 22;
const TEXT = 12;
const STRIP = 150;
/** Left edges of the columns: token, key, q·k, scaled, masked, weight, its bar, value. */
const AT = { token: 16, key: 130, products: 356, scaled: 426, masked: 496, weights: 566, bar: 578, value: 690 };
const WIDTH = AT.value + STRIP + 16;
const NEGATIVE = '#b4502f';
const POSITIVE = '#2f6db4';

/** A head's work for one query as one picture: a line for each key, q above and z below. */
export function stepsPicture(steps: HeadSteps, { model, token, keys }: Words): string {
  const { place, head, query, context, headSize, weights } = steps;
  const parts: string[] = [];
  const text = (x: number, y: number, words: string, anchor: 'start' | 'end' = 'start', fill = INK): void => {
    parts.push(textElement(x, y, words, { size: TEXT, anchor, fill }, undefined));
  };
  let y = 24;
  text(AT.token, y, `${model}, ${place.path}, head ${head}: ${visibleToken(token)} (${steps.position})`);
  y += LINE;
  const largest = (of: Float32Array): number => of.reduce((most, x) => Math.max(most, Math.abs(x)), 0) || 1;
  const inner = Math.max(largest(query), largest(steps.keys));
  text(AT.token, y, 'q');
  parts.push(strip(AT.key, y, query, inner));
  y += LINE;
  for (const [column, words] of [
    ['products', 'q·k'],
    ['scaled', `× ${formatNumber(steps.scale)}`],
    ['masked', '+ M'],
    ['weights', 'softmax'],
  ] as const) {
    text(AT[column], y, words, 'end', MUTED);
  }
  text(AT.key, y, 'k', 'start', MUTED);
  text(AT.value, y, 'v', 'start', MUTED);
  const outer = largest(steps.values);
  for (let k = 0; k < weights.length; k++) {
    y += LINE;
    text(AT.token, y, cutText(visibleToken(keys[k] ?? ''), TEXT, AT.key - AT.token - 8));
    parts.push(strip(AT.key, y, row(steps.keys, k, headSize), inner));
    for (const column of ['products', 'scaled', 'masked', 'weights'] as const) {
      const value = steps[column][k]!;
      text(AT[column], y, formatNumber(value), 'end', isForbidden(value) ? MUTED : INK);
    }
    const length = weights[k]! * (AT.value - AT.bar - 12);
    parts.push(`<rect x="${AT.bar}" y="${px(y - 5)}" width="${px(length)}" height="10" fill="${POSITIVE}"/>`);
    parts.push(strip(AT.value, y, row(steps.values, k, headSize), outer));
  }
  y += LINE * 1.25;
  text(AT.value - 12, y, 'z', 'end');
  parts.push(strip(AT.value, y, context, largest(context)));
  const height = y + LINE;
  const title = escapeXml(`${model}, ${place.path}, head ${head}`);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${px(height)}" viewBox="0 0 ${WIDTH} ${px(height)}" font-family="${escapeXml(FONT_FAMILY)}"><title>${title}</title><rect width="100%" height="100%" fill="#ffffff"/>${parts.join('')}</svg>\n`;
}

/** Numbers as squares: the colour is the sign, its strength the size. */
function strip(x: number, y: number, data: Float32Array, largest: number): string {
  const width = STRIP / data.length;
  const cells = Array.from(data, (value, i) => {
    const opacity = Math.sqrt(Math.abs(value) / largest).toFixed(3);
    const fill = value < 0 ? NEGATIVE : POSITIVE;
    return `<rect x="${px(x + i * width)}" y="${px(y - 7)}" width="${px(width)}" height="14" fill="${fill}" fill-opacity="${opacity}"><title>${formatNumber(value)}</title></rect>`;
  });
  return `${cells.join('')}<rect x="${x}" y="${px(y - 7)}" width="${STRIP}" height="14" fill="none" stroke="#d5dae0"/>`;
}
