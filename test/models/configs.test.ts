import { describe, expect, it } from 'vitest';
import type { QkvError } from '../../src/base/errors.ts';
import { declarationsOf } from '../../src/models/declarations.ts';
import { parseModel } from '../../src/models/registry.ts';
import { ropeFrequencies } from '../../src/nn/rope.ts';

const t5 = { model_type: 't5', vocab_size: 20, d_model: 8, d_kv: 4, d_ff: 8, num_layers: 1, num_heads: 2 };
const llama = {
  model_type: 'llama',
  vocab_size: 20,
  hidden_size: 16,
  intermediate_size: 8,
  num_hidden_layers: 1,
  num_attention_heads: 4,
};
const bart = { model_type: 'bart', vocab_size: 20, d_model: 8, encoder_attention_heads: 2, decoder_attention_heads: 2 };

function paths(config: object, stored?: ReadonlySet<string>): string[] {
  return declarationsOf(parseModel(config, 'config.json', stored)).map(({ path }) => path);
}

describe('fields that a family cannot honour are refused by name', () => {
  it.each([
    [{ ...llama, pretraining_tp: 2 }, 'pretraining_tp'],
    [{ ...llama, num_key_value_heads: 3 }, 'num_key_value_heads'],
    [{ ...llama, head_dim: 5 }, 'head_dim'],
    [{ ...llama, partial_rotary_factor: 0.5 }, 'partial_rotary_factor'],
    [{ ...llama, rope_parameters: { rope_type: 'yarn', factor: 4 } }, 'rope_parameters: rope_type'],
    [{ ...llama, rope_scaling: { type: 'longrope', factor: 4 } }, 'rope_scaling: type'],
    [{ ...llama, rope_scaling: { type: 'linear' } }, 'rope_scaling: factor'],
    [{ ...llama, rope_scaling: { rope_type: 'llama3', factor: 8 } }, 'rope_scaling: low_freq_factor'],
    [{ ...llama, rope_scaling: 'linear' }, 'rope_scaling'],
    [{ ...t5, feed_forward_proj: 'gated-gelu-new' }, 'feed_forward_proj'],
    [{ ...t5, feed_forward_proj: 'gated-selu' }, 'feed_forward_proj'],
    [{ ...t5, relative_attention_num_buckets: 7 }, 'relative_attention_num_buckets'],
    [{ ...t5, relative_attention_max_distance: 16 }, 'relative_attention_max_distance'],
    [{ ...t5, is_encoder_decoder: false }, 'is_encoder_decoder'],
    [{ ...bart, normalize_before: true }, 'normalize_before'],
    [{ ...bart, encoder_layerdrop: 0.1 }, 'encoder_layerdrop'],
    [{ ...bart, decoder_attention_heads: 3 }, 'decoder_attention_heads'],
  ])('%o: %s', (config, field) => {
    let refused: unknown;
    try {
      parseModel(config);
    } catch (error) {
      refused = error;
    }
    expect(refused).toMatchObject({ code: 'config' });
    expect((refused as QkvError).message).toContain(`config.json: ${field}`);
  });
});

describe('t5', () => {
  const gated = { ...t5, feed_forward_proj: 'gated-gelu' };
  const both = new Set(['shared.weight', 'lm_head.weight']);
  const one = new Set(['shared.weight']);

  it('has an output table of its own where the configuration or, of newer ones, the checkpoint says so', () => {
    expect(paths(gated)).not.toContain('output.weight');
    expect(paths({ ...gated, tie_word_embeddings: false })).toContain('output.weight');
    expect(paths({ ...gated, tie_word_embeddings: false }, both)).toContain('output.weight');
    const newer = { ...gated, tie_word_embeddings: true, scale_decoder_outputs: false };
    expect(paths(newer, one)).not.toContain('output.weight');
    expect(paths(newer, both)).toContain('output.weight');
  });

  it('has one table of distances a side', () => {
    const tables = paths({ ...t5, num_layers: 3 }).filter((path) => path.includes('relativePositions'));
    expect(tables).toEqual(['encoder.relativePositions.weight', 'decoder.relativePositions.weight']);
  });
});

describe('llama', () => {
  it('reaches as far as its rotation was stretched', () => {
    const long = (scaling: object | null): number =>
      parseModel({ ...llama, max_position_embeddings: 100, rope_scaling: scaling }).maxLength;
    expect(long(null)).toBe(100);
    expect(long({ type: 'linear', factor: 2.5 })).toBe(250);
    expect(long({ type: 'dynamic', factor: 4 })).toBe(400);
  });

  it('turns slow angles of Llama 3.1 more slowly, fast ones as before', () => {
    const base = { headSize: 128, theta: 500000 };
    const plain = ropeFrequencies({ ...base, scaling: { kind: 'none' } });
    const scaled = ropeFrequencies({
      ...base,
      scaling: { kind: 'llama3', factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, trainedLength: 8192 },
    });
    const ratios = [...plain].map((frequency, i) => frequency / scaled[i]!);
    expect(ratios[0]).toBe(1);
    expect(ratios.at(-1)).toBe(8);
    expect(ratios.toSorted((a, b) => a - b)).toEqual(ratios);
    expect(ratios.filter((ratio) => ratio > 1 && ratio < 8).length).toBeGreaterThan(3);
  });
});
