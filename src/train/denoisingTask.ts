import { QkvError } from '../base/errors.ts';
import { deriveSeed, type Key, permutation, RandomStream } from '../base/random.ts';
import { BucketBatches, type BucketBatchesOptions, collatePairs, type TokenPair } from '../data/bucketBatches.ts';
import type { Corpus } from '../data/corpus.ts';
import { DocumentRow } from '../data/documentRow.ts';
import type { TokenStore } from '../data/tokenStore.ts';
import type { EncoderDecoderModel } from '../models/model.ts';
import { denoising } from '../objectives/denoising.ts';
import { SentenceGroups } from '../objectives/sentenceGroups.ts';
import type { Sentences } from '../objectives/sentences.ts';
import { spanCorruption, spanCorruptionLengths } from '../objectives/spanCorruption.ts';
import type { DenoisingRecipe } from '../recipe/recipe.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import { EpochCache } from './epochCache.ts';
import { pairMicro } from './pairMicro.ts';
import { checkedLength, recipeModel } from './recipeModel.ts';
import type { Micro, TextTaskParts, TrainingTask } from './task.ts';
import type { Translate } from './translationTask.ts';

/** The texts of an epoch, read when they are needed. */
interface Texts<Text> {
  readonly count: number;
  /** Tokens of source and target, end tokens included; of the undamaged text where they are not always the same. */
  lengths(index: number): PairLengths;
  at(index: number): Text;
}

type PairLengths = Readonly<Record<'source' | 'target', { readonly length: number }>>;

/** How texts are made of documents, and damaged. */
interface Corruption<Text> {
  texts(store: TokenStore, documents: Uint32Array, key: (site: string) => Key): Texts<Text>;
  corrupt(text: Text, key: Key): TokenPair;
  /** What lengths are rounded up to. */
  readonly lengthMultiple: number;
}

/**
 * Damaged text is made whole: T5's span corruption in sources that are exactly full, or BART's noise on pieces of documents.
 * What is damaged how is a function of (seed, epoch, text), so it is new in every epoch; of the validation part it is fixed.
 */
export function denoisingTask(
  recipe: DenoisingRecipe,
  { tokenizer, files, corpora, start }: TextTaskParts,
  writer: ((model: EncoderDecoderModel, tokenizer: Tokenizer) => Translate) | undefined,
): TrainingTask {
  const { model, declarations } = recipeModel(recipe, 'encoder-decoder', tokenizer, start);
  const maxLength = checkedLength('train.maxLength', recipe.train.maxLength, model);
  const batching = {
    seed: recipe.seed,
    batchTokens: recipe.train.batchTokens,
    maxLength,
    padId: model.padId!,
    startId: model.startId,
  };
  const batches =
    recipe.objective.kind === 'span-corruption'
      ? textBatches(spans(recipe.objective, maxLength, tokenizer), corpora, batching)
      : textBatches(noise(recipe.objective, maxLength, tokenizer), corpora, batching);
  const { fill } = recipe.evaluate;
  const write = fill.length > 0 ? writer?.(model, tokenizer) : undefined;
  return {
    model,
    declarations,
    tokenizer,
    tokenizerFiles: files,
    generationConfig: {
      ...start?.generationConfig,
      decoder_start_token_id: model.startId,
      eos_token_id: model.eosIds[0]!,
      pad_token_id: model.padId,
    },
    loss: { smoothing: 0, padded: true },
    bindings: undefined,
    fingerprint: corpora.train.store.fingerprint,
    notices: [],
    ...batches,
    validation: () => batches.validation(recipe.evaluate.sequences ?? Number.POSITIVE_INFINITY),
    examine:
      write &&
      (async (_, stop) => {
        const outputs = await write(fill, stop);
        return outputs && { samples: fill.map((input, i) => ({ input: `${input} → `, output: outputs[i]! })) };
      }),
    hasTest: false,
  };
}

/** The batches of a task: of training, epoch by epoch, and of the first `most` texts of the validation part. */
function textBatches<Text>(
  corruption: Corruption<Text>,
  { train, validation }: TextTaskParts['corpora'],
  batching: BucketBatchesOptions,
): Pick<TrainingTask, 'batchAt' | 'after'> & { validation(most: number): Iterable<Micro> } {
  const { seed } = batching;
  const options = { ...batching, lengthMultiple: corruption.lengthMultiple };
  const textsOf = (corpus: Corpus, part: string, epoch: number): Texts<Text> =>
    corruption.texts(corpus.store, corpus.draw(epoch), (site) => deriveSeed(seed, `${part} ${site}`, epoch));
  const planOf = (texts: Texts<Text>, most: number): BucketBatches =>
    new BucketBatches(
      Array.from({ length: Math.min(most, texts.count) }, (_, i) => texts.lengths(i)),
      options,
    );
  const toMicro = (texts: Texts<Text>, indices: Uint32Array, part: string, epoch: number): Micro =>
    pairMicro(
      collatePairs(
        Array.from(indices, (i) => corruption.corrupt(texts.at(i), deriveSeed(seed, `${part} noise`, epoch, i))),
        options,
      ),
    );
  const epochs = new EpochCache((epoch) => {
    const texts = textsOf(train, 'train', epoch);
    return { texts, plan: planOf(texts, Number.POSITIVE_INFINITY) };
  });
  const fixed = textsOf(validation, 'validation', 0);
  return {
    batchAt: (position) => {
      const { texts, plan } = epochs.at(position.epoch);
      return toMicro(texts, plan.indicesAt(position), 'train', position.epoch);
    },
    after: (position) => epochs.at(position.epoch).plan.after(position),
    *validation(most) {
      const plan = planOf(fixed, most);
      for (let batchIndex = 0; batchIndex < plan.count(0); batchIndex++) {
        yield toMicro(fixed, plan.indicesAt({ epoch: 0, batchIndex }), 'validation', 0);
      }
    },
  };
}

