import { QkvError } from '../base/errors.ts';
import { release } from '../base/release.ts';
import type { JsonObject } from '../checkpoint/checkpoint.ts';
import type { Gguf } from '../checkpoint/gguf.ts';
import { type StoredTensor, storedTensor } from '../checkpoint/safetensors.ts';
import { tensorAt } from '../checkpoint/safetensorsHeader.ts';
import { ConfigReader } from './configReader.ts';

export interface LlamaFromGguf {
  /** As in the `config.json` of such a model. */
  readonly config: JsonObject;
  /** By the keys of a Llama checkpoint, rows in its order. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
}

/** Keys below `llama.` that are read, or that do not change what the model computes. */
const known = new Set([
  ...['vocab_size', 'context_length', 'embedding_length', 'block_count', 'feed_forward_length'],
  ...['attention.head_count', 'attention.head_count_kv', 'attention.key_length', 'attention.value_length'],
  ...['attention.layer_norm_rms_epsilon', 'attention.causal', 'expert_count', 'expert_used_count'],
  ...['rope.dimension_count', 'rope.freq_base', 'rope.scale_linear', 'rope.scaling.type', 'rope.scaling.factor'],
  ...['rope.scaling.original_context_length', 'rope.scaling.finetuned', 'tensor_data_layout'],
]);

/**
 * A Llama in a GGUF file as one in the Hugging Face layout. Metadata: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md;
 * names of the tensors: gguf-py/gguf/tensor_mapping.py in https://github.com/ggml-org/llama.cpp.
 *
 * @throws QkvError `config` for another architecture and for metadata that change the mathematics and are not supported.
 */
export async function llamaFromGguf({ metadata, tensors }: Gguf, file: string): Promise<LlamaFromGguf> {
  const plain = [...metadata].map(([key, value]) => [key, typeof value === 'bigint' ? `${value}` : value]);
  const read = new ConfigReader(Object.fromEntries(plain), file);
  read.oneOf('general.architecture', ['llama']);
  read.only('general.quantization_version', 2, 'blocks of other versions are laid out otherwise');
  read.only('split.count', 1, 'a model in several files is joined first (llama-gguf-split --merge)');
  read.only('llama.expert_count', 0, 'layers of several experts are not supported');
  read.only('llama.attention.causal', true, 'each token sees those before it');
  for (const key of metadata.keys()) {
    if (key.startsWith('llama.') && !known.has(key.slice('llama.'.length))) {
      throw read.error(key, 'no such key: it may change the mathematics and is not known');
    }
  }
  const width = read.int('llama.embedding_length');
  const heads = read.int('llama.attention.head_count');
  const headSize = read.int('llama.attention.key_length', {
    otherwise: read.int('llama.rope.dimension_count', { otherwise: width / heads }),
  });
  for (const key of ['llama.rope.dimension_count', 'llama.attention.value_length']) {
    read.only(key, headSize, 'the width of a head');
  }
  const token = (role: string): number | null => read.id(`tokenizer.ggml.${role}_token_id`, null);
  const scaling = await ropeScaling(read, tensors.get('rope_freqs.weight'), headSize);
  const config = {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    vocab_size: read.int('llama.vocab_size', { otherwise: tensors.get('token_embd.weight')?.shape[0] ?? 0 }),
    hidden_size: width,
    intermediate_size: read.int('llama.feed_forward_length'),
    num_hidden_layers: read.layers('llama.block_count'),
    num_attention_heads: heads,
    num_key_value_heads: read.int('llama.attention.head_count_kv', { otherwise: heads }),
    head_dim: headSize,
    hidden_act: 'silu',
    max_position_embeddings: read.int('llama.context_length'),
    rms_norm_eps: shortest(read.positive('llama.attention.layer_norm_rms_epsilon')),
    rope_theta: shortest(read.positive('llama.rope.freq_base', 10000)),
    ...(scaling && { rope_scaling: scaling }),
    attention_bias: tensors.has('blk.0.attn_q.bias'),
    mlp_bias: tensors.has('blk.0.ffn_up.bias'),
    tie_word_embeddings: !tensors.has('output.weight'),
    bos_token_id: token('bos'),
    eos_token_id: token('eos'),
    pad_token_id: token('padding'),
  };
  const renamed = new Map<string, StoredTensor>();
  for (const [name, tensor] of tensors) {
    if (name === 'rope_freqs.weight') continue; // read above
    const isRotated = /\.attn_[qk]\./.test(name);
    renamed.set(keyOf(name), isRotated ? inHalves(tensor, headSize, tensorAt(file, name)) : tensor);
  }
  return { config, tensors: renamed };
}

const blockNames: Readonly<Record<string, string>> = {
  attn_norm: 'input_layernorm',
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_output: 'self_attn.o_proj',
  ffn_norm: 'post_attention_layernorm',
  ffn_gate: 'mlp.gate_proj',
  ffn_up: 'mlp.up_proj',
  ffn_down: 'mlp.down_proj',
};
const otherNames: Readonly<Record<string, string>> = {
  token_embd: 'model.embed_tokens',
  output_norm: 'model.norm',
  output: 'lm_head',
};

/** The key of a tensor; one that a Llama does not have keeps its name, to be refused by it. */
function keyOf(name: string): string {
  const [, layer, part, kind] = /^(?:blk\.(\d+)\.)?(\w+)\.(weight|bias)$/.exec(name) ?? [];
  const table = layer === undefined ? otherNames : blockNames;
  if (part === undefined || !Object.hasOwn(table, part)) return name;
  return `${layer === undefined ? '' : `model.layers.${layer}.`}${table[part]}.${kind}`;
}

/**
 * The rows of each head, which ggml has as pairs that rotate together (2i and 2i + 1), as halves (i and i + K/2): the inverse
 * of `permute` in llama.cpp's convert_hf_to_gguf.py.
 */
function inHalves(tensor: StoredTensor, headSize: number, where: string): StoredTensor {
  const { name, shape } = tensor;
  const rowSize = shape[1] ?? 1;
  if (shape[0]! % headSize !== 0) return tensor; // of a wrong shape, which loading reports
  const headElements = headSize * rowSize;
  const half = headSize / 2;
  return storedTensor(name, { dtype: 'F32', shape }, where, async (from, length) => {
    const first = Math.floor(from / 4 / headElements) * headElements;
    const last = Math.ceil((from + length) / 4 / headElements) * headElements;
    const pairs = await tensor.read('float32', first, last);
    const halves = new Float32Array(pairs.length);
    for (let head = 0; head < pairs.length; head += headElements) {
      for (let row = 0; row < headSize; row++) {
        const at = head + (2 * (row % half) + Math.floor(row / half)) * rowSize;
        halves.set(pairs.subarray(at, at + rowSize), head + row * rowSize);
      }
    }
    release(pairs);
    return new Uint8Array(halves.buffer, from - 4 * first, length);
  });
}

/**
 * Linear scaling is in the metadata. Llama 3's is in the file as the divisor of each frequency alone; its parameters are found
 * by trying those that Llama 3.1 to 3.3 have, of which only the factor differs.
 */
async function ropeScaling(
  read: ConfigReader,
  divisors: StoredTensor | undefined,
  headSize: number,
): Promise<JsonObject | undefined> {
  const older = read.has('llama.rope.scale_linear');
  const type = read.oneOf('llama.rope.scaling.type', ['none', 'linear'], older ? 'linear' : 'none');
  const factor = read.positive('llama.rope.scaling.factor', read.positive('llama.rope.scale_linear', 1));
  if (!divisors)
    return type === 'linear' && factor !== 1 ? { rope_type: 'linear', factor: shortest(factor) } : undefined;
  const found = await divisors.read('float32', 0, Math.min(divisors.shape[0] ?? 0, headSize / 2));
  if (found.every((divisor) => divisor === 1)) return undefined;
  const llama3 = {
    rope_type: 'llama3',
    factor: shortest(found.at(-1) ?? 1), // the lowest frequencies are divided by the whole factor
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: read.int('llama.rope.scaling.original_context_length', { otherwise: 8192 }),
  };
  const theta = read.positive('llama.rope.freq_base', 10000);
  const isLlama3 = found.every((divisor, i) => {
    const turns = (llama3.original_max_position_embeddings * theta ** ((-2 * i) / headSize)) / (2 * Math.PI);
    const smooth = Math.min(
      1,
      Math.max(0, (turns - llama3.low_freq_factor) / (llama3.high_freq_factor - llama3.low_freq_factor)),
    );
    const expected = 1 / ((1 - smooth) / llama3.factor + smooth);
    return Math.abs(divisor / expected - 1) < 1e-4;
  });
  if (isLlama3 && found.length === headSize / 2 && type === 'none') return llama3;
  throw new QkvError('config', {
    where: read.where('rope_freqs.weight'),
    got: `divisors of the frequencies from ${found[0]} to ${found.at(-1)}`,
    expected: 'ones, or those of Llama 3.1 to 3.3',
  });
}

/** The shortest decimal that is the same in float32, which is what the file has of it. */
function shortest(value: number): number {
  for (let digits = 1; digits < 9; digits++) {
    const rounded = Number(value.toPrecision(digits));
    if (Math.fround(rounded) === Math.fround(value)) return rounded;
  }
  return value;
}
