import { visibleToken } from '../../../../src/draw/attention-map.ts';

/** A token inside a sentence of the page: visible, and its direction kept to itself (first strong isolate). */
export function isolated(text: string): string {
  return `\u2068${visibleToken(text)}\u2069`;
}
