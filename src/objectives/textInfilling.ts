import { QkvError } from '../base/errors.ts';
import type { RandomStream } from '../base/random.ts';
import { requireShare } from './requireOptions.ts';

export interface Infilling {
  /** Share of the tokens that are taken out. */
  readonly rate: number;
  /** λ of the Poisson distribution of the spans' lengths (3). */
  readonly meanLength?: number;
}

/** Tokens [start, end) of the text; start = end for a mask that stands for nothing. */
export interface TextSpan {
  readonly start: number;
  readonly end: number;
}

/**
 * Text infilling: Lewis et al. 2020 §2.2 (doi:10.18653/v1/2020.acl-main.703). Lengths are drawn from Poisson(λ) until they
 * make ⌈rate · n⌉ tokens, the last cut to that number, as in fairseq's `denoising_dataset.py`; each span becomes one
 * [MASK], and one of length 0 inserts a [MASK]. Spans do not overlap (in fairseq they may, which takes fewer tokens), and
 * every arrangement of them among the tokens that stay is as likely as another.
 *
 * @returns the damaged text, and the spans in their order: mask i stands for span i
 * @throws QkvError `usage` for a rate outside 0 to 1 and a length that cannot be
 */
export function infill(
  tokens: readonly number[],
  { rate, meanLength = 3 }: Infilling,
  maskId: number,
  stream: RandomStream,
): { readonly ids: number[]; readonly spans: readonly TextSpan[] } {
  requireShare('infill: rate', rate);
  if (!(meanLength > 0 && meanLength <= 100)) {
    const expected = 'a number above 0, at most 100';
    throw new QkvError('usage', { where: 'infill: meanLength', got: String(meanLength), expected });
  }
  const budget = Math.ceil(tokens.length * rate);
  const drawn: number[] = [];
  for (let left = budget; left > 0; left -= drawn.at(-1)!) drawn.push(Math.min(left, poisson(meanLength, stream)));
  // shuffled, else the one that was cut would always be the last of the text
  const lengths = Array.from(stream.permutation(drawn.length), (i) => drawn[i]!);
  // spans and kept tokens in a row: which places are spans?
  const kept = tokens.length - budget;
  const places = stream
    .permutation(kept + lengths.length)
    .subarray(0, lengths.length)
    .sort();
  const ids: number[] = [];
  const spans: TextSpan[] = [];
  let at = 0;
  for (const [i, length] of lengths.entries()) {
    const stay = places[i]! - (i === 0 ? 0 : places[i - 1]! + 1);
    ids.push(...tokens.slice(at, at + stay), maskId);
    spans.push({ start: at + stay, end: at + stay + length });
    at += stay + length;
  }
  ids.push(...tokens.slice(at));
  return { ids, spans };
}

/** Knuth's product of uniform numbers: how many it takes to fall to e^−λ, less one. */
function poisson(mean: number, stream: RandomStream): number {
  const floor = Math.exp(-mean);
  let count = 0;
  for (let product = stream.uniform(); product > floor; product *= stream.uniform()) count++;
  return count;
}
