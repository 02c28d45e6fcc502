import type { IgnoreRule, KeyMap, KeyRule, Tie } from '../checkpoint/keyMap.ts';
import type { ConfigReader } from './configReader.ts';
import { type EncoderConfig, encode, firstPositionOf, maxLengthOf, tokenTable } from './encoder.ts';
import { encoderHead, type HeadName, type HeadOptions, headNames, type ProblemType } from './encoderHead.ts';
import type { EncoderModel } from './model.ts';

/** The end of the class name of each head: `BertForMaskedLM`, `BertModel`. */
const classEndings: Readonly<Record<HeadName, string>> = {
  encoder: 'Model',
  pretraining: 'ForPreTraining',
  'masked-lm': 'ForMaskedLM',
  'next-sentence': 'ForNextSentencePrediction',
  'sequence-classification': 'ForSequenceClassification',
  'token-classification': 'ForTokenClassification',
  'question-answering': 'ForQuestionAnswering',
  'multiple-choice': 'ForMultipleChoice',
};

export const sharedHeads: readonly HeadName[] = headNames.filter(
  (name) => name !== 'pretraining' && name !== 'next-sentence',
);

/** What is said of a model besides its config.json. */
export interface EncoderContext {
  /** Keys of the checkpoint, where there is one. */
  readonly stored?: ReadonlySet<string> | undefined;
  /** In place of the head that `architectures` names. */
  readonly head?: HeadName | undefined;
}

/** The head that is asked for, or that the first of `architectures` names; none where it names none. */
export function readHead(
  read: ConfigReader,
  classPrefix: string,
  heads: readonly HeadName[],
  { head }: EncoderContext,
): HeadName {
  const classes = heads.map((name) => classPrefix + classEndings[name]);
  if (head !== undefined) {
    if (heads.includes(head)) return head;
    throw read.error('architectures', `a family with the head ${head}; ${classPrefix} has ${heads.join(', ')}`);
  }
  if (!read.has('architectures')) return 'encoder';
  const named = read.raw('architectures');
  const first: unknown = Array.isArray(named) ? named[0] : named;
  const found = first === undefined ? 'encoder' : heads[classes.indexOf(first as string)];
  if (found === undefined) throw read.error('architectures', `one of ${classes.join(', ')}`);
  return found;
}

/** What every encoder of Hugging Face's transformers refuses here in the same way. */
export function refuseDecoders(read: ConfigReader): void {
  read.only('is_decoder', false, 'the model is an encoder');
  read.only('add_cross_attention', false, 'the model is an encoder');
  read.only('is_encoder_decoder', false, 'the model is an encoder');
  read.only('position_embedding_type', 'absolute', 'positions are added to the embedding');
  const pruned = read.raw('pruned_heads');
  if (pruned && Object.keys(pruned).length > 0) throw read.error('pruned_heads', '{}: no head is pruned');
}

/** The names of the classes, `id2label`; `LABEL_0`, … , `num_labels` or 2 of them, where they have none. */
export function readClasses(read: ConfigReader): string[] {
  const names = read.raw('id2label');
  const named = typeof names === 'object' && names !== null ? Object.keys(names).length : undefined;
  const count = read.int('num_labels', { otherwise: named ?? 2 });
  if (named !== undefined && named !== count)
    throw read.error('num_labels', `${named}, the number of names in id2label`);
  return Array.from({ length: count }, (_, i) => {
    const name = named === undefined ? undefined : (names as Readonly<Record<string, unknown>>)[i];
    return typeof name === 'string' ? name : `LABEL_${i}`;
  });
}

/** Where it is not said, one label is a number and several are classes of which one is right, as in the reference. */
export function readProblem(read: ConfigReader, labels: number): ProblemType {
  return read.oneOf<ProblemType>(
    'problem_type',
    ['regression', 'single_label_classification', 'multi_label_classification'],
    labels === 1 ? 'regression' : 'single_label_classification',
  );
}

