import type { JsonObject } from '../checkpoint/checkpoint.ts';
import type { Model } from '../models/model.ts';
import type { TokenizerFiles } from '../tokenizer/tokenizerFiles.ts';

/**
 * What Python's tokenizer makes of texts for a model, `model_input_names` in `tokenizer_config.json`. Where it is not said, the class that
 * reads a `tokenizer.json` of any model makes segments for all of them (transformers 4) or for none (5): DistilBERT then refuses them, GPT-2
 * adds the embedding of the first word to each token, and BERT reads a pair as one text.
 */
export function modelInputNames(model: Model): readonly string[] {
  const hasSegments = model.kind === 'encoder' && model.segments > 1;
  return ['input_ids', ...(hasSegments ? ['token_type_ids'] : []), 'attention_mask'];
}

/** A tokenizer's files as they stand beside a model. */
export function tokenizerFilesFor(model: Model, files: TokenizerFiles): TokenizerFiles {
  const config = JSON.parse(files['tokenizer_config.json']) as JsonObject;
  const named = { model_input_names: modelInputNames(model), ...config };
  return { ...files, 'tokenizer_config.json': `${JSON.stringify(named, null, 2)}\n` };
}
