import { brief } from '../base/brief.ts';
import { QkvError } from '../base/errors.ts';
import { int32 } from '../base/tensor.ts';
import { type DataRecord, fieldText, fieldValue } from '../data/records.ts';
import { cmrc2018, squad } from '../eval/extractiveQa.ts';
import { answer, piecesOf } from '../pretrained/answer.ts';
import { segmentsFor } from '../pretrained/encodeTexts.ts';
import type { QuestionAnsweringRecipe } from '../recipe/headRecipes.ts';
import type { AlignedEncoding } from '../tokenizer/encode.ts';
import type { TokenizerFiles } from '../tokenizer/tokenizerFiles.ts';
import { type HeadExample, headParts, type Predictor, type RecordParts, trainHead } from './headTask.ts';
import type { StartingPoint } from './recipeModel.ts';
import type { TrainingTask } from './task.ts';

/** One piece of a context with its question; 0 and 0 where the answer is not in it. */
interface Example extends HeadExample {
  readonly start: number;
  readonly end: number;
}

interface Asked {
  readonly where: string;
  readonly question: string;
  readonly context: string;
  readonly answers: readonly { readonly text: string /** In UTF-16 units. */; readonly start: number }[];
}

/** A start and an end in a text (Devlin et al. 2019, section 4.2); a long text is cut in pieces that overlap. */
export function questionAnsweringTask(
  recipe: QuestionAnsweringRecipe,
  records: RecordParts,
  files: TokenizerFiles,
  start: StartingPoint | undefined,
  predictor: Predictor,
): TrainingTask {
  const { evaluate, objective } = recipe;
  const config = { id2label: { 0: 'LABEL_0', 1: 'LABEL_1' }, label2id: { LABEL_0: 0, LABEL_1: 1 } };
  const parts = headParts(recipe, 'question-answering', config, files, start);
  const { model, tokenizer, maxLength } = parts;
  const stride = objective.stride ?? undefined;
  const asked = (part: readonly DataRecord[]): Asked[] => part.map((record) => askedOf(recipe, record));
  const [train, validation, test] = [asked(records.train), asked(records.validation), asked(records.test)];
  const allowNone = [...train, ...validation, ...test].some(({ answers }) => answers.length === 0);
  const examplesOf = ({ where, question, context, answers }: Asked): Example[] => {
    const encoding = tokenizer.encodeWithOffsets(question, { pair: context });
    const segments = segmentsFor(model, encoding);
    const [first, last] = answers[0] ? spanOf(encoding, answers[0]) : [-1, -1];
    return piecesOf(encoding, where, maxLength, stride).map(({ tokens }) => {
      const [from, to] = [tokens.indexOf(first), tokens.indexOf(last)];
      const isInside = from >= 0 && to >= 0;
      return {
        texts: [
          { ids: tokens.map((token) => encoding.ids[token]!), segments: tokens.map((token) => segments[token]!) },
        ],
        start: isInside ? from : 0,
        end: isInside ? to : 0,
      };
    });
  };
  const session = predictor(model);
  const places = (values: readonly number[]) => int32([values.length], values);
  return trainHead(parts, {
    train: train.flatMap(examplesOf),
    validation: validation.flatMap(examplesOf),
    asked: { validation, test },
    labelSmoothing: objective.labelSmoothing,
    labels: (examples) => ({
      startPositions: places(examples.map((example) => example.start)),
      endPositions: places(examples.map((example) => example.end)),
    }),
    examine: async (questions) => {
      const found = await answer(session(), tokenizer, questions, {
        maxLength,
        maxAnswerLength: evaluate.maxAnswerLength,
        allowNone,
        ...(stride !== undefined && { stride }),
      });
      const predicted = found.map(([best]) => best?.text ?? '');
      const accepted = questions.map(({ answers }) => answers.map(({ text }) => text));
      const { f1, exactMatch } =
        evaluate.rules === 'cmrc'
          ? cmrc2018(predicted, accepted)
          : squad(predicted, accepted, { version: allowNone ? '2.0' : '1.1' });
      return {
        score: evaluate.metric === 'f1' ? f1 : exactMatch,
        scoreName: evaluate.metric,
        scores: { f1, 'exact-match': exactMatch },
        sentences: questions.length,
        samples: questions.slice(0, 3).map(({ question, answers }, i) => ({
          input: `${question} → `,
          output: `${predicted[i]} (${answers[0]?.text ?? 'no answer'})`,
        })),
      };
    },
  });
}

function askedOf({ data }: QuestionAnsweringRecipe, record: DataRecord): Asked {
  const fields =
    data.format === 'squad' ? { question: 'question', context: 'context', answers: 'answers' } : data.fields;
  const [question, context] = [fieldText(record, fields.question), fieldText(record, fields.context)];
  const answers = answersOf(fieldValue(record, fields.answers)).map(({ text, answer_start: at }) => {
    if (typeof text === 'string' && Number.isInteger(at)) {
      const start = utf16Index(context, Number(at));
      if (text !== '' && context.startsWith(text, start)) return { text, start };
    }
    throw new QkvError('data', {
      where: `${record.where}: ${fields.answers}`,
      got: brief({ text, answer_start: at }),
      expected: 'a text and the place in the context where it stands, in characters from 0',
    });
  });
  return { where: record.where, question, context, answers };
}

interface GivenAnswer {
  readonly text?: unknown;
  readonly answer_start?: unknown;
}

/** `[{ text, answer_start }]`, or the two as lists, as Hugging Face's datasets have it. */
function answersOf(value: unknown): readonly GivenAnswer[] {
  if (Array.isArray(value)) return value.map((one) => (typeof one === 'object' && one !== null ? one : { text: one }));
  const { text, answer_start: starts } = value as { readonly text?: unknown; readonly answer_start?: unknown };
  if (!Array.isArray(text) || !Array.isArray(starts)) return [value as GivenAnswer];
  return text.map((one: unknown, i) => ({ text: one, answer_start: Number(starts[i]) }));
}

/** Files count characters as Python does; ours are UTF-16 units. */
function utf16Index(text: string, characters: number): number {
  let index = 0;
  for (let i = 0; i < characters && index < text.length; i++) index += text.codePointAt(index)! > 0xffff ? 2 : 1;
  return index;
}

/** The first and the last token of an answer, as indices into the encoding; −1 where no token is of it. */
function spanOf(
  { offsets, sequences }: AlignedEncoding,
  { text, start }: Asked['answers'][number],
): readonly [first: number, last: number] {
  const end = start + text.length;
  const isOf = ([from, to]: readonly [number, number], token: number): boolean =>
    sequences[token] === 1 && from < end && to > start;
  return [offsets.findIndex(isOf), offsets.findLastIndex(isOf)];
}
