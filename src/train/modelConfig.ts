import { QkvError, unreachable } from '../base/errors.ts';
import { type Init, normalInit } from '../nn/init.ts';
import type { ParameterDeclaration } from '../nn/scope.ts';
import type {
  ConfiguredRecipe,
  Gpt2Recipe,
  MarianRecipe,
  PretrainedRecipe,
  Recipe,
  TransformerRecipe,
} from '../recipe/recipe.ts';

/** A model that begins with random weights. */
export type NewModelRecipe = Exclude<Recipe['model'], PretrainedRecipe>;

/** What a model has to know of its tokenizer. */
export interface VocabularyFacts {
  readonly size: number;
  readonly padId: number | undefined;
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
}

/**
 * The `config.json` of the model that a recipe describes, in the names of its family.
 *
 * @throws QkvError `recipe` for an option that the family cannot honour, `tokenizer` where a special token is missing.
 */
export function modelConfig(model: NewModelRecipe, vocabulary: VocabularyFacts): Record<string, unknown> {
  switch (model.family) {
    case 'marian':
      return marianConfig(model, vocabulary);
    case 'transformer':
      return transformerConfig(model, vocabulary);
    case 'gpt2':
      return gpt2Config(model, vocabulary);
    case 't5':
    case 'bart':
    case 'llama':
    case 'bert':
    case 'roberta':
    case 'albert':
    case 'distilbert':
      return configured(model, vocabulary);
    default:
      return unreachable(model);
  }
}

function marianConfig(model: MarianRecipe, vocabulary: VocabularyFacts): Record<string, unknown> {
  const pad = requireId(vocabulary.padId, 'pad');
  const eos = requireId(vocabulary.eosId, 'eos');
  return {
    model_type: 'marian',
    architectures: ['MarianMTModel'],
    is_encoder_decoder: true,
    vocab_size: vocabulary.size,
    decoder_vocab_size: vocabulary.size,
    d_model: model.width,
    encoder_layers: model.encoderLayers,
    decoder_layers: model.decoderLayers,
    encoder_attention_heads: model.heads,
    decoder_attention_heads: model.heads,
    encoder_ffn_dim: model.hidden,
    decoder_ffn_dim: model.hidden,
    activation_function: model.activation,
    dropout: model.dropout,
    attention_dropout: model.attentionDropout,
    activation_dropout: model.activationDropout,
    max_position_embeddings: model.maxLength,
    init_std: model.init.std,
    scale_embedding: true,
    static_position_embeddings: true,
    share_encoder_decoder_embeddings: model.sharedEmbeddings === 'all',
    tie_word_embeddings: true,
    pad_token_id: pad,
    eos_token_id: eos,
    forced_eos_token_id: eos,
    decoder_start_token_id: pad,
  };
}

function transformerConfig(model: TransformerRecipe, vocabulary: VocabularyFacts): Record<string, unknown> {
  if (!model.bias) {
    throw new QkvError('recipe', {
      where: 'model.bias',
      got: 'false',
      expected: 'true: the feed-forward layers and norms of this family have biases',
    });
  }
  return {
    model_type: 'transformer',
    is_encoder_decoder: true,
    vocab_size: vocabulary.size,
    d_model: model.width,
    num_encoder_layers: model.encoderLayers,
    num_decoder_layers: model.decoderLayers,
    num_heads: model.heads,
    d_ff: model.hidden,
    activation: model.activation,
    layer_norm_eps: 1e-5,
    attention_bias: model.bias,
    norm_placement: model.normPlacement,
    positions: model.positions,
    shared_embeddings: model.sharedEmbeddings,
    scale_embedding: true,
    max_position_embeddings: model.maxLength,
    dropout: model.dropout,
    attention_dropout: model.attentionDropout,
    activation_dropout: model.activationDropout,
    pad_token_id: requireId(vocabulary.padId, 'pad'),
    bos_token_id: requireId(vocabulary.bosId, 'bos'),
    eos_token_id: requireId(vocabulary.eosId, 'eos'),
  };
}

