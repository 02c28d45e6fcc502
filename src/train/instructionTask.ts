import { QkvError } from '../base/errors.ts';
import { int32 } from '../base/tensor.ts';
import { BucketBatches, IGNORED_LABEL } from '../data/bucketBatches.ts';
import type { CausalModel } from '../models/model.ts';
import type { InstructionRecipe } from '../recipe/recipe.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { TokenizerFiles } from '../tokenizer/tokenizerFiles.ts';
import { type Conversation, stretchesOf } from './conversations.ts';
import { Fingerprint } from './fingerprint.ts';
import { checkedLength, recipeModel, type StartingPoint } from './recipeModel.ts';
import { openRecipeTokenizer } from './recipeTokenizer.ts';
import type { Micro, StopSignal, TrainingTask } from './task.ts';

/** Answers prompts with the weights that the model has now; undefined when `stop` was set meanwhile. */
export type Answer = (prompts: readonly number[][], stop: StopSignal) => Promise<string[] | undefined>;

/** A text of T + 1 tokens as the model learns it. */
interface Example {
  /** [T] */
  readonly inputs: Int32Array;
  /** [T]: the token behind; −100 where that is no part of an answer. */
  readonly labels: Int32Array;
}

const LENGTH_MULTIPLE = 8;

/** Answers to what is asked: texts of similar length together, padded at the end, the loss over the answers alone. */
export function instructionTask(
  recipe: InstructionRecipe,
  parts: { readonly train: readonly Conversation[]; readonly validation: readonly Conversation[] },
  files: TokenizerFiles,
  start: StartingPoint | undefined,
  answerer: ((model: CausalModel, tokenizer: Tokenizer) => Answer) | undefined,
): TrainingTask {
  const tokenizer = openRecipeTokenizer(recipe, files);
  const { model, declarations } = recipeModel(recipe, 'causal', tokenizer, start);
  const maxLength = checkedLength('train.maxLength', recipe.train.maxLength, model);
  const config = JSON.parse(files['tokenizer_config.json']) as Record<string, unknown>;
  const { format } = recipe.objective;
  const example = (one: Conversation): Example => exampleOf(one, format, config, tokenizer, model.eosIds);
  const train = parts.train.map(example);
  const validation = parts.validation.slice(0, recipe.evaluate.examples ?? undefined).map(example);
  const batches = planOf(train, recipe, maxLength, recipe.train.batchTokens);
  const fixed = planOf(validation, recipe, maxLength, Math.max(recipe.train.batchTokens, 2 * maxLength));
  const toMicro = (examples: readonly Example[], indices: Uint32Array): Micro =>
    collate(
      Array.from(indices, (i) => examples[i]!),
      maxLength,
      model.padId ?? model.eosIds[0] ?? 0,
    );
  const fingerprint = new Fingerprint();
  for (const { inputs, labels } of train) fingerprint.add(inputs).add(labels);
  const shown = parts.validation.slice(0, recipe.evaluate.samples);
  const answer = shown.length > 0 ? answerer?.(model, tokenizer) : undefined;
  return {
    model,
    declarations,
    tokenizer,
    tokenizerFiles: files,
    generationConfig: start?.generationConfig ?? { bos_token_id: model.bosId, eos_token_id: model.eosIds[0] ?? null },
    loss: { smoothing: 0, padded: true },
    bindings: undefined,
    fingerprint: fingerprint.text,
    notices: (['training', 'validation'] as const).flatMap((part) => {
      const { dropped } = part === 'training' ? batches : fixed;
      const text = `${dropped.count} ${part} examples are left out: they have more than ${maxLength} tokens (up to ${dropped.longest})`;
      return dropped.count > 0 ? [text] : [];
    }),
    batchAt: (position) => toMicro(train, batches.indicesAt(position)),
    after: (position) => batches.after(position),
    *validation() {
      for (let batchIndex = 0; batchIndex < fixed.count(0); batchIndex++) {
        yield toMicro(validation, fixed.indicesAt({ epoch: 0, batchIndex }));
      }
    },
    examine:
      answer &&
      (async (_, stop) => {
        const asked = shown.map((one) => {
          const [prompt, reference] = stretchesOf(one, format, config);
          return { prompt: prompt!.text, reference: reference!.text };
        });
        const prompts = asked.map(({ prompt }) => tokenizer.encode(prompt, { addSpecialTokens: false }).ids);
        const outputs = await answer(prompts, stop);
        return (
          outputs && {
            samples: asked.map(({ prompt, reference }, i) => ({ input: prompt, output: outputs[i]!, reference })),
          }
        );
      }),
    hasTest: false,
  };
}

/** Each stretch is encoded alone, as the prompt is when the model answers; the end token follows the last unless it is there. */
function exampleOf(
  one: Conversation,
  format: InstructionRecipe['objective']['format'],
  config: Readonly<Record<string, unknown>>,
  tokenizer: Tokenizer,
  eosIds: readonly number[],
): Example {
  const ids: number[] = [];
  const counts: boolean[] = [];
  const add = (more: readonly number[], count: boolean): void => {
    for (const id of more) {
      ids.push(id);
      counts.push(count);
    }
  };
  for (const { text, counts: count } of stretchesOf(one, format, config)) {
    add(tokenizer.encode(text, { addSpecialTokens: false }).ids, count);
  }
  if (!eosIds.includes(ids.at(-1)!)) {
    const { eos } = tokenizer.specialIds;
    if (eos === undefined) {
      const expected = 'an end token: an answer has to end';
      throw new QkvError('tokenizer', { where: 'tokenizer_config.json', got: 'no eos_token', expected });
    }
    add([eos], true);
  }
  return {
    inputs: Int32Array.from(ids.slice(0, -1)),
    labels: Int32Array.from(ids.slice(1), (id, t) => (counts[t + 1] ? id : IGNORED_LABEL)),
  };
}

/** Batches by length; a text is one side of a pair whose other side is nearly nothing. */
function planOf(
  examples: readonly Example[],
  { seed }: InstructionRecipe,
  maxLength: number,
  batchTokens: number,
): BucketBatches {
  return new BucketBatches(
    examples.map(({ inputs }) => ({ source: inputs, target: { length: 1 } })),
    {
      seed,
      batchTokens: batchTokens + LENGTH_MULTIPLE,
      maxLength,
      lengthMultiple: LENGTH_MULTIPLE,
      padId: 0,
      startId: 0,
    },
  );
}

function collate(examples: readonly Example[], maxLength: number, padId: number): Micro {
  const longest = Math.max(...examples.map(({ inputs }) => inputs.length));
  const length = Math.min(maxLength, Math.ceil(longest / LENGTH_MULTIPLE) * LENGTH_MULTIPLE);
  const shape = [examples.length, length];
  const matrix = (fill: number): Int32Array => new Int32Array(examples.length * length).fill(fill);
  const [ids, mask, all] = [matrix(padId), matrix(0), matrix(IGNORED_LABEL)];
  let [tokens, targetTokens] = [0, 0];
  for (const [b, { inputs, labels }] of examples.entries()) {
    ids.set(inputs, b * length);
    mask.fill(1, b * length, b * length + inputs.length);
    all.set(labels, b * length);
    tokens += inputs.length;
    targetTokens += labels.filter((label) => label !== IGNORED_LABEL).length;
  }
  return {
    inputs: { inputIds: int32(shape, ids), attentionMask: int32(shape, mask), labels: int32(shape, all) },
    targetTokens,
    tokens,
  };
}