/** The parts of a family's key map that depend on its names alone. */
export interface EncoderKeys {
  /** Of the encoder in a model with a head: `bert.`. */
  readonly prefix: string;
  readonly classPrefix: string;
  readonly words: string;
  readonly segments?: string;
  readonly positions: string;
  readonly positionIds: string;
  readonly embeddingNorm: string;
  readonly embeddingProjection?: string;
  /** Of a layer, and its path: with the same placeholders. */
  readonly layer: string;
  readonly layerPath: string;
  /** Ours (`attention.q`) to theirs (`attention.self.query`). */
  readonly linears: Readonly<Record<string, string>>;
  readonly norms: Readonly<Record<string, string>>;
  /** The pooler within the encoder; the classification head's own, without prefix, where there is none in the encoder. */
  readonly pooler: string | undefined;
  readonly classifierPooler: string | undefined;
  readonly classifier: Readonly<Partial<Record<HeadName, string>>>;
  readonly mlm: {
    readonly dense: string;
    readonly norm: string;
    /** The bias, and, where it is tied to that, the decoder's. */
    readonly bias: string;
    readonly decoder: string;
  };
}

function keyMap(keys: EncoderKeys, head: HeadOptions, poolerIsInside: boolean, isOverridden: boolean): KeyMap {
  const rules: KeyRule[] = [];
  const ties: Tie[] = [];
  const ignore: IgnoreRule[] = [];
  const prefix = head.name === 'encoder' ? '' : keys.prefix;
  const linear = (key: string, path: string): void => {
    rules.push({ key: `${key}.weight`, path: `${path}.weight`, move: 'transpose' });
    rules.push({ key: `${key}.bias`, path: `${path}.bias` });
  };
  const norm = (key: string, path: string): void => {
    for (const part of ['weight', 'bias']) rules.push({ key: `${key}.${part}`, path: `${path}.${part}` });
    // the names of checkpoints that were once TensorFlow's
    ties.push({ key: `${key}.gamma`, sameAs: `${key}.weight` }, { key: `${key}.beta`, sameAs: `${key}.bias` });
  };
  const table = (key: string, path: string): void => {
    rules.push({ key: `${key}.weight`, path: `${path}.weight` });
  };
  const words = prefix + keys.words;
  table(words, 'tokens');
  if (keys.segments !== undefined) table(prefix + keys.segments, 'segments');
  table(prefix + keys.positions, 'positions');
  norm(prefix + keys.embeddingNorm, 'embeddingNorm');
  if (keys.embeddingProjection !== undefined) linear(prefix + keys.embeddingProjection, 'embeddingProjection');
  for (const [own, stored] of Object.entries(keys.linears)) {
    linear(`${prefix}${keys.layer}.${stored}`, `${keys.layerPath}.${own}`);
  }
  for (const [own, stored] of Object.entries(keys.norms)) {
    norm(`${prefix}${keys.layer}.${stored}`, `${keys.layerPath}.${own}`);
  }
  if (poolerIsInside) linear(prefix + keys.pooler!, 'pooler');
  else if (keys.classifierPooler !== undefined) linear(keys.classifierPooler, 'pooler');
  const classifier = keys.classifier[head.name];
  if (classifier !== undefined) linear(classifier, 'classifier');

  const { mlm } = keys;
  const predicts = head.name === 'masked-lm' || head.name === 'pretraining';
  const buffers = [];
  if (predicts) {
    linear(mlm.dense, 'mlm.dense');
    norm(mlm.norm, 'mlm.norm');
    const decoderBias = `${mlm.decoder}.bias`;
    rules.push({ key: head.unusedBias ? decoderBias : mlm.bias, path: 'mlm.bias' });
    if (head.unusedBias) buffers.push({ key: mlm.bias, path: 'mlm.unusedBias', whenAbsent: 0 });
    else if (mlm.bias !== decoderBias) ties.push({ key: decoderBias, sameAs: mlm.bias });
    if (head.tiedTable) ties.push({ key: `${mlm.decoder}.weight`, sameAs: `${words}.weight` });
    else table(mlm.decoder, 'mlm.output');
  }

  const unused = (names: readonly (string | undefined)[], reason: string): void => {
    for (const name of new Set(names)) {
      if (name === undefined) continue;
      for (const part of ['weight', 'bias', 'gamma', 'beta']) ignore.push({ key: `${name}.${part}`, reason });
    }
  };
  ignore.push({ key: prefix + keys.positionIds, reason: 'the positions 0, 1, …, which are computed' });
  if (!poolerIsInside && keys.pooler !== undefined) {
    unused([prefix + keys.pooler], 'the pooler, which this head does not use');
  }
  if (!predicts) {
    const reason = 'the head for masked words, which this model does not have';
    unused([mlm.dense, mlm.norm, mlm.decoder], reason);
    ignore.push({ key: mlm.bias, reason });
  }
  unused(
    [keys.classifier.pretraining, keys.classifier['next-sentence']],
    'the head for pairs of sentences, which this model does not have',
  );
  if (isOverridden) {
    unused(
      [keys.classifierPooler, ...Object.values(keys.classifier)],
      'a head in place of which another was asked for',
    );
  }
  return {
    rules,
    buffers,
    ties,
    ignore,
    ...(head.name === 'encoder' ? { headPrefix: keys.prefix } : { basePrefix: keys.prefix }),
  };
}

