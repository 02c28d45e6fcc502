import { QkvError } from '../base/errors.ts';
import { deriveSeed, type Key } from '../base/random.ts';
import { int32 } from '../base/tensor.ts';
import { IGNORED_LABEL } from '../data/bucketBatches.ts';
import type { Corpus } from '../data/corpus.ts';
import type { EncoderModel } from '../models/model.ts';
import { type MaskedLmOptions, maskedLm, maskingEpoch } from '../objectives/maskedLm.ts';
import { PackedSentences } from '../objectives/packedSentences.ts';
import type { SentencePair } from '../objectives/sentencePairs.ts';
import { wordStarts } from '../objectives/wordStarts.ts';
import type { MaskedLanguageModelRecipe } from '../recipe/recipe.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { Epochs } from './epochs.ts';
import { PairExamples } from './pairExamples.ts';
import { checkedLength, recipeModel } from './recipeModel.ts';
import type { Micro, Sample, StopSignal, TextTaskParts, TrainingTask } from './task.ts';

/** Fills the masks of texts with the weights that the model has now; undefined when `stop` was set meanwhile. */
export type Fill = (texts: readonly string[], stop: StopSignal) => Promise<Sample[] | undefined>;

/** A sequence before it is masked. */
interface Example {
  readonly ids: Int32Array;
  /** Of a pair of texts: the segment of each token, and the label of the pair. */
  readonly pair?: { readonly segments: Int32Array; readonly label: number };
}

/** The examples of one epoch, made when they are asked for. */
interface Examples {
  readonly count: number;
  at(index: number): Example;
}

/**
 * Masked words in running text, a sentence a line and a blank line between documents: packed sentences (RoBERTa's
 * `full-sentences`), or pairs of texts with a question about the two. Batches follow one another through the epochs, each
 * a new order of all examples; pairs, orders and masks are functions of (seed, epoch) alone.
 */
export function maskedLanguageModelTask(
  recipe: MaskedLanguageModelRecipe,
  { tokenizer, files, corpora, start }: TextTaskParts,
  filler: ((model: EncoderModel, tokenizer: Tokenizer) => Fill) | undefined,
): TrainingTask {
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
  const examplesOf = ({ store }: Corpus, documents: Uint32Array, site: string, epoch: number): Examples => {
    if (objective.sentences === 'none') {
      const packing = { maxLength, startId: special.start, separatorId: special.end };
      const packed = new PackedSentences(store, documents, packing);
      return { count: packed.count, at: (i) => ({ ids: packed.at(i) }) };
    }
    const options = { objective: objective.sentences, maxLength, clsId: special.start, sepId: special.end };
    const keyOf = (i: number): Key => deriveSeed(seed, `${site} pairs`, epoch, i);
    const pairs = new PairExamples(store, documents, options, keyOf);
    const toExample = ({ ids, segments, label }: SentencePair): Example => ({ ids, pair: { segments, label } });
    return { count: pairs.count, at: (i) => toExample(pairs.at(i)) };
  };
  const most = Math.max(1, Math.ceil(objective.rate * maxLength));
  const toMicro = (examples: Examples, rows: readonly number[], site: string, epoch: number): Micro => {
    const key = (row: number) =>
      deriveSeed(seed, `${site} mask`, maskingEpoch(epoch, objective.copies ?? undefined), row);
    const masked = rows.map((row) => {
      const example = examples.at(row);
      return { ...example, ...maskedLm(example.ids, masking, key(row)) };
    });
    return collate(masked, { maxLength, most, padId: model.padId!, segments: model.segments > 0 && asksPairs });
  };

  const { batchSize } = recipe.train;
  const { train } = corpora;
  const validation = examplesOf(corpora.validation, corpora.validation.draw(0), 'validation', 0);
  let made: { readonly version: number; readonly examples: Examples } | undefined;
  const epochs = new Epochs({
    seed,
    batchSize,
    buffer: (recipe.data.format === 'documents' && recipe.data.shuffle?.buffer) || null,
    make: (epoch) => {
      // the same documents in the same pairs need not be made again
      const version = asksPairs ? maskingEpoch(epoch, objective.copies ?? undefined) : 0;
      if (made?.version !== version || !train.isConstant) {
        made = { version, examples: examplesOf(train, train.draw(epoch), 'train', version) };
      }
      return made.examples;
    },
  });
  const fill = evaluate.fill.length > 0 ? filler?.(model, tokenizer) : undefined;
  return {
    model,
    declarations,
    tokenizer,
    tokenizerFiles: files,
    generationConfig: undefined,
    loss: { smoothing: 0, padded: true, segments: model.segments > 0 && asksPairs, targetsOnly: true },
    bindings: { B: batchSize, T: maxLength, M: most },
    fingerprint: train.store.fingerprint,
    notices: [],
    batchAt: (position) => toMicro(epochs.examples(position.epoch), epochs.rows(position), 'train', position.epoch),
    after: (position) => epochs.after(position),
    *validation() {
      const count = Math.min(validation.count, evaluate.sequences ?? Number.POSITIVE_INFINITY);
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
