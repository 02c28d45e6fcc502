import { brief } from '../base/brief.ts';
import { QkvError } from '../base/errors.ts';
import { float32 } from '../base/tensor.ts';
import { type DataRecord, fieldText } from '../data/records.ts';
import { pearson, spearman } from '../eval/correlation.ts';
import { embeddingTask, type Pooling } from '../predict/embedding.ts';
import { encodeTexts } from '../pretrained/encodeTexts.ts';
import { meanOfTokens, type SentenceEncoder } from '../pretrained/sentenceEncoder.ts';
import type { SentenceEmbeddingRecipe } from '../recipe/headRecipes.ts';
import type { TokenizerFiles } from '../tokenizer/tokenizerFiles.ts';
import { embeddingHead } from './embeddingHead.ts';
import { type HeadExample, headParts, type Predictor, type RecordParts, trainHead } from './headTask.ts';
import type { StartingPoint } from './recipeModel.ts';
import type { TrainingTask } from './task.ts';

interface Example extends HeadExample {
  readonly pair: readonly [string, string];
  /** NaN where there is none. */
  readonly score: number;
}

/** Vectors of texts, learnt from pairs; `encoder` is how the model that is trained further makes them, where it says so. */
export function sentenceEmbeddingTask(
  recipe: SentenceEmbeddingRecipe,
  records: RecordParts,
  files: TokenizerFiles,
  start: (StartingPoint & { readonly sentenceEncoder?: SentenceEncoder | undefined }) | undefined,
  predictor: Predictor,
): TrainingTask {
  const { fields } = recipe.data;
  const { objective } = recipe;
  const encoder = encoderOf(recipe, start?.sentenceEncoder);
  const parts = headParts(recipe, 'encoder', {}, files, start);
  const model = { ...parts.model, head: embeddingHead(parts.model.head, encoder, objective) };
  const { tokenizer } = parts;
  const maxLength = recipe.train.maxLength ?? Math.min(encoder.maxLength ?? parts.maxLength, parts.maxLength);
  const before = encoder.defaultPrompt === undefined ? '' : encoder.prompts[encoder.defaultPrompt]!;
  const exampleOf = (record: DataRecord): Example => {
    const pair: [string, string] = [fieldText(record, fields.text), fieldText(record, fields.pair)];
    const read = pair.map((text) => (encoder.lowercases ? (before + text).toLowerCase() : before + text));
    const options = { truncate: true, maxLength, nameOf: () => record.where };
    const texts = encodeTexts(model, tokenizer.encode, read, options).map(({ ids }) => ({ ids }));
    return { texts, pair, score: fields.score === undefined ? Number.NaN : scoreOf(record, fields.score) };
  };
  const train = records.train.map(exampleOf);
  const validation = records.validation.map(exampleOf);
  const test = records.test.map(exampleOf);
  const hasScores = fields.score !== undefined;
  const metric = recipe.evaluate.metric ?? (hasScores ? 'spearman' : 'accuracy');
  if (metric !== 'accuracy' && !hasScores) {
    throw new QkvError('recipe', { where: 'evaluate.metric', got: metric, expected: 'accuracy: data have no scores' });
  }
  const session = predictor(model);
  const isWhole = objective.loss === 'contrastive';
  // no loss reaches a pooler; it stays, for what reads the folder
  const declarations = parts.declarations.map((one) =>
    one.path.startsWith('pooler.') ? { ...one, trainable: false } : one,
  );
  return trainHead(
    { ...parts, model, declarations, maxLength },
    {
      train,
      validation,
      asked: { validation, test },
      labelSmoothing: 0,
      isWhole,
      labels: (examples): Record<string, ReturnType<typeof float32>> =>
        isWhole
          ? {}
          : {
              labels: float32(
                [examples.length],
                examples.map(({ score }) => score),
              ),
            },
      modelFiles: encoderFiles(encoder, maxLength, model.width),
      examine: async (examples) => {
        const results = await session().run(
          embeddingTask(encoder),
          examples.flatMap(({ texts }) => texts),
        );
        const vectors = results.map(({ embedding }) => unit(embedding!.data as Float32Array));
        const [a, b] = [0, 1].map((side) => examples.map((_, i) => vectors[2 * i + side]!)) as [
          Float64Array[],
          Float64Array[],
        ];
        const cosines = a.map((x, i) => dot(x, b[i]!));
        const actual = examples.map(({ score }) => score);
        const scores = hasScores
          ? { spearman: spearman(cosines, actual), pearson: pearson(cosines, actual) }
          : { accuracy: shareFound(a, b) };
        return {
          score: (scores as Readonly<Record<string, number>>)[metric]!,
          scoreName: metric,
          scores,
          sentences: examples.length,
          samples: examples.slice(0, 3).map(({ pair, score }, i) => ({
            input: `${pair.join(' | ')} → `,
            output: cosines[i]!.toFixed(3) + (hasScores ? ` (${score})` : ''),
          })),
        };
      },
    },
  );
}

