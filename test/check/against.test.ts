import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { checkModel } from '../../src/check/checkModel.ts';
import {
  type OutgoingTensor,
  openSafetensors,
  type StoredTensor,
  safetensorsChunks,
} from '../../src/checkpoint/safetensors.ts';
import { nodeStorage } from '../../src/checkpoint/storage.node.ts';
import type { Pretrained } from '../../src/pretrained/pretrained.ts';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { memoryStorage } from '../checkpoint/memoryStorage.ts';
import { cases, folderOf, open } from './fixtures.ts';

const expectedOf = async (name: string): Promise<Map<string, StoredTensor>> =>
  new Map((await openSafetensors(nodeStorage(folderOf(name)), 'expected.safetensors')).tensors);

let runtime: Runtime;
beforeAll(async () => {
  runtime = await createNodeRuntime();
});
afterAll(() => runtime[Symbol.asyncDispose]());

/** The names of what is beyond its limit. */
async function beyond(pretrained: Pretrained, tensors?: ReadonlyMap<string, StoredTensor>): Promise<string[]> {
  const { comparisons } = await checkModel(runtime, pretrained, { ...(tensors && { against: tensors }) });
  return comparisons.filter(({ isFault }) => isFault).map(({ name }) => name);
}

/** A file as it is read, with these tensors as values of a stored type. */
async function stored(tensors: readonly OutgoingTensor[]): Promise<ReadonlyMap<string, StoredTensor>> {
  const storage = memoryStorage();
  await storage.writeAtomic('file.safetensors', safetensorsChunks(tensors));
  return (await openSafetensors(storage, 'file.safetensors')).tensors;
}

const changed = async (tensor: StoredTensor, change: (values: Float32Array) => void): Promise<StoredTensor> => {
  const data = Float32Array.from(await tensor.read('float32'));
  change(data);
  return (await stored([{ name: tensor.name, dtype: 'F32', shape: tensor.shape, data }])).get(tensor.name)!;
};

