import type { TextInput } from '../../worker/contract.ts';

/** What the model reads, on one line, as pictures are titled. */
export function attentionTitle({ text, target, pair }: TextInput): string {
  const read = pair === undefined ? text : `${text} | ${pair}`;
  return target === undefined ? read : `${read} → ${target}`;
}
