/** The grounds of tokens. Ink stays readable on all of them: at most this much of a colour is mixed in. */
const MOST = 45;

/** A colour for a signed value, |value| at most `largest`. */
export function signedGround(value: number, largest: number): string {
  const strength = largest === 0 ? 0 : Math.round(MOST * Math.min(1, Math.abs(value) / largest));
  return `color-mix(in oklab, var(--number-${value < 0 ? 'negative' : 'positive'}) ${strength}%, var(--paper))`;
}

/** Of a share from 0 to 1. */
export function shareGround(share: number): string {
  return `color-mix(in oklab, var(--accent) ${Math.round(MOST * Math.min(1, Math.max(0, share)))}%, var(--paper))`;
}

/** Nats that have the strongest line: a token that had one chance in about 1,100. */
export const MOST_LOSS = 7;

/** A line below a token: the more loss, the stronger. */
export function lossLine(loss: number | null): string {
  if (loss === null) return 'none';
  const strength = Math.round(100 * Math.min(1, loss / MOST_LOSS));
  const colour = `color-mix(in oklab, var(--loss) ${strength}%, var(--line))`;
  return `linear-gradient(${colour}, ${colour}) bottom / 100% 4px no-repeat`;
}