describe('against the reference', () => {
  it.each(cases)('%s: every tensor of its file is compared, and equal', async (name) => {
    const tensors = await expectedOf(name);
    const compared = [...tensors.keys()].filter((key) => /^(output|grad)\.|^left\.logits/.test(key));
    // nothing is said here of gradients that are exactly 0: they are known by their size
    const report = await checkModel(runtime, await open(name), { against: tensors });
    expect(report.comparisons.filter(({ isFault }) => isFault)).toEqual([]);
    expect(report).toMatchObject({ isSound: true, faults: [], against: { gradientsAbsent: [] } });
    expect(report.comparisons.map((one) => one.name).sort()).toEqual(compared.sort());
  });

  it('finds one value that is wrong, worst first', async () => {
    const tensors = await expectedOf('bart');
    for (const [name, by] of [
      ['output.logits', 1e-3],
      ['grad.model.encoder.layers.0.fc1.bias', 1e-1],
    ] as const) {
      tensors.set(name, await changed(tensors.get(name)!, (values) => (values[7]! += by)));
    }
    expect(await beyond(await open('bart'), tensors)).toEqual([
      'grad.model.encoder.layers.0.fc1.bias',
      'output.logits',
    ]);
  });

  it('counts NaN, on either side, and another shape as beyond every limit', async () => {
    const tensors = await expectedOf('gpt2');
    tensors.set('output.attentions.0', await changed(tensors.get('output.attentions.0')!, (v) => v.fill(Number.NaN)));
    const logits = await tensors.get('output.logits')!.read('float32');
    const one = { name: 'output.logits', dtype: 'F32', shape: [logits.length], data: logits } as const;
    tensors.set('output.logits', (await stored([one])).get('output.logits')!);
    expect((await beyond(await open('gpt2'), tensors)).sort()).toEqual(['output.attentions.0', 'output.logits']);

    const broken = await open('gpt2');
    broken.arena.tensors['layers.0.mlp.up.weight']!.data[3] = Number.NaN;
    const report = await checkModel(runtime, broken, { against: await expectedOf('gpt2') });
    expect(report.model.notFinite).toEqual(['transformer.h.0.mlp.c_fc.weight']);
    expect(report.comparisons.find(({ name }) => name === 'output.logits')).toMatchObject({ isFault: true });
    expect(await beyond(broken)).toContain('batch = singles: logits');
  });

  it('compares a key bias, whose gradient is 0, by the largest gradient of the model', async () => {
    const tensors = await expectedOf('bert-token-classification');
    const name = 'grad.bert.encoder.layer.0.attention.self.key.bias';
    const report = await checkModel(runtime, await open('bert-token-classification'), { against: tensors });
    expect(report.comparisons.find((one) => one.name === name)).toMatchObject({
      note: 'rounding noise: measured by the largest gradient of the model',
      isFault: false,
    });
    tensors.set(name, await changed(tensors.get(name)!, (values) => (values[0] = 1e-2)));
    expect(await beyond(await open('bert-token-classification'), tensors)).toEqual([name]);
  });

  it('reads outputs in half precision and masks of true and false', async () => {
    const tensors = await expectedOf('roberta-masked-lm');
    const [logits, mask] = [tensors.get('output.logits')!, tensors.get('input.attention_mask')!];
    const half = await stored([
      { name: 'output.logits', dtype: 'F16', shape: logits.shape, data: await logits.read('float32') },
      {
        name: 'input.attention_mask',
        dtype: 'BOOL',
        shape: mask.shape,
        data: Uint8Array.from(await mask.read('int32')),
      },
    ]);
    const report = await checkModel(runtime, await open('roberta-masked-lm'), {
      against: new Map([...tensors, ...half]),
    });
    expect(report.isSound).toBe(true);
    const { ratio, limit } = report.comparisons.find(({ name }) => name === 'output.logits')!;
    expect(ratio).toBeGreaterThan(1e-5);
    expect(limit).toBe(1e-5 + 2 ** -11);
  });

  it('says what it does not know, unless that is skipped', async () => {
    const tensors = await expectedOf('gpt2');
    const logits = tensors.get('output.logits')!;
    for (const name of ['output.past_key_values.0', 'grad.transformer.h.7.ln_1.bias', 'else'])
      tensors.set(name, logits);
    const model = await open('gpt2');
    const report = await checkModel(runtime, model, { against: tensors });
    expect(report.isSound).toBe(false);
    expect(report.against!.notCompared.map(({ name }) => name).sort()).toEqual([
      'else',
      'grad.transformer.h.7.ln_1.bias',
      'output.past_key_values.0',
    ]);
    const skip = ['output.past*', 'else', 'grad.transformer.h.7.*'];
    expect(await checkModel(runtime, model, { against: tensors, skip })).toMatchObject({ isSound: true, faults: [] });
  });

  it('takes the other name of a tied weight, and no gradients at all', async () => {
    const tensors = await expectedOf('gpt2');
    tensors.set('grad.lm_head.weight', tensors.get('grad.transformer.wte.weight')!);
    tensors.delete('grad.transformer.wte.weight');
    expect(await beyond(await open('gpt2'), tensors)).toEqual([]);
    for (const key of [...tensors.keys()]) if (/^grad|loss|labels/.test(key)) tensors.delete(key);
    const report = await checkModel(runtime, await open('gpt2'), { against: tensors });
    expect(report.isSound).toBe(true);
    expect(report.against!.gradientsAbsent).toHaveLength(28);
  });

  it.each([
    ['gpt2', ['input.input_ids'], 'input.input_ids: got only input.attention_mask, input.labels'],
    ['gpt2', ['input.labels'], 'got no input.labels, expected the labels too'],
    [
      'bert-pretraining',
      ['input.next_sentence_label'],
      'got no input.next_sentence_label or input.sentence_order_label',
    ],
    ['marian', ['input.labels', 'input.decoder_input_ids'], 'input.labels: got only'],
  ])('refuses a file of %s without %s', async (name, missing, message) => {
    const tensors = await expectedOf(name);
    for (const key of missing) tensors.delete(key);
    const failed = checkModel(runtime, await open(name), { against: tensors });
    await expect(failed).rejects.toMatchObject({ code: 'data', message: expect.stringContaining(message) });
  });

  it('refuses inputs that the model does not take, and files with nothing to compare', async () => {
    const tensors = await expectedOf('distilbert-masked-lm');
    const model = await open('distilbert-masked-lm');
    tensors.set('input.position_ids', tensors.get('input.input_ids')!);
    const position = checkModel(runtime, model, { against: tensors });
    await expect(position).rejects.toMatchObject({ code: 'data', parts: { got: 'input.position_ids' } });
    tensors.delete('input.position_ids');
    const ids = tensors.get('input.input_ids')!;
    for (const [value, got] of [
      [99, 'token 99'],
      [-1, 'token -1'],
      [0.5, 'numbers with fractions'],
    ] as const) {
      const data = Float32Array.from(await ids.read('int32')).fill(value, 3, 4);
      const strange = await stored([{ name: 'input.input_ids', dtype: 'F32', shape: ids.shape, data }]);
      const check = checkModel(runtime, model, { against: new Map([...tensors, ...strange]) });
      await expect(check).rejects.toMatchObject({ code: 'data', parts: { where: 'input.input_ids', got } });
    }
    const [shape, data] = [[1, 25], new Float32Array(25).fill(5)];
    const long = await stored(
      ['input.input_ids', 'output.logits'].map((name) => ({ name, dtype: 'F32', shape, data })),
    );
    const tooLong = checkModel(runtime, model, { against: long });
    await expect(tooLong).rejects.toMatchObject({ code: 'data', parts: { got: '25 tokens' } });
    const nothing = checkModel(runtime, model, { against: new Map() });
    await expect(nothing).rejects.toMatchObject({ code: 'data', parts: { got: 'no tensors' } });
  });
});
