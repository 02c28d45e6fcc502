import { visibleToken } from '../../../../src/draw/attention-map.ts';

/** A token as text, whatever its script's direction; spaces and control characters as signs. */
export function TokenText({ text }: { readonly text: string }) {
  return <bdi>{visibleToken(text)}</bdi>;
}
