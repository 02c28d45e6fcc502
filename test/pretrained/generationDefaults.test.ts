import { describe, expect, it } from 'vitest';
import { parseModel } from '../../src/models/registry.ts';
import { generationDefaults } from '../../src/pretrained/generationDefaults.ts';

const llama = { model_type: 'llama', vocab_size: 20, hidden_size: 8, intermediate_size: 8, num_attention_heads: 2 };
const bart = { model_type: 'bart', vocab_size: 20, d_model: 8, encoder_attention_heads: 2, decoder_attention_heads: 2 };

describe('generationDefaults', () => {
  it('takes a list of end tokens, from either file', () => {
    const model = parseModel({ ...llama, eos_token_id: [3, 4] });
    expect(model.eosIds).toEqual([3, 4]);
    expect(generationDefaults(model, { eos_token_id: [5, 6] })).toEqual({ eosId: [5, 6] });
    expect(() => generationDefaults(model, { eos_token_id: 'x' })).toThrow('eos_token_id');
    expect(() => parseModel({ ...llama, eos_token_id: [3, '4'] })).toThrow('eos_token_id');
  });

  it('without a generation_config.json has what config.json says of generation', () => {
    const model = parseModel({ ...bart, num_beams: 4, no_repeat_ngram_size: 3, max_length: 142, min_length: 56 });
    const defaults = { numBeams: 4, noRepeatNgramSize: 3, maxNewTokens: 141, minNewTokens: 55 };
    expect(generationDefaults(model)).toEqual(defaults);
    expect(generationDefaults(model, { num_beams: 2 })).toEqual({ numBeams: 2 });
  });

  it('passes over keys at their default and refuses the others by name', () => {
    const model = parseModel(llama);
    expect(generationDefaults(model, { typical_p: 1, num_beam_groups: 1, diversity_penalty: 0 })).toEqual({});
    expect(() => generationDefaults(model, { typical_p: 0.9 })).toThrow('typical_p');
    expect(() => generationDefaults(model, { min_length: 5 })).toThrow('min_length');
  });
});

it('a head that is not here is refused by the name of its class', () => {
  expect(() => parseModel({ ...llama, architectures: ['LlamaForSequenceClassification'] })).toThrow('LlamaForCausalLM');
  expect(() => parseModel({ ...llama, architectures: [] })).not.toThrow();
});
