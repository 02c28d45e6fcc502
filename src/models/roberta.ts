import { bertEncoderKeys, readBertConfig } from './bert.ts';
import { ConfigReader } from './configReader.ts';
import {
  type EncoderContext,
  type EncoderKeys,
  encoderModel,
  readClasses,
  readHead,
  readProblem,
  sharedHeads,
} from './encoderFamily.ts';
import type { EncoderModel } from './model.ts';

/**
 * RoBERTa (Liu et al. 2019, "RoBERTa: A Robustly Optimized BERT Pretraining Approach"): BERT with positions that count from
 * the padding id on. `modeling_roberta.py` of Hugging Face's transformers is the reference.
 */
export function parseRoberta(json: unknown, file = 'config.json', context: EncoderContext = {}): EncoderModel {
  const read = new ConfigReader(json, file);
  const head = readHead(read, keys.classPrefix, sharedHeads, context);
  const vocabSize = read.int('vocab_size', { otherwise: 50265 });
  const padId = read.id('pad_token_id', 1);
  if (padId === null) throw read.error('pad_token_id', 'a token: positions are counted from it on');
  const config = { ...readBertConfig(read), vocabSize, padId, positions: 'fromPadding' as const };
  if (config.positionRows < padId + 2)
    throw read.error('max_position_embeddings', `${padId + 2} or more: positions begin at ${padId + 1}`);
  const classes = readClasses(read);
  const hiddenDropout = config.attentionOutDropout;
  const classifierDropout = read.rate('classifier_dropout', hiddenDropout);
  const dropouts: Readonly<Record<string, number>> = {
    'sequence-classification': classifierDropout,
    'token-classification': classifierDropout,
    'multiple-choice': hiddenDropout,
  };
  return encoderModel({
    read,
    json: json as object,
    family: 'roberta',
    config,
    keys,
    context,
    head: {
      name: head,
      classes,
      problem: readProblem(read, classes.length),
      poolerDropout: head === 'sequence-classification' ? classifierDropout : 0,
      poolerActivation: 'tanh',
      dropout: dropouts[head] ?? 0,
      transformActivation: 'gelu',
    },
    bosId: read.id('bos_token_id', 0),
    eosIds: read.ids('eos_token_id', 2),
  });
}

const keys: EncoderKeys = {
  ...bertEncoderKeys,
  prefix: 'roberta.',
  classPrefix: 'Roberta',
  classifierPooler: 'classifier.dense',
  classifier: {
    'sequence-classification': 'classifier.out_proj',
    'token-classification': 'classifier',
    'question-answering': 'qa_outputs',
    'multiple-choice': 'classifier',
  },
  mlm: { dense: 'lm_head.dense', norm: 'lm_head.layer_norm', bias: 'lm_head.bias', decoder: 'lm_head.decoder' },
};
