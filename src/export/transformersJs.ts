import type { JsonObject } from '../checkpoint/checkpoint.ts';
import type { HeadName } from '../models/encoderHead.ts';
import type { Model } from '../models/model.ts';

/** The pipelines of transformers.js 4 (its `src/models/registry.js`) for the heads of an encoder; it has no other heads. */
const taskOfHead: { readonly [head in HeadName]?: string } = {
  encoder: 'feature-extraction',
  pretraining: 'fill-mask',
  'masked-lm': 'fill-mask',
  'sequence-classification': 'text-classification',
  'token-classification': 'token-classification',
  'question-answering': 'question-answering',
};

/** Families that it has classes for: the heads that it lacks, or its pipeline and its name for the number of decoder layers. */
const encoders: Readonly<Record<string, readonly HeadName[]>> = {
  bert: [],
  roberta: [],
  distilbert: [],
  albert: ['token-classification'],
};
const decoders: Readonly<Record<string, { readonly task: string; readonly layers: string }>> = {
  gpt2: { task: 'text-generation', layers: 'n_layer' },
  llama: { task: 'text-generation', layers: 'num_hidden_layers' },
  t5: { task: 'text2text-generation', layers: 'num_decoder_layers' },
  bart: { task: 'text2text-generation', layers: 'decoder_layers' },
  marian: { task: 'translation', layers: 'decoder_layers' },
};

/** The pipeline of transformers.js that opens an export of this model; undefined where it has no class for it. */
export function pipelineTask(model: Model): string | undefined {
  if (model.kind !== 'encoder') return decoders[model.family]?.task;
  return encoders[model.family]?.includes(model.head.name) === false ? taskOfHead[model.head.name] : undefined;
}

/**
 * config.json for an export. Unlike Python, transformers.js knows no defaults: what its generation and its pipelines read is
 * written out. `labels` is the number of classes; `external` are the files that have external data.
 */
export function exportConfig(
  model: Model,
  { labels, external }: { readonly labels: number | undefined; readonly external: readonly string[] },
): JsonObject {
  const given = Object.entries(model.config).filter(([, value]) => value !== null && value !== undefined);
  return {
    ...(model.kind !== 'encoder' && {
      is_encoder_decoder: model.kind === 'encoder-decoder',
      ...(decoders[model.family] && { [decoders[model.family]!.layers]: model.cache.layers }),
      eos_token_id: model.eosIds.length > 1 ? model.eosIds : (model.eosIds[0] ?? null),
      pad_token_id: model.padId,
      ...(model.kind === 'causal' ? { bos_token_id: model.bosId } : { decoder_start_token_id: model.startId }),
    }),
    ...(labels !== undefined && {
      id2label: Object.fromEntries(Array.from({ length: labels }, (_, i) => [i, `LABEL_${i}`])),
    }),
    ...Object.fromEntries(given),
    // without this it looks for quantized weights in a page
    'transformers.js_config': {
      dtype: 'fp32',
      ...(external.length > 0 && {
        use_external_data_format: Object.fromEntries(external.map((name) => [name, 1])),
      }),
    },
  };
}
