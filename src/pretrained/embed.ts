import { QkvError } from '../base/errors.ts';
import { embeddingTask } from '../predict/embedding.ts';
import type { EncoderRunOptions, EncoderSession } from '../predict/session.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { encodeTexts, type LengthOptions } from './encodeTexts.ts';
import { meanOfTokens, type SentenceEncoder } from './sentenceEncoder.ts';

export interface EmbedOptions extends EncoderRunOptions, Pick<LengthOptions, 'truncate' | 'onTruncate'> {
  /** How a vector is made; the mean of the token vectors when left out. Its `parameters` must be the session's, too. */
  readonly encoder?: SentenceEncoder;
  /** The name of a prompt of the encoder; its default when left out. */
  readonly prompt?: string | undefined;
}

/**
 * A vector for each text, in the order of the texts.
 *
 * @throws QkvError `usage` for texts that are too long, and for a prompt that there is not
 */
export async function embed(
  session: EncoderSession,
  tokenizer: Tokenizer,
  texts: readonly string[],
  { encoder = meanOfTokens, prompt, ...options }: EmbedOptions = {},
): Promise<Float32Array[]> {
  const before = promptOf(encoder, prompt);
  const inputs = texts.map((text) => (encoder.lowercases ? (before + text).toLowerCase() : before + text));
  const encoded = encodeTexts(session.model, tokenizer.encode, inputs, { ...options, maxLength: encoder.maxLength });
  const { pooling, steps } = encoder;
  const results = await session.run(embeddingTask({ pooling, steps }), encoded, options);
  return results.map(({ embedding }) => embedding!.data as Float32Array);
}

function promptOf({ prompts, defaultPrompt, poolsPrompt }: SentenceEncoder, name = defaultPrompt): string {
  if (name === undefined) return '';
  if (!Object.hasOwn(prompts, name)) {
    throw new QkvError('usage', {
      where: 'prompt',
      got: JSON.stringify(name),
      expected: Object.keys(prompts).length > 0 ? `one of ${Object.keys(prompts).join(', ')}` : 'none: there are none',
    });
  }
  if (!poolsPrompt && prompts[name] !== '') {
    throw new QkvError('config', {
      where: 'pooling: include_prompt',
      got: `false, and the prompt ${JSON.stringify(name)}`,
      expected: 'true: tokens of a prompt are pooled like others',
    });
  }
  return prompts[name]!;
}

/** Cosines of the angles between vectors: [n, n], row-major. */
export function cosineSimilarities(vectors: readonly Float32Array[]): number[][] {
  const dot = (a: Float32Array, b: Float32Array): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
  const lengths = vectors.map((x) => Math.sqrt(dot(x, x)));
  return vectors.map((a, i) => vectors.map((b, j) => dot(a, b) / (lengths[i]! * lengths[j]! || 1)));
}
