import { brief } from '../base/brief.ts';
import { QkvError } from '../base/errors.ts';
import { int32 } from '../base/tensor.ts';
import { type DataRecord, fieldText, fieldValue } from '../data/records.ts';
import { headTask } from '../predict/headTasks.ts';
import { encodeTexts } from '../pretrained/encodeTexts.ts';
import type { MultipleChoiceRecipe } from '../recipe/headRecipes.ts';
import type { TokenizerFiles } from '../tokenizer/tokenizerFiles.ts';
import { type HeadExample, headParts, type Predictor, type RecordParts, trainHead } from './headTask.ts';
import type { StartingPoint } from './recipeModel.ts';
import type { TrainingTask } from './task.ts';

interface Example extends HeadExample {
  readonly text: string;
  readonly choices: readonly string[];
  readonly label: number;
}

/** Which of several texts goes with a text: a score for each pair, a softmax over those of a text (Devlin et al. 2019, section 4.4). */
export function multipleChoiceTask(
  recipe: MultipleChoiceRecipe,
  records: RecordParts,
  files: TokenizerFiles,
  start: StartingPoint | undefined,
  predictor: Predictor,
): TrainingTask {
  const { fields } = recipe.data;
  const parts = headParts(recipe, 'multiple-choice', {}, files, start);
  const { model, tokenizer, maxLength } = parts;
  const all = [...records.train, ...records.validation, ...records.test];
  const count = all[0] ? choicesOf(recipe, all[0]).length : 0;
  const exampleOf = (record: DataRecord): Example => {
    const text = fieldText(record, fields.text);
    const choices = choicesOf(recipe, record);
    const label = Number(fieldText(record, fields.label));
    const wrong = (got: string, expected: string): QkvError =>
      new QkvError('data', { where: record.where, got, expected });
    if (choices.length !== count) throw wrong(`${choices.length} choices`, `${count}, as the first one has`);
    if (!(Number.isInteger(label) && label >= 0 && label < count)) {
      throw wrong(`label ${brief(label)}`, `the number of the right choice, 0 to ${count - 1}`);
    }
    const pairs = choices.map((choice): [string, string] => [text, choice]);
    const texts = encodeTexts(model, tokenizer.encode, pairs, {
      truncate: true,
      maxLength,
      nameOf: () => record.where,
    });
    return { texts: texts.map(({ ids, segments }) => ({ ids, segments: segments! })), text, choices, label };
  };
  const train = records.train.map(exampleOf);
  const validation = records.validation.map(exampleOf);
  const test = records.test.map(exampleOf);
  const session = predictor(model);
  return trainHead(parts, {
    train,
    validation,
    asked: { validation, test },
    labelSmoothing: recipe.objective.labelSmoothing,
    labels: (examples) => ({
      labels: int32(
        [examples.length],
        examples.map(({ label }) => label),
      ),
    }),
    examine: async (examples) => {
      const results = await session().run(
        headTask(model),
        examples.flatMap(({ texts }) => texts),
      );
      const logits = results.map((one) => one['logits']!.data[0]!);
      const predicted = examples.map((_, i) => {
        const own = logits.slice(i * count, (i + 1) * count);
        return own.indexOf(Math.max(...own));
      });
      const accuracy = examples.filter(({ label }, i) => label === predicted[i]).length / examples.length;
      return {
        score: accuracy,
        scoreName: 'accuracy',
        scores: { accuracy },
        sentences: examples.length,
        samples: examples.slice(0, 3).map(({ text, choices, label }, i) => ({
          input: `${text} → `,
          output: `${choices[predicted[i]!]} (${choices[label]})`,
        })),
      };
    },
  });
}

/** The choices of a record. @throws QkvError `data` where they are not a list of two texts or more */
export function choicesOf({ data }: MultipleChoiceRecipe, record: DataRecord): string[] {
  const { choices } = data.fields;
  if (Array.isArray(choices)) return choices.map((field) => fieldText(record, field));
  const value = fieldValue(record, choices);
  if (Array.isArray(value) && value.length > 1) return value.map(String);
  throw new QkvError('data', {
    where: `${record.where}: ${choices}`,
    got: brief(value),
    expected: 'a list of two or more',
  });
}