function encoderOf({ objective }: SentenceEmbeddingRecipe, stored: SentenceEncoder | undefined): SentenceEncoder {
  const { pooling } = objective;
  if (!stored) return { ...meanOfTokens, pooling: [pooling ?? 'mean'] };
  const wrong = (where: string, got: string, expected: string): QkvError =>
    new QkvError('recipe', { where, got, expected });
  if (pooling !== null && `${stored.pooling}` !== pooling) {
    throw wrong('objective.pooling', pooling, `null, or ${stored.pooling.join(' and ')}, which the model has`);
  }
  if (stored.steps.some(({ kind }) => kind === 'dense')) {
    throw wrong('model.from', 'a model with a dense layer after the pooling', 'one without');
  }
  return stored;
}

function scoreOf(record: DataRecord, field: string | number): number {
  const text = fieldText(record, field);
  const score = text.trim() === '' ? Number.NaN : Number(text);
  if (score >= -1 && score <= 1) return score;
  throw new QkvError('data', { where: record.where, got: `score ${brief(text)}`, expected: 'a number from -1 to 1' });
}

const poolingFlags: Readonly<Record<Pooling, string>> = {
  cls: 'pooling_mode_cls_token',
  mean: 'pooling_mode_mean_tokens',
  max: 'pooling_mode_max_tokens',
  mean_sqrt_len_tokens: 'pooling_mode_mean_sqrt_len_tokens',
};

/** What sentence-transformers reads beside the model. */
function encoderFiles(encoder: SentenceEncoder, maxLength: number, width: number): Record<string, string> {
  const json = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`;
  const kinds = ['Transformer', 'Pooling', ...encoder.steps.map(() => 'Normalize')];
  const modules = kinds.map((kind, idx) => ({
    idx,
    name: String(idx),
    path: idx === 0 ? '' : `${idx}_${kind}`,
    type: `sentence_transformers.models.${kind}`,
  }));
  const flags = Object.entries(poolingFlags).map(([name, flag]) => [flag, encoder.pooling.includes(name as Pooling)]);
  return {
    'modules.json': json(modules),
    '1_Pooling/config.json': json({
      word_embedding_dimension: width,
      ...Object.fromEntries(flags),
      include_prompt: encoder.poolsPrompt,
    }),
    'sentence_bert_config.json': json({ max_seq_length: maxLength, do_lower_case: encoder.lowercases }),
    'config_sentence_transformers.json': json({
      prompts: encoder.prompts,
      default_prompt_name: encoder.defaultPrompt ?? null,
    }),
  };
}

function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}

function unit(x: Float32Array): Float64Array {
  const length = Math.sqrt(dot(x, x)) || 1;
  return Float64Array.from(x, (value) => value / length);
}

/** The share of the texts whose nearest among all second ones is their own. */
function shareFound(a: readonly Float64Array[], b: readonly Float64Array[]): number {
  const found = a.filter((x, i) => {
    const own = dot(x, b[i]!);
    return b.every((other) => dot(x, other) <= own);
  });
  return found.length / a.length;
}
