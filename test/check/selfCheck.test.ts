import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkModel } from '../../src/check/checkModel.ts';
import { affordable, selfCheck, wholePass } from '../../src/check/selfCheck.ts';
import { declarationsOf } from '../../src/models/declarations.ts';
import { headNames } from '../../src/models/encoderHead.ts';
import type { CausalModel, EncoderModel, Model } from '../../src/models/model.ts';
import { parseModel } from '../../src/models/registry.ts';
import { ParameterArena } from '../../src/nn/parameterArena.ts';
import { add } from '../../src/ops/elementwise.ts';
import { mean } from '../../src/ops/reduce.ts';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';
import { createReferenceRuntime } from '../../src/runtime/reference/reference.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { cases, open } from './fixtures.ts';

let runtime: Runtime;
beforeAll(async () => {
  runtime = await createNodeRuntime();
});
afterAll(() => runtime[Symbol.asyncDispose]());

/** A small model that a change makes wrong. */
async function wrong<M extends Model>(name: string, change: (model: M) => Partial<M>): Promise<string[]> {
  const pretrained = await open(name);
  const model = { ...pretrained.model, ...change(pretrained.model as M) } as Model;
  const { comparisons } = await checkModel(runtime, { ...pretrained, model });
  return comparisons.filter(({ isFault }) => isFault).map(({ name }) => name);
}

describe('without a file', () => {
  it.each(cases)('%s equals itself', async (name) => {
    const report = await checkModel(runtime, await open(name), { reference: createReferenceRuntime() });
    expect(report.comparisons.filter(({ isFault }) => isFault)).toEqual([]);
    const checks = new Set(report.comparisons.map((one) => one.name.split(':')[0]));
    const isEncoder = report.model.kind === 'encoder';
    expect([...checks].sort()).toEqual([
      'batch = singles',
      ...(isEncoder ? [] : ['cached = uncached']),
      'node = reference',
      'padded = not padded',
    ]);
  });

  it('finds a mask that is not looked at', async () => {
    const found = await wrong<EncoderModel>('bert-question-answering', ({ encode }) => ({
      encode: (root, { ids }) => encode(root, { ids }),
    }));
    const names = ['startLogits', 'endLogits', 'output'].map((output) => `padded = not padded: ${output}`);
    expect(found.sort()).toEqual(names.sort());
  });

  it('finds a cache that loses count of positions', async () => {
    const found = await wrong<CausalModel>('gpt2', ({ forward }) => ({
      forward: (root, { positions: _, ...inputs }) => forward(root, inputs),
    }));
    expect(found.sort()).toEqual(['cached = uncached: logits', 'padded = not padded: logits']);
  });

  it('finds rows that know of each other', async () => {
    const found = await wrong<CausalModel>('llama', ({ logits }) => ({
      logits: (root, rows) => logits(root, add(rows, mean(rows, [0], true))),
    }));
    expect(found).toContain('batch = singles: logits');
  });

  it('finds a runtime that computes something else', async () => {
    const off: Runtime = {
      ...createReferenceRuntime(),
      name: 'off',
      run: async (calls) => {
        const results = await runtime.run(calls);
        for (const result of results) for (const { data } of Object.values(result)) data[0]! += 1e-3;
        return results;
      },
      compile: (graph, options) => runtime.compile(graph, options),
    };
    const { comparisons } = await selfCheck(runtime, await open('gpt2'), { tolerance: 1e-5, reference: off });
    const faults = comparisons.filter(({ ratio, limit }) => !(ratio <= limit)).map(({ name }) => name);
    expect(faults).toEqual(['node = off: logits']);
  });

  it('compares the first layers with the reference where the model is too large, and says so', () => {
    const model = parseModel({ model_type: 'gpt2', n_embd: 1600, n_layer: 48, n_head: 25 });
    const whole = wholePass(model, false);
    const sample = { what: '', rows: [[1, 2, 3, 4, 5, 6, 7, 8, 9]], targets: [] };
    const part = affordable(whole, sample);
    expect(part.note).toMatch(/^compared with the reference up to layers\.\d\.residualPost: all of it is too much/);
    expect(Object.keys(part.graph!.outputs)).toEqual([/layers\.\d\.residualPost/.exec(part.note!)![0]]);
    const small = parseModel({ model_type: 'gpt2', n_embd: 768 });
    expect(affordable(wholePass(small, false), sample)).toMatchObject({ sample: { rows: [[1, 2, 3, 4, 5, 6, 7, 8]] } });
  });

  const sizes = { vocab_size: 40, max_position_embeddings: 20, pad_token_id: 0 };
  const bert = { ...sizes, hidden_size: 24, num_hidden_layers: 2, num_attention_heads: 3, intermediate_size: 32 };
  const families = {
    bert,
    roberta: bert,
    albert: { ...bert, embedding_size: 16 },
    distilbert: { ...sizes, dim: 24, n_layers: 2, n_heads: 3, hidden_dim: 32 },
  };
  it.each(Object.entries(families))('%s equals itself with every head', async (family, config) => {
    for (const head of headNames) {
      const has = { pretraining: ['bert', 'albert'], 'next-sentence': ['bert'] }[head as string];
      if (has && !has.includes(family)) continue;
      const model = parseModel({ model_type: family, ...config }, 'config.json', undefined, head);
      const arena = new ParameterArena(declarationsOf(model));
      arena.initialise(3);
      const { comparisons } = await selfCheck(runtime, { model, arena, tokenizer: undefined }, { tolerance: 1e-5 });
      expect(
        comparisons.filter(({ ratio, limit }) => !(ratio <= limit)),
        head,
      ).toEqual([]);
    }
  });
});
