import { QkvError } from '../base/errors.ts';
import { deriveSeed, permutation } from '../base/random.ts';
import { int32 } from '../base/tensor.ts';
import { IGNORED_LABEL } from '../data/bucketBatches.ts';
import type { EncoderModel } from '../models/model.ts';
import { type MaskedLmOptions, maskedLm, maskingEpoch } from '../objectives/maskedLm.ts';
import { packSentences } from '../objectives/packSentences.ts';
import { sentencePairs } from '../objectives/sentencePairs.ts';
import type { Sentences } from '../objectives/sentences.ts';
import { wordStarts } from '../objectives/wordStarts.ts';
import type { MaskedLanguageModelRecipe } from '../recipe/recipe.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { TokenizerFiles } from '../tokenizer/tokenizerFiles.ts';
import { documentsOf } from './documents.ts';
import { EpochCache } from './epochCache.ts';
import { Fingerprint } from './fingerprint.ts';
import { checkedLength, recipeModel, type StartingPoint } from './recipeModel.ts';
import { openRecipeTokenizer } from './recipeTokenizer.ts';
import type { Micro, Sample, StopSignal, TrainingTask } from './task.ts';

/** Fills the masks of texts with the weights that the model has now; undefined when `stop` was set meanwhile. */
export type Fill = (texts: readonly string[], stop: StopSignal) => Promise<Sample[] | undefined>;

/** A sequence before it is masked. */
interface Example {
  readonly ids: Int32Array;
  /** Of a pair of texts: the segment of each token, and the label of the pair. */
  readonly pair?: { readonly segments: Int32Array; readonly label: number };
}

/** The examples of one epoch. */
type Epoch = readonly Example[];

/**
 * Masked words in running text, a sentence a line and a blank line between documents: packed sentences (RoBERTa's
 * `full-sentences`), or pairs of texts with a question about the two. Batches follow one another through the epochs, each
 * a new order of all examples; pairs, orders and masks are functions of (seed, epoch) alone.
 */
export function maskedLanguageModelTask(
  recipe: MaskedLanguageModelRecipe,
  parts: { readonly train: string; readonly validation: string },
  files: TokenizerFiles,
  start: StartingPoint | undefined,
  filler: ((model: EncoderModel, tokenizer: Tokenizer) => Fill) | undefined,
): TrainingTask {
  const tokenizer = openRecipeTokenizer(recipe, files);
  const { seed, objective, evaluate } = recipe;
  const asksPairs = objective.sentences !== 'none';
  const { model, declarations } = recipeModel(
    recipe,
    'encoder',
    tokenizer,
    start,
    asksPairs ? 'pretraining' : 'masked-lm',
  );
  const maxLength = checkedLength('train.maxLength', recipe.train.maxLength, model);
  const special = specialIdsOf(tokenizer);
  const masking: MaskedLmOptions = {
    vocabSize: tokenizer.vocabSize,
    maskId: special.mask,
    specialIds: new Set(Object.values(tokenizer.specialIds)),
    rate: objective.rate,
    maskShare: objective.maskShare,
    randomShare: objective.randomShare,
    maxNgram: objective.maxNgram,
    ...(objective.words !== 'none' && { wordStarts: wordStarts(tokenizer, objective.words) }),
  };
  const examplesOf = (documents: readonly Sentences[], site: string, epoch: number): Epoch => {
    if (objective.sentences === 'none') {
      const packing = {
        packing: 'full-sentences',
        maxLength,
        startId: special.start,
        separatorId: special.end,
      } as const;
      return [...packSentences(documents, packing)].map((ids) => ({ ids }));
    }
    const options = { objective: objective.sentences, maxLength, clsId: special.start, sepId: special.end };
    return documents.flatMap((_, i) =>
      sentencePairs(documents, i, options, deriveSeed(seed, `${site} pairs`, epoch, i)).map(
        ({ ids, segments, label }) => ({ ids, pair: { segments, label } }),
      ),
    );
  };
  const most = Math.max(1, Math.ceil(objective.rate * maxLength));
  const toMicro = (examples: Epoch, rows: readonly number[], site: string, epoch: number): Micro => {
    const key = (row: number) =>
      deriveSeed(seed, `${site} mask`, maskingEpoch(epoch, objective.copies ?? undefined), row);
    const masked = rows.map((row) => ({ ...examples[row]!, ...maskedLm(examples[row]!.ids, masking, key(row)) }));
    return collate(masked, { maxLength, most, padId: model.padId!, segments: model.segments > 0 && asksPairs });
  };

  const train = documentsOf(parts.train, tokenizer, 'training');
  const validation = examplesOf(documentsOf(parts.validation, tokenizer, 'validation'), 'validation', 0);
  const epochs = new EpochCache((epoch) => {
    const examples = examplesOf(train, 'train', asksPairs ? maskingEpoch(epoch, objective.copies ?? undefined) : 0);
    return { examples, order: permutation(seed, epoch, examples.length) };
  });
  const { batchSize } = recipe.train;
  const fingerprint = new Fingerprint();
  for (const document of train) for (const sentence of document) fingerprint.add(Int32Array.from(sentence));
  const fill = evaluate.fill.length > 0 ? filler?.(model, tokenizer) : undefined;
  return {
    model,
    declarations,
    tokenizer,
    tokenizerFiles: files,
    generationConfig: undefined,
    loss: { smoothing: 0, padded: true, segments: model.segments > 0 && asksPairs, targetsOnly: true },
    bindings: { B: batchSize, T: maxLength, M: most },
    fingerprint: fingerprint.text,
    notices: [],
    batchAt: ({ epoch, batchIndex }) => {
      const { examples, order } = epochs.at(epoch);
      // the last batch of an epoch is filled up with its first examples: all batches have one shape
      const rows = Array.from({ length: batchSize }, (_, i) => order[(batchIndex * batchSize + i) % order.length]!);
      return toMicro(examples, rows, 'train', epoch);
    },
    after: ({ epoch, batchIndex }) => {
      const isLast = (batchIndex + 1) * batchSize >= epochs.at(epoch).order.length;
      return isLast ? { epoch: epoch + 1, batchIndex: 0 } : { epoch, batchIndex: batchIndex + 1 };
    },
    *validation() {
      const count = Math.min(validation.length, evaluate.sequences ?? Number.POSITIVE_INFINITY);
      for (let first = 0; first < count; first += batchSize) {
        const rows = Array.from({ length: Math.min(batchSize, count - first) }, (_, i) => first + i);
        yield toMicro(validation, rows, 'validation', 0);
      }
    },
    examine:
      fill &&
      (async (_, stop) => {
        const samples = await fill(evaluate.fill, stop);
        return samples && { samples };
      }),
    hasTest: false,
  };
}

