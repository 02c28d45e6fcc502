import { QkvError } from '../base/errors.ts';
import { type Key, RandomStream } from '../base/random.ts';
import { requireAtLeast, requireKnown, requireShare } from './requireOptions.ts';
import { roundHalfEven } from './roundHalfEven.ts';

export interface SpanOptions {
  /** Share of the tokens that are taken out (0.15). */
  readonly noiseDensity?: number;
  /** Tokens of a span on average (3). */
  readonly meanSpanLength?: number;
}

export interface SpanCorruptionOptions extends SpanOptions {
  /** `<extra_id_0>`, the last id of T5's vocabulary; sentinel i is `firstSentinelId − i`. */
  readonly firstSentinelId: number;
  /** How many sentinels there are (100). */
  readonly sentinels?: number;
  readonly eosId: number;
}

/** A text with spans taken out, and what was taken. */
export interface CorruptedText {
  /** Kept tokens, a sentinel in the place of each span, the end token. */
  readonly source: Int32Array;
  /** Each sentinel and behind it the tokens of its span, the end token. */
  readonly target: Int32Array;
}

/**
 * Span corruption: Raffel et al. 2020 §3.1.4 and §3.3.4 (arXiv:1910.10683), as the released code does it
 * (`random_spans_noise_mask` in https://github.com/google-research/text-to-text-transfer-transformer): of n tokens
 * m = round(n · density), from 1 to n − 1, are noise, in k = max(1, round(m / mean length)) spans. Kept and taken stretches
 * alternate, a kept one first and a taken one last, and every way to cut m tokens into k spans and n − m into k stretches is
 * as likely as another. Figure 2 of the paper ends the target with one more sentinel; the code and its models do not.
 *
 * @param ids two tokens at least, without special ones
 * @throws QkvError `usage` for options that are unknown or impossible and for too few tokens or sentinels
 */
export function spanCorruption(ids: ArrayLike<number>, options: SpanCorruptionOptions, key: Key): CorruptedText {
  const { firstSentinelId, sentinels = 100, eosId, ...spanOptions } = options;
  const spans = noiseSpans(ids.length, spanOptions, new RandomStream(key));
  if (spans.length > sentinels) {
    throw new QkvError('usage', {
      where: 'spanCorruption: sentinels',
      got: `${sentinels} for ${spans.length} spans in ${ids.length} tokens`,
      expected: 'one for each span',
      hint: 'Cut the text shorter, or take fewer and longer spans',
    });
  }
  const source: number[] = [];
  const target: number[] = [];
  const tokens = Array.from(ids);
  let at = 0;
  for (const [i, { start, end }] of spans.entries()) {
    source.push(...tokens.slice(at, start), firstSentinelId - i);
    target.push(firstSentinelId - i, ...tokens.slice(start, end));
    at = end;
  }
  return { source: Int32Array.of(...source, eosId), target: Int32Array.of(...target, eosId) };
}

/**
 * How many tokens a text must have so that its source is exactly `sourceLength` long, end token included (one shorter
 * where spans are so short and dense that no text gives it): 568 for 512, where the target has 114. A text cut to this
 * length needs no padding. As `random_spans_helper` of the released code, but for two things in which that differs from
 * its own masks: a text has one span at least, and a density of a half is no special case.
 */
export function spanCorruptionLengths(
  sourceLength: number,
  options: SpanOptions = {},
): { readonly tokens: number; readonly source: number; readonly target: number } {
  requireAtLeast('spanCorruptionLengths: sourceLength', sourceLength, 3);
  const lengths = (tokens: number): { tokens: number; source: number; target: number } => {
    const { noise, spans } = noiseCounts(tokens, options);
    return { tokens, source: tokens - noise + spans + 1, target: noise + spans + 1 };
  };
  let found = lengths(Math.max(2, sourceLength - 1));
  for (let next = found; next.source <= sourceLength; next = lengths(next.tokens + 1)) found = next;
  return found;
}

/** Spans [start, end) of noise in their order. */
function noiseSpans(length: number, options: SpanOptions, stream: RandomStream): { start: number; end: number }[] {
  const { noise, spans } = noiseCounts(length, options);
  const taken = segmentation(noise, spans, stream);
  const kept = segmentation(length - noise, spans, stream);
  let at = 0;
  return taken.map((size, i) => {
    const start = at + kept[i]!;
    at = start + size;
    return { start, end: at };
  });
}

function noiseCounts(
  length: number,
  { noiseDensity = 0.15, meanSpanLength = 3, ...unknown }: SpanOptions,
): { readonly noise: number; readonly spans: number } {
  requireKnown('spanCorruption', unknown, ['noiseDensity', 'meanSpanLength', 'firstSentinelId', 'sentinels', 'eosId']);
  requireAtLeast('spanCorruption: tokens', length, 2);
  requireShare('spanCorruption: noiseDensity', noiseDensity);
  if (!(meanSpanLength >= 1)) {
    const expected = 'a number from 1';
    throw new QkvError('usage', { where: 'spanCorruption: meanSpanLength', got: String(meanSpanLength), expected });
  }
  const noise = Math.min(Math.max(roundHalfEven(length * noiseDensity), 1), length - 1);
  // a stretch is kept before each span, which bounds their number where the density is high
  const spans = Math.min(Math.max(roundHalfEven(noise / meanSpanLength), 1), length - noise);
  return { noise, spans };
}

/** `total` as the sum of `parts` positive numbers, every such list equally likely: cuts at parts − 1 of total − 1 places. */
function segmentation(total: number, parts: number, stream: RandomStream): number[] {
  const cuts = [...stream.permutation(total - 1).subarray(0, parts - 1)].map((at) => at + 1).sort((a, b) => a - b);
  return [...cuts, total].map((end, i) => end - (cuts[i - 1] ?? 0));
}