/**
 * All documents in a new order, one behind the other, cut from a random place on into texts that fill the source exactly
 * (`select_random_chunk`, `reduce_concat_tokens` and `split_tokens` of T5's code); the rest at both ends is left out.
 */
function spans(
  { density, meanLength }: Extract<DenoisingRecipe['objective'], { kind: 'span-corruption' }>,
  maxLength: number,
  tokenizer: Tokenizer,
): Corruption<Int32Array> {
  const shape = { noiseDensity: density, meanSpanLength: meanLength };
  const lengths = spanCorruptionLengths(maxLength, shape);
  const full = { source: { length: lengths.source }, target: { length: lengths.target } };
  const options = { ...shape, ...sentinelsOf(tokenizer), eosId: requireToken(tokenizer, 'eos') };
  return {
    texts: (store, documents, key) => {
      const order = permutation(key('order'), 0, documents.length);
      const row = new DocumentRow(
        store,
        order.map((i) => documents[i]!),
      );
      if (row.tokens < lengths.tokens) {
        const expected = `at least ${lengths.tokens}, what a source of train.maxLength ${maxLength} is made of`;
        throw new QkvError('data', { where: 'text', got: `${row.tokens} tokens`, expected });
      }
      // every epoch has the same number of texts
      const room = (row.tokens % lengths.tokens) + 1;
      const first = new RandomStream(key('first')).below(room);
      return {
        count: Math.floor(row.tokens / lengths.tokens),
        lengths: () => full,
        at: (i) => row.read(first + i * lengths.tokens, lengths.tokens),
      };
    },
    corrupt: (text, key) => spanCorruption(text, options, key),
    lengthMultiple: 1,
  };
}

/** Documents in pieces of whole sentences, the same in every epoch. A source that inserted masks make too long loses its end. */
function noise(
  objective: Extract<DenoisingRecipe['objective'], { kind: 'denoising' }>,
  maxLength: number,
  tokenizer: Tokenizer,
): Corruption<Sentences> {
  const [startId, eosId] = [requireToken(tokenizer, 'bos'), requireToken(tokenizer, 'eos')];
  const options = { noise: objective.noise, maskId: requireToken(tokenizer, 'mask'), startId, eosId };
  return {
    texts: (store, documents) => {
      const groups = new SentenceGroups(store, documents, maxLength - 2);
      const lengths = (i: number): PairLengths => {
        const whole = { length: groups.sizeOf(i) + 2 };
        return { source: whole, target: whole };
      };
      return { count: groups.count, lengths, at: (i) => groups.at(i) };
    },
    corrupt: (text, key) => {
      const { source, target } = denoising(text, options, key);
      return {
        source: source.length <= maxLength ? source : Int32Array.of(...source.slice(0, maxLength - 1), eosId),
        target,
      };
    },
    lengthMultiple: 8,
  };
}

/** `<extra_id_0>`, `<extra_id_1>`, … whose ids count down. */
function sentinelsOf(tokenizer: Tokenizer): { readonly firstSentinelId: number; readonly sentinels: number } {
  const firstSentinelId = tokenizer.tokenToId('<extra_id_0>');
  if (firstSentinelId !== undefined) {
    let sentinels = 1;
    while (tokenizer.tokenToId(`<extra_id_${sentinels}>`) === firstSentinelId - sentinels) sentinels++;
    return { firstSentinelId, sentinels };
  }
  throw new QkvError('tokenizer', {
    where: 'tokenizer.json',
    got: 'no <extra_id_0>',
    expected: 'the sentinels <extra_id_0>, <extra_id_1>, … that stand for spans, their ids counting down',
  });
}

function requireToken({ specialIds }: Tokenizer, role: 'bos' | 'eos' | 'mask'): number {
  const id = specialIds[role];
  if (id !== undefined) return id;
  throw new QkvError('tokenizer', {
    where: 'tokenizer_config.json',
    got: `no ${role}_token`,
    expected: 'the tokens that the objective needs: one that begins a text, one that ends it, the mask',
  });
}
