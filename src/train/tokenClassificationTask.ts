import { brief } from '../base/brief.ts';
import { QkvError } from '../base/errors.ts';
import { int32 } from '../base/tensor.ts';
import { IGNORED_LABEL } from '../data/bucketBatches.ts';
import { type DataRecord, type FieldName, fieldValue } from '../data/records.ts';
import { entityScores } from '../eval/entities.ts';
import { headTask } from '../predict/headTasks.ts';
import { encodeTexts } from '../pretrained/encodeTexts.ts';
import type { TokenClassificationRecipe } from '../recipe/headRecipes.ts';
import type { AlignedEncoding } from '../tokenizer/encode.ts';
import type { TokenizerFiles } from '../tokenizer/tokenizerFiles.ts';
import { type HeadExample, headParts, type Predictor, type RecordParts, trainHead } from './headTask.ts';
import { LabelNames } from './labelNames.ts';
import type { StartingPoint } from './recipeModel.ts';
import type { TrainingTask } from './task.ts';

interface Example extends HeadExample {
  readonly words: readonly string[];
  /** The tag of each word. */
  readonly tags: readonly string[];
  /** Of each word its first piece; undefined where the text was cut before it. */
  readonly firstPieces: readonly (number | undefined)[];
  /** Of each token. */
  readonly labels: readonly number[];
}

/** What a word that was cut off counts as. */
const OUTSIDE = 'O';

/** A tag for each word, learnt by the word's first piece or by all of them (Devlin et al. 2019, section 5.3). */
export function tokenClassificationTask(
  recipe: TokenClassificationRecipe,
  records: RecordParts,
  files: TokenizerFiles,
  start: StartingPoint | undefined,
  predictor: Predictor,
): TrainingTask {
  const { objective, evaluate } = recipe;
  const found = records.train.flatMap((record) => wordsOf(recipe, record).tags);
  const names = LabelNames.of(objective.labels, found, start);
  const parts = headParts(recipe, 'token-classification', names.config, files, start);
  const { model, tokenizer, maxLength } = parts;
  const exampleOf = (record: DataRecord): Example => {
    const { words, tags } = wordsOf(recipe, record);
    const numbers = tags.map((tag) => names.indexOf(tag, record));
    const options = { truncate: true, maxLength, nameOf: () => record.where };
    const [encoding] = encodeTexts(model, tokenizer.encodeWithOffsets, [words.join(' ')], options);
    const pieces = piecesOf(words, encoding!);
    const labels = new Array<number>(encoding!.ids.length).fill(IGNORED_LABEL);
    pieces.forEach((tokens, word) => {
      for (const token of objective.pieces === 'first' ? tokens.slice(0, 1) : tokens) labels[token] = numbers[word]!;
    });
    const texts = [{ ids: encoding!.ids, segments: encoding!.segments! }];
    return {
      texts,
      words,
      tags: numbers.map((i) => names.names[i]!),
      firstPieces: pieces.map(([first]) => first),
      labels,
    };
  };
  const train = records.train.map(exampleOf);
  const validation = records.validation.map(exampleOf);
  const test = records.test.map(exampleOf);
  const session = predictor(model);
  return trainHead(parts, {
    train,
    validation,
    asked: { validation, test },
    labelSmoothing: objective.labelSmoothing,
    labels: (examples, length) => {
      const labels = new Int32Array(examples.length * length).fill(IGNORED_LABEL);
      for (const [row, example] of examples.entries()) labels.set(example.labels, row * length);
      return { labels: int32([examples.length, length], labels) };
    },
    examine: async (examples) => {
      const results = await session().run(
        headTask(model),
        examples.flatMap(({ texts }) => texts),
      );
      const width = names.names.length;
      const predicted = examples.map(({ firstPieces }, i) =>
        firstPieces.map((piece) => {
          if (piece === undefined) return OUTSIDE;
          const scores = results[i]!['logits']!.data.subarray(piece * width, (piece + 1) * width);
          return names.names[scores.indexOf(Math.max(...scores))]!;
        }),
      );
      const actual = examples.map(({ tags }) => tags);
      const scores =
        evaluate.metric === 'accuracy'
          ? { accuracy: shareOfRight(predicted.flat(), actual.flat()) }
          : entityF1(predicted, actual, evaluate.scheme);
      return {
        score: scores[evaluate.metric as keyof typeof scores]!,
        scoreName: evaluate.metric,
        scores,
        sentences: examples.length,
        samples: examples.slice(0, 3).map(({ words }, i) => ({
          input: '',
          output: words.map((word, w) => `${word}/${predicted[i]![w]}`).join(' '),
        })),
      };
    },
  });
}

/** The words of a record and their tags. @throws QkvError `data` where they are not lists of texts of one length */
export function wordsOf(
  { data }: TokenClassificationRecipe,
  record: DataRecord,
): { readonly words: readonly string[]; readonly tags: readonly string[] } {
  const fields = data.format === 'conll' ? { tokens: 'tokens', tags: 'tags' } : data.fields;
  const list = (field: FieldName): string[] => {
    const value = fieldValue(record, field);
    if (Array.isArray(value)) return value.map(String);
    throw new QkvError('data', { where: `${record.where}: ${field}`, got: brief(value), expected: 'a list' });
  };
  const [words, tags] = [list(fields.tokens), list(fields.tags)];
  if (words.length === tags.length && words.length > 0) return { words, tags };
  throw new QkvError('data', {
    where: record.where,
    got: `${words.length} words and ${tags.length} tags`,
    expected: 'a tag for each word, one word or more',
  });
}

/** The tokens of each word of a text that is the words with spaces between: those that share a character with it. */
function piecesOf(words: readonly string[], { offsets, sequences }: AlignedEncoding): number[][] {
  let start = 0;
  let token = 0;
  return words.map((word) => {
    const end = start + word.length;
    const pieces: number[] = [];
    for (; token < offsets.length; token++) {
      const [from, to] = offsets[token]!;
      if (sequences[token] === null || to <= start) continue;
      if (from >= end) break;
      if (from < to) pieces.push(token);
    }
    start = end + 1;
    return pieces;
  });
}

function shareOfRight(predicted: readonly string[], actual: readonly string[]): number {
  return predicted.filter((tag, i) => tag === actual[i]).length / actual.length;
}

function entityF1(
  predicted: readonly (readonly string[])[],
  actual: readonly (readonly string[])[],
  scheme: TokenClassificationRecipe['evaluate']['scheme'],
): Readonly<Record<string, number>> {
  const { micro, accuracy } = entityScores(predicted, actual, { scheme });
  return { 'entity-f1': micro.f1, precision: micro.precision, recall: micro.recall, accuracy };
}
