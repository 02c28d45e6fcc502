import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { parseModel } from '../../src/models/registry.ts';

type Fields = Readonly<Record<string, unknown>>;
const file = new URL('../../fixtures/models/configFields.json', import.meta.url);
const families = JSON.parse(readFileSync(file, 'utf8')) as Readonly<Record<string, Fields>>;

/** Fields that do not change what a model computes here, and why. */
const without: Readonly<Record<string, string>> = {
  _name_or_path: 'where it came from',
  chunk_size_feed_forward: 'computes the feed-forward layer in pieces, with the same result',
  dtype: 'everything is computed in float32',
  label2id: 'the inverse of id2label',
  output_attentions: 'any value can be asked for',
  output_hidden_states: 'any value can be asked for',
  return_dict: 'how Python gives the outputs',
  transformers_version: 'what wrote it',
  use_cache: 'generation always uses one',
  bos_token_id: 'of an encoder-decoder: the decoder starts with decoder_start_token_id',
  forced_eos_token_id: 'read where text is generated',
  init_std: 'weights that are not loaded begin as those of the original Transformer',
  reorder_and_upcast_attn: 'the order of a product, and a precision below float32 that is never used',
};

/** Fields of heads that a family does not have here. */
const ofOtherHeads: Readonly<Record<string, readonly string[]>> = {
  t5: ['classifier_dropout', 'id2label', 'problem_type'],
  bart: ['classifier_dropout', 'id2label', 'problem_type'],
  marian: ['id2label', 'problem_type'],
  gpt2: [
    'id2label',
    'problem_type',
    'summary_activation',
    'summary_first_dropout',
    'summary_proj_to_labels',
    'summary_type',
    'summary_use_proj',
  ],
  llama: ['id2label', 'problem_type'],
};

describe.each(Object.entries(families))('%s: the fields of the reference configuration', (family, fields) => {
  const heads = ['ForMaskedLM', 'ForSequenceClassification', 'ForQuestionAnswering', 'ForPreTraining'];
  const isEncoder = !Object.hasOwn(ofOtherHeads, family);
  const classes: Readonly<Record<string, string>> = {
    bert: 'Bert',
    roberta: 'Roberta',
    albert: 'Albert',
    distilbert: 'DistilBert',
  };
  const configs = isEncoder
    ? heads
        .filter((head) => head !== 'ForPreTraining' || family === 'bert' || family === 'albert')
        .map((head) => ({ ...fields, architectures: [classes[family] + head] }))
    : [fields];

  it('are read, or are known to change nothing', () => {
    const read = new Set<string>();
    for (const config of configs) parseModel(watched(config, read));
    const unread = Object.keys(fields).filter((name) => !read.has(name));
    const explained = [...Object.keys(without), ...(ofOtherHeads[family] ?? [])];
    expect(unread.filter((name) => !explained.includes(name))).toEqual([]);
  });
});

/** The object, noting in `read` which of its fields are looked at by name; copying all of them is not looking. */
function watched(fields: Fields, read: Set<string>): Fields {
  let copied: string | symbol | undefined;
  return new Proxy(fields, {
    getOwnPropertyDescriptor: (target, name) => {
      copied = name;
      return Reflect.getOwnPropertyDescriptor(target, name);
    },
    get: (target, name) => {
      if (name !== copied) read.add(String(name));
      copied = undefined;
      return target[String(name)];
    },
  });
}
