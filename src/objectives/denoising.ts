import { QkvError } from '../base/errors.ts';
import { type Key, RandomStream } from '../base/random.ts';
import { requireKnown, requireShare } from './requireOptions.ts';
import { requireSentences, type Sentences } from './sentences.ts';
import { type Infilling, infill } from './textInfilling.ts';

/** One way to damage a text; `probability` is that of doing it to a document (1), `rate` the share of its tokens. */
export type Noise = { readonly probability?: number } & (
  | { readonly kind: 'sentence-permutation' }
  | ({ readonly kind: 'text-infilling' } & Infilling)
  | { readonly kind: 'token-masking'; readonly rate: number }
  | { readonly kind: 'token-deletion'; readonly rate: number }
  | { readonly kind: 'document-rotation' }
);

export interface DenoisingOptions {
  /** Applied one after the other; BART's own (`bartNoise`) by default. */
  readonly noise?: readonly Noise[];
  readonly maskId: number;
  readonly startId: number;
  readonly eosId: number;
}

/** What BART was trained with (§5.1): all sentences permuted, 30% of the tokens infilled with Poisson(3) spans. */
export const bartNoise: readonly Noise[] = [
  { kind: 'sentence-permutation' },
  { kind: 'text-infilling', rate: 0.3, meanLength: 3 },
];

/**
 * Denoising: Lewis et al. 2020 §2.2 (doi:10.18653/v1/2020.acl-main.703). The source is the damaged document, the target the
 * document, both between `startId` and `eosId`.
 *
 * - sentence permutation: the sentences in random order; it has to come first, while sentences are known
 * - text infilling: see `infill`
 * - token masking, token deletion: ⌈rate · n⌉ random tokens become [MASK], or are left out
 * - document rotation: a random token is the first, those before it come last
 *
 * Rates are of the tokens of the document as the noise finds it.
 *
 * @throws QkvError `usage` for options that are unknown or impossible, `data` for an empty document
 */
export function denoising(
  document: Sentences,
  options: DenoisingOptions,
  key: Key,
): { readonly source: Int32Array; readonly target: Int32Array } {
  const { noise = bartNoise, maskId, startId, eosId } = options;
  requireKnown('denoising', options, ['noise', 'maskId', 'startId', 'eosId']);
  noise.forEach(checkNoise);
  requireSentences(document, 'document');
  const stream = new RandomStream(key);
  let sentences: readonly number[][] = document.map((sentence) => Array.from(sentence));
  for (const one of noise) {
    if (stream.uniform() < (one.probability ?? 1)) sentences = damage(sentences, one, maskId, stream);
  }
  const wrap = (tokens: readonly number[]): Int32Array => Int32Array.of(startId, ...tokens, eosId);
  return { source: wrap(sentences.flat()), target: wrap(document.flatMap((sentence) => Array.from(sentence))) };
}

function damage(
  sentences: readonly number[][],
  noise: Noise,
  maskId: number,
  stream: RandomStream,
): readonly number[][] {
  const tokens = sentences.flat();
  switch (noise.kind) {
    case 'sentence-permutation':
      return Array.from(stream.permutation(sentences.length), (i) => sentences[i]!);
    case 'text-infilling':
      return [infill(tokens, noise, maskId, stream).ids];
    case 'token-masking': {
      const chosen = choose(tokens.length, noise.rate, stream);
      return [tokens.map((id, i) => (chosen.has(i) ? maskId : id))];
    }
    case 'token-deletion': {
      const chosen = choose(tokens.length, noise.rate, stream);
      return [tokens.filter((_, i) => !chosen.has(i))];
    }
    case 'document-rotation': {
      if (tokens.length === 0) return [tokens];
      const first = stream.below(tokens.length);
      return [[...tokens.slice(first), ...tokens.slice(0, first)]];
    }
  }
}

/** ⌈rate · n⌉ of 0 … n − 1. */
function choose(n: number, rate: number, stream: RandomStream): Set<number> {
  return new Set(stream.permutation(n).subarray(0, Math.ceil(n * rate)));
}

const names: { readonly [Kind in Noise['kind']]: readonly string[] } = {
  'sentence-permutation': [],
  'text-infilling': ['rate', 'meanLength'],
  'token-masking': ['rate'],
  'token-deletion': ['rate'],
  'document-rotation': [],
};

function checkNoise(noise: Noise, at: number): void {
  const where = `denoising: noise ${at}`;
  if (!Object.hasOwn(names, noise.kind)) {
    const expected = Object.keys(names).join(', ');
    throw new QkvError('usage', { where, got: String(noise.kind), expected });
  }
  requireKnown(where, noise, ['kind', 'probability', ...names[noise.kind]]);
  if (noise.probability !== undefined) requireShare(`${where}: probability`, noise.probability);
  if ('rate' in noise) requireShare(`${where}: rate`, noise.rate);
  if (noise.kind === 'sentence-permutation' && at > 0) {
    throw new QkvError('usage', {
      where,
      got: noise.kind,
      expected: 'it to be the first: later no sentences are left',
    });
  }
}
