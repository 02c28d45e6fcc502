import { QkvError } from '../base/errors.ts';
import { bleu } from '../eval/bleu.ts';
import { bleuTokenizers } from '../eval/bleuTokenizers.ts';
import { chrf } from '../eval/chrf.ts';
import { rouge } from '../eval/rouge.ts';
import { GenerationSession } from '../generate/session.ts';
import { forMode } from '../pretrained/generationDefaults.ts';
import { type TranslateOptions, translate } from '../pretrained/translate.ts';
import { pairLoss } from '../train/measureLoss.ts';
import type { Asked, EvaluationKind, MetricValue, Subject } from './evaluation.ts';
import type { Example } from './example.ts';

const OF_TEXTS = ['bleu', 'chrf', 'rouge', 'exact-match'];
const OF_LOSS = ['loss', 'perplexity'];

/** Sources and targets: translations, summaries, spellings. A target may be a list of texts that are all right. */
export const sequenceToSequence: EvaluationKind = {
  models: ['encoder-decoder'],
  metricsOf: () => [...OF_TEXTS, ...OF_LOSS],
  roles: { source: 'source', target: 'target' },
  options: {
    generate: OF_TEXTS,
    tokenize: ['bleu', 'rouge'],
    wordOrder: ['chrf'],
    lowercase: ['bleu', 'chrf'],
  },
  async evaluate(subject, examples, asked) {
    const sources = examples.map((example) => example.text('source'));
    const references = examples.map(referencesOf);
    const isWanted = (names: readonly string[]): boolean => asked.metrics.some((metric) => names.includes(metric));
    const losses = isWanted(OF_LOSS) ? await lossMetrics(subject, sources, references, asked) : {};
    if (!isWanted(OF_TEXTS)) {
      return { metrics: losses, predictions: references.map((reference) => ({ reference })) };
    }
    const generate = forMode({ ...subject.generation, ...asked.generate });
    const { running } = asked;
    using session = new GenerationSession(subject.runtime, subject.model, subject.parameters);
    let truncated = 0;
    const found = await translate(session, subject.tokenizer, sources, {
      ...(running as TranslateOptions),
      generate: { ...generate, ...(running.signal && { signal: running.signal }) },
      truncate: true,
      onTruncate: () => truncated++,
    });
    const texts = found.map(({ text }) => text.replaceAll('\n', ' '));
    return {
      metrics: { ...textMetrics(texts, references, asked), ...losses },
      predictions: texts.map((prediction, i) => ({
        source: sources[i],
        prediction,
        reference: references[i]!.length === 1 ? references[i]![0] : references[i],
        score: found[i]!.score,
      })),
      settings: { maxNewTokens: subject.model.maxLength, ...generate },
      truncated,
    };
  },
};

function referencesOf(example: Example): string[] {
  if (!Array.isArray(example.value('target'))) return [example.text('target')];
  const targets = example.list('target');
  if (targets.length > 0) return targets;
  throw example.wrong('target', targets, 'a text or more');
}

function textMetrics(
  texts: readonly string[],
  references: readonly (readonly string[])[],
  { metrics, tokenize, wordOrder = 0, lowercase = false }: Asked,
): Record<string, MetricValue> {
  const found: Record<string, MetricValue> = {};
  if (metrics.includes('bleu'))
    found['bleu'] = { ...bleu(texts, references, { tokenize: tokenize ?? '13a', lowercase }) };
  if (metrics.includes('chrf')) found['chrf'] = { ...chrf(texts, references, { wordOrder, lowercase }) };
  if (metrics.includes('rouge')) {
    const scores = rouge(texts, references, tokenize ? { tokenize: bleuTokenizers[tokenize] } : {});
    found['rouge'] = { score: scores.rougeL.f1, ...scores, tokenize: tokenize ?? 'rouge-score' };
  }
  if (metrics.includes('exact-match')) {
    const right = texts.filter((text, i) => references[i]!.some((one) => one.trim() === text.trim())).length;
    found['exact-match'] = { score: right / texts.length, right };
  }
  return found;
}

async function lossMetrics(
  { runtime, model, parameters, tokenizer }: Subject,
  sources: readonly string[],
  references: readonly (readonly string[])[],
  { running }: Asked,
): Promise<Record<string, MetricValue>> {
  const pairs = sources.map((source, i) => ({ source, target: references[i]![0]! }));
  const { signal, batchSize, onProgress } = running;
  const measured = await pairLoss({ runtime, model, parameters, tokenizer }, pairs, {
    batchSize,
    onProgress,
    ...(signal && { signal }),
  });
  const { loss, perplexity, tokens, leftOut } = measured;
  if (tokens > 0) return { loss: { score: loss, tokens, leftOut }, perplexity: { score: perplexity, tokens, leftOut } };
  const got = `${leftOut} pairs with a side of more than ${model.maxLength} tokens`;
  throw new QkvError('data', { where: 'loss', got, expected: 'a pair that the model can read' });
}