function gpt2Config(model: Gpt2Recipe, vocabulary: VocabularyFacts): Record<string, unknown> {
  return {
    model_type: 'gpt2',
    architectures: ['GPT2LMHeadModel'],
    vocab_size: vocabulary.size,
    n_positions: model.maxLength,
    n_embd: model.width,
    n_layer: model.layers,
    n_head: model.heads,
    n_inner: model.hidden,
    activation_function: model.activation,
    resid_pdrop: model.dropout,
    embd_pdrop: model.embeddingDropout,
    attn_pdrop: model.attentionDropout,
    layer_norm_epsilon: 1e-5,
    initializer_range: model.init.std,
    bias: model.bias,
    tie_word_embeddings: model.sharedEmbeddings,
    bos_token_id: vocabulary.bosId ?? null,
    eos_token_id: vocabulary.eosId ?? null,
  };
}

/** Which special tokens a family has to have, and what it starts a target with. */
const configuredFamilies: Readonly<
  Record<
    ConfiguredFamily,
    { readonly class: string; readonly needs: readonly ('pad' | 'eos')[]; readonly start?: 'pad' | 'eos' }
  >
> = {
  t5: { class: 'T5ForConditionalGeneration', needs: ['pad', 'eos'], start: 'pad' },
  bart: { class: 'BartForConditionalGeneration', needs: ['pad', 'eos'], start: 'eos' },
  llama: { class: 'LlamaForCausalLM', needs: [] },
  bert: { class: 'BertForMaskedLM', needs: ['pad'] },
  roberta: { class: 'RobertaForMaskedLM', needs: ['pad'] },
  albert: { class: 'AlbertForMaskedLM', needs: ['pad'] },
  distilbert: { class: 'DistilBertForMaskedLM', needs: ['pad'] },
};

type ConfiguredFamily = Extract<NewModelRecipe, { readonly config: unknown }>['family'];

/** The recipe's own fields go before what the tokenizer says. */
function configured(
  { family, config }: ConfiguredRecipe<ConfiguredFamily>,
  { size, padId, bosId, eosId }: VocabularyFacts,
): Record<string, unknown> {
  const { class: className, needs, start } = configuredFamilies[family];
  const ids = { pad: padId, eos: eosId };
  for (const role of needs) requireId(ids[role], role);
  return {
    model_type: family,
    architectures: [className],
    vocab_size: size,
    pad_token_id: padId ?? null,
    bos_token_id: bosId ?? null,
    eos_token_id: eosId ?? null,
    ...(start && { decoder_start_token_id: ids[start] }),
    ...config,
  };
}

/**
 * The parameters with the initial values that a recipe asks for. A model declares its family's own way: Xavier's for
 * encoder-decoders (embeddings normal, width^-½), GPT-2's normal distribution with smaller projections into the residual
 * stream; a recipe may replace every random one by one normal distribution. Biases and norms stay as declared.
 */
export function withInit(
  model: NewModelRecipe,
  declarations: readonly ParameterDeclaration[],
): readonly ParameterDeclaration[] {
  const all = initOfAll(model);
  if (all === undefined) return declarations;
  return declarations.map((one) =>
    one.init.kind === 'normal' || one.init.kind === 'xavierUniform' ? { ...one, init: all } : one,
  );
}

/** What every random parameter starts from; undefined where the family's own way is meant. */
function initOfAll(model: NewModelRecipe): Init | undefined {
  switch (model.family) {
    case 'marian':
      return normalInit(model.init.std);
    case 'transformer':
      return model.init.kind === 'normal' ? normalInit(model.init.std) : undefined;
    case 'gpt2':
      return model.init.scaleResidual ? undefined : normalInit(model.init.std);
    case 't5':
    case 'bart':
    case 'llama':
    case 'bert':
    case 'roberta':
    case 'albert':
    case 'distilbert':
      return undefined;
    default:
      return unreachable(model);
  }
}

function requireId(id: number | undefined, role: string): number {
  if (id !== undefined) return id;
  throw new QkvError('tokenizer', {
    where: 'tokenizer_config.json',
    got: `no ${role}_token`,
    expected: `a ${role} token: the model needs its id`,
  });
}