export interface EncoderFamily {
  readonly read: ConfigReader;
  readonly json: object;
  readonly family: string;
  readonly config: EncoderConfig;
  readonly keys: EncoderKeys;
  readonly context: EncoderContext;
  readonly head: Pick<
    HeadOptions,
    'name' | 'classes' | 'problem' | 'poolerDropout' | 'poolerActivation' | 'dropout'
  > & {
    readonly transformActivation: HeadOptions['transform']['activation'];
  };
  readonly eosIds: readonly number[];
  readonly bosId: number | null;
}

/** A family's model from what it read of its configuration. */
export function encoderModel(family: EncoderFamily): EncoderModel {
  const { read, json, config, keys, context } = family;
  const { stored } = context;
  const isTied = read.boolean('tie_word_embeddings', true);
  const { name, classes } = family.head;
  if (name === 'question-answering' && classes.length !== 2) {
    throw read.error('num_labels', '2: an answer has a start and an end');
  }
  const pooler = keys.pooler;
  const isStored = (key: string): boolean => stored === undefined || stored.has(key) || stored.has(keys.prefix + key);
  const pools = name === 'encoder' ? pooler !== undefined && isStored(`${pooler}.weight`) : poolingHeads.includes(name);
  const decoderBias = `${keys.mlm.decoder}.bias`;
  const options: HeadOptions = {
    ...family.head,
    width: config.width,
    labels: name === 'multiple-choice' ? 1 : classes.length,
    pooler: pools,
    transform: {
      activation: family.head.transformActivation,
      width: config.embeddingWidth,
      normEpsilon: config.normEpsilon,
    },
    vocabSize: config.vocabSize,
    tiedTable: isTied ? (root) => tokenTable(root, config) : undefined,
    // transformers 5 stores it where the decoder is not tied; before, there was one bias under either name
    unusedBias: !isTied && keys.mlm.bias !== decoderBias && isStored(decoderBias),
    initStd: config.initStd,
  };
  const isInside = pools && pooler !== undefined && !(name === 'sequence-classification' && keys.classifierPooler);
  const poolsOutside = pools && !isInside;
  const map = keyMap(
    poolsOutside ? keys : { ...keys, classifierPooler: undefined },
    options,
    isInside,
    context.head !== undefined,
  );
  const architectures = [keys.classPrefix + classEndings[name]];
  return {
    kind: 'encoder',
    family: family.family,
    config: {
      ...json,
      model_type: family.family,
      ...((context.head !== undefined || !read.has('architectures')) && { architectures }),
    },
    keyMap: map,
    vocabSize: config.vocabSize,
    maxLength: maxLengthOf(config),
    width: config.width,
    segments: config.segments,
    firstPosition: firstPositionOf(config),
    padId: config.padId,
    eosIds: family.eosIds,
    bosId: family.bosId,
    head: encoderHead(options),
    encode: (root, inputs) => encode(root, config, inputs),
  };
}

const poolingHeads: readonly HeadName[] = [
  'pretraining',
  'next-sentence',
  'sequence-classification',
  'multiple-choice',
];
