import type { Command } from 'commander';
import { QkvError } from '../../src/base/errors.ts';
import type { Pooling } from '../../src/predict/embedding.ts';
import type { SentenceEncoder } from '../../src/pretrained/sentenceEncoder.ts';
import { type TextFlags, textCommand } from './encoderCommand.ts';
import { oneOf } from './values.ts';

interface Flags extends TextFlags {
  pooling?: Pooling;
  normalize?: boolean;
  prompt?: string;
  similarity?: boolean;
}

interface Row {
  readonly vector: Float32Array;
  /** Cosines with all texts. */
  readonly similarities?: readonly number[];
}

export function embedCommand(): Command {
  let encoder: SentenceEncoder;
  return textCommand<Flags, string, Row>({
    argument: ['[TEXT...]', 'texts; without any, the lines of --file or of standard input'],
    help: [
      'A line for each text, the numbers of its vector with spaces between. A folder of sentence-transformers (modules.json)',
      'says itself how a vector is made; of any other encoder it is the mean of the token vectors.',
      '',
      'Examples:',
      '  qkv embed models/all-MiniLM-L6-v2 "How old are you?" "What is your age?" --similarity',
      '  qkv embed models/all-MiniLM-L6-v2 --file lines.txt --json > vectors.json',
    ],
    head: 'encoder',
    addOptions: (command) =>
      command
        .option(
          '--pooling <way>',
          'mean, cls or max of the token vectors, in place of what the model says',
          oneOf('--pooling', ['mean', 'cls', 'max']),
        )
        .option('--normalize', 'scale vectors to length 1')
        .option('--prompt <name>', 'put the prompt of this name, which the model brings, before each text')
        .option('--similarity', 'print the cosine of each text with each instead'),
    ofArguments: (words) => [...words],
    ofLine: (line) => line,
    parameters: async (location, flags) => {
      const [{ sentenceEncoderAt }, { meanOfTokens }] = await Promise.all([
        import('../../src/pretrained/sentenceEncoder.node.ts'),
        import('../../src/pretrained/sentenceEncoder.ts'),
      ]);
      encoder = adjusted((await sentenceEncoderAt(location)) ?? meanOfTokens, flags);
      return encoder.parameters;
    },
    predict: async ({ session, tokenizer }, texts, { prompt, similarity }, options) => {
      if (similarity && texts.length >= 1024) {
        throw new QkvError('usage', { where: '--similarity', got: '1024 texts or more', expected: 'fewer' });
      }
      const { cosineSimilarities, embed } = await import('../../src/pretrained/embed.ts');
      const vectors = await embed(session, tokenizer, texts, { ...options, encoder, prompt });
      const rows = similarity ? cosineSimilarities(vectors) : undefined;
      return vectors.map((vector, i) => ({ vector, ...(rows && { similarities: rows[i]! }) }));
    },
    text: ({ vector, similarities }) =>
      similarities ? similarities.map((x) => x.toFixed(4)).join(' ') : [...vector].join(' '),
    json: ({ vector, similarities }, text) => ({
      text,
      ...(similarities ? { similarities } : { embedding: [...vector] }),
    }),
  });
}

/** With what the flags say in place of what the model does. */
function adjusted(encoder: SentenceEncoder, { pooling, normalize }: Flags): SentenceEncoder {
  if (pooling && encoder.steps.some(({ kind }) => kind === 'dense')) {
    throw new QkvError('usage', {
      where: '--pooling',
      got: pooling,
      expected: `${encoder.pooling.join(' and ')}, which the model's dense layer is made for`,
    });
  }
  const isNormal = encoder.steps.at(-1)?.kind === 'normalize';
  return {
    ...encoder,
    ...(pooling && { pooling: [pooling] }),
    ...(normalize && !isNormal && { steps: [...encoder.steps, { kind: 'normalize' }] }),
  };
}