interface CollateOptions {
  readonly maxLength: number;
  /** Labels of a sequence at most. */
  readonly most: number;
  readonly padId: number;
  readonly segments: boolean;
}

/** Sequences as the loss takes them, with labels at the masked places only. */
function collate(
  rows: readonly (Example & { readonly inputs: Int32Array; readonly labels: Int32Array })[],
  { maxLength, most, padId, segments }: CollateOptions,
): Micro {
  const matrix = (width: number, fill: number): Int32Array => new Int32Array(rows.length * width).fill(fill);
  const [ids, mask, kinds] = [matrix(maxLength, padId), matrix(maxLength, 0), matrix(maxLength, 0)];
  const [places, labels] = [matrix(most, 0), matrix(most, IGNORED_LABEL)];
  let targets = 0;
  let tokens = 0;
  for (const [b, row] of rows.entries()) {
    ids.set(row.inputs, b * maxLength);
    mask.fill(1, b * maxLength, b * maxLength + row.ids.length);
    if (row.pair) kinds.set(row.pair.segments, b * maxLength);
    let m = b * most;
    for (const [t, label] of row.labels.entries()) {
      if (label === IGNORED_LABEL) continue;
      places[m] = t;
      labels[m++] = label;
    }
    targets += m - b * most;
    tokens += row.ids.length;
  }
  const wide = [rows.length, maxLength];
  return {
    inputs: {
      inputIds: int32(wide, ids),
      attentionMask: int32(wide, mask),
      ...(segments && { segments: int32(wide, kinds) }),
      targetPositions: int32([rows.length, most], places),
      labels: int32([rows.length, most], labels),
      ...(rows[0]!.pair && {
        sentenceLabels: int32(
          [rows.length],
          Int32Array.from(rows, ({ pair }) => pair!.label),
        ),
      }),
    },
    targetTokens: targets,
    tokens,
  };
}

function specialIdsOf({ specialIds }: Tokenizer): {
  readonly start: number;
  readonly end: number;
  readonly mask: number;
} {
  const { cls, bos, sep, eos, mask } = specialIds;
  const [start, end] = [cls ?? bos, sep ?? eos];
  if (start !== undefined && end !== undefined && mask !== undefined) return { start, end, mask };
  const missing = [
    start === undefined && 'cls_token',
    end === undefined && 'sep_token',
    mask === undefined && 'mask_token',
  ];
  throw new QkvError('tokenizer', {
    where: 'tokenizer_config.json',
    got: `no ${missing.filter(Boolean).join(', ')}`,
    expected: 'the tokens that BERT puts around texts and in place of words',
  });
}
