import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromBinary } from '@bufbuild/protobuf';
import * as ort from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { shapeText } from '../../src/base/dim.ts';
import { float32, type HostTensor, int32 } from '../../src/base/tensor.ts';
import { defaultTolerance } from '../../src/check/against.ts';
import { maxAbs, maxDifference } from '../../src/check/comparison.ts';
import { exportFolder } from '../../src/export/exportFolder.node.ts';
import { exportGraphs } from '../../src/export/exportGraphs.ts';
import { leaves } from '../../src/graph/graph.ts';
import { parseModel } from '../../src/models/registry.ts';
import { ModelProtoSchema } from '../../src/onnx/proto/onnx_pb.ts';
import { openModel } from '../../src/pretrained/openModel.node.ts';
import { readTensors, under } from '../parity/parityCase.ts';

// Exports of the parity cases, run by ONNX Runtime as anyone would run them, give what the reference gave.

const parity = join(import.meta.dirname, '../../fixtures/parity');
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'qkv-export-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

type Tensors = Record<string, HostTensor>;

async function exported(name: string): Promise<string> {
  const out = join(folder, name);
  if (!existsSync(out)) await exportFolder(await openModel(join(parity, name)), out, { version: '1.2.3' });
  return out;
}

async function openSession(path: string): Promise<ort.InferenceSession> {
  return await ort.InferenceSession.create(path, { logSeverityLevel: 3 });
}

/** Whole numbers go in as int64; feeds that the model has no input for are left out. */
async function run(session: ort.InferenceSession, feeds: Tensors): Promise<Tensors> {
  const given = session.inputNames.map((name) => {
    const { dtype, shape, data } = feeds[name]!;
    const tensor =
      dtype === 'int32'
        ? new ort.Tensor('int64', BigInt64Array.from(data, BigInt), shape)
        : new ort.Tensor('float32', data as Float32Array, shape);
    return [name, tensor] as const;
  });
  const outputs = Object.entries(await session.run(Object.fromEntries(given)));
  return Object.fromEntries(outputs.map(([name, { dims, data }]) => [name, float32(dims, data as Float32Array)]));
}

/** Tensors by name: all that these models take and give. */
interface TensorInfo {
  readonly name: string;
  readonly type: string;
  readonly shape: readonly (string | number)[];
}
const inputsOf = ({ inputMetadata }: ort.InferenceSession): readonly TensorInfo[] =>
  inputMetadata.filter((info) => info.isTensor);
const outputsOf = ({ outputMetadata }: ort.InferenceSession): readonly TensorInfo[] =>
  outputMetadata.filter((info) => info.isTensor);

function interfaceOf(session: ort.InferenceSession): Record<string, string> {
  const all = [...inputsOf(session), ...outputsOf(session)];
  return Object.fromEntries(all.map(({ name, type, shape }) => [name, `${type} ${shape.join(' ')}`]));
}

const emptyPast = (session: ort.InferenceSession, batch: number): Tensors =>
  Object.fromEntries(
    inputsOf(session)
      .filter(({ name }) => name.startsWith('past_key_values'))
      .map(({ name, shape }) => [name, float32([batch, shape[1] as number, 0, shape[3] as number], [])]),
  );
const nextPast = (outputs: Tensors): Tensors =>
  Object.fromEntries(
    Object.entries(outputs)
      .filter(([name]) => name.startsWith('present'))
      .map(([name, tensor]) => [name.replace('present', 'past_key_values'), tensor]),
  );

/** Columns `start` to `end` of int32 [B, T]. */
function columns({ shape, data }: HostTensor, start: number, end: number): HostTensor {
  const [batch, length] = shape as [number, number];
  const rows = Array.from({ length: batch }, (_, b) => [...data.slice(b * length + start, b * length + end)]);
  return int32([batch, end - start], rows.flat());
}

/** Positions of [B, T, V]. */
function joined(steps: readonly HostTensor[]): HostTensor {
  const [batch, , width] = steps[0]!.shape as [number, number, number];
  const rows = Array.from({ length: batch }, (_, b) =>
    steps.flatMap(({ data }) => [...data.slice(b * width, (b + 1) * width)]),
  );
  return float32([batch, steps.length, width], rows.flat());
}

function zeroedWhere({ shape, data }: HostTensor, mask: HostTensor): HostTensor {
  const width = shape[2]!;
  return float32(
    shape,
    Float32Array.from(data, (x, i) => (mask.data[Math.floor(i / width)] === 0 ? 0 : x)),
  );
}

describe('an exported encoder', () => {
  const names = {
    'albert-masked-lm': { logits: 'logits' },
    'bert-pretraining': { logits: 'prediction_logits', seq_relationship_logits: 'seq_relationship_logits' },
    'bert-question-answering': { start_logits: 'start_logits', end_logits: 'end_logits' },
    'bert-sequence-classification': { logits: 'logits' },
    'bert-token-classification': { logits: 'logits' },
    'distilbert-masked-lm': { logits: 'logits' },
    'roberta-masked-lm': { logits: 'logits' },
  };
  it.each(Object.entries(names))('%s gives what the reference gave', async (name, outputs) => {
    const session = await openSession(join(await exported(name), 'onnx/model.onnx'));
    const stored = await readTensors(join(parity, name), 'expected.safetensors');
    const inputs = Object.fromEntries(under(stored, 'input.'));
    const { shape } = inputs['input_ids']!;
    const zeros = int32(shape, new Int32Array(shape[0]! * shape[1]!));
    const found = await run(session, { token_type_ids: zeros, ...inputs });
    expect(Object.keys(found)).toEqual(Object.keys(outputs));
    for (const [own, reference] of Object.entries(outputs)) {
      expect(relativeToMax(found[own]!, stored.get(`output.${reference}`)!)).toBeLessThan(defaultTolerance);
    }
  });

  it('has the names and types of other exports', async () => {
    const session = await openSession(join(await exported('bert-question-answering'), 'onnx/model.onnx'));
    expect(interfaceOf(session)).toEqual({
      input_ids: 'int64 batch_size sequence_length',
      attention_mask: 'int64 batch_size sequence_length',
      token_type_ids: 'int64 batch_size sequence_length',
      start_logits: 'float32 batch_size sequence_length',
      end_logits: 'float32 batch_size sequence_length',
    });
    const single = await openSession(join(await exported('roberta-masked-lm'), 'onnx/model.onnx'));
    expect(single.inputNames).toEqual(['input_ids', 'attention_mask']);
  });
});

it('an export of multiple choice has the choices as an axis', () => {
  const { model } = exportGraphs(parseModel({ model_type: 'bert', architectures: ['BertForMultipleChoice'] }));
  expect(shapeText(model!.outputs['logits']!.shape)).toBe('[batch_size, num_choices]');
  const shapes = leaves(Object.values(model!.outputs), 'input').map(({ value }) => shapeText(value.shape));
  expect(new Set(shapes)).toEqual(new Set(['[batch_size, num_choices, sequence_length]']));
});

describe('an exported causal model', () => {
  it.each(['gpt2', 'llama', 'llama-older-config'])('%s: all at once, in two parts, token by token', async (name) => {
    const session = await openSession(join(await exported(name), 'onnx/model.onnx'));
    const left = Object.fromEntries(under(await readTensors(join(parity, name), 'expected.safetensors'), 'left.'));
    const { input_ids: ids, attention_mask: mask, position_ids: positions, logits } = left as Required<typeof left>;
    const [batch, length] = ids!.shape as [number, number];
    for (const cuts of [[length], [3, length], Array.from({ length }, (_, t) => t + 1)]) {
      let [start, past] = [0, emptyPast(session, batch)];
      const steps: HostTensor[] = [];
      for (const end of cuts) {
        const found = await run(session, {
          input_ids: columns(ids!, start, end),
          attention_mask: columns(mask!, 0, end),
          position_ids: columns(positions!, start, end),
          ...past,
        });
        const width = found['logits']!.shape[2]!;
        for (let t = 0; t < end - start; t++) {
          const rows = Array.from({ length: batch }, (_, b) => {
            const at = (b * (end - start) + t) * width;
            return [...found['logits']!.data.slice(at, at + width)];
          });
          steps.push(float32([batch, 1, width], rows.flat()));
        }
        [start, past] = [end, nextPast(found)];
      }
      expect(relativeToMax(zeroedWhere(joined(steps), mask!), logits!)).toBeLessThan(defaultTolerance);
    }
  });

  it('has the names and types of other exports', async () => {
    const session = await openSession(join(await exported('llama'), 'onnx/model.onnx'));
    const found = interfaceOf(session);
    expect(found).toMatchObject({
      input_ids: 'int64 batch_size sequence_length',
      attention_mask: 'int64 batch_size past_sequence_length+sequence_length',
      position_ids: 'int64 batch_size sequence_length',
      'past_key_values.1.key': 'float32 batch_size 2 past_sequence_length 8',
      'present.1.value': 'float32 batch_size 2 past_sequence_length+sequence_length 8',
      logits: 'float32 batch_size sequence_length 101',
    });
  });
});

describe('an exported encoder-decoder', () => {
  it.each(['bart', 'marian', 't5-v1.0', 'transformer'])('%s: all at once and token by token', async (name) => {
    const out = await exported(name);
    const { model } = await openModel(join(parity, name));
    const [encoder, decoder] = [
      await openSession(join(out, 'onnx/encoder_model.onnx')),
      await openSession(join(out, 'onnx/decoder_model_merged.onnx')),
    ];
    const stored = await readTensors(join(parity, name), 'expected.safetensors');
    const { input_ids: ids, attention_mask: mask, labels } = Object.fromEntries(under(stored, 'input.'));
    const { last_hidden_state: states } = await run(encoder, { input_ids: ids!, attention_mask: mask! });
    const reference = stored.get('output.encoder_last_hidden_state');
    if (reference) expect(relativeToMax(states!, reference)).toBeLessThan(defaultTolerance);

    // what the decoder reads: the labels shifted by one, padding where there is none
    if (model.kind !== 'encoder-decoder') throw new Error(`${name} is no encoder-decoder`);
    const [batch, length] = labels!.shape as [number, number];
    const shifted = Array.from(labels!.data, (_, i) => {
      const label = i % length === 0 ? model.startId : labels!.data[i - 1]!;
      return label === -100 ? model.padId! : label;
    });
    const target = stored.get('input.decoder_input_ids') ?? int32([batch, length], shifted);
    const memory = { encoder_hidden_states: states!, encoder_attention_mask: mask! };
    for (const size of [length, 1]) {
      let past = emptyPast(decoder, batch);
      const steps: HostTensor[] = [];
      for (let t = 0; t < length; t += size) {
        const found = await run(decoder, { input_ids: columns(target, t, t + size), ...memory, ...past });
        steps.push(found['logits']!);
        past = nextPast(found);
        expect(past['past_key_values.0.encoder.key']!.shape[2]).toBe(ids!.shape[1]);
      }
      const logits = size === 1 ? joined(steps) : steps[0]!;
      expect(relativeToMax(logits, stored.get('output.logits')!)).toBeLessThan(defaultTolerance);
    }
  });
});

describe('an exported model file', () => {
  it('has operators of ONNX alone, the version, and each weight once', async () => {
    for (const [name, file] of [
      ['gpt2', 'model'],
      ['t5-v1.0', 'decoder_model_merged'],
      ['bert-pretraining', 'model'],
    ] as const) {
      const bytes = readFileSync(join(await exported(name), `onnx/${file}.onnx`));
      const model = fromBinary(ModelProtoSchema, bytes);
      expect(model.opsetImport.map(({ domain }) => domain)).toEqual(['']);
      expect(model.graph!.node.every(({ domain }) => domain === '')).toBe(true);
      expect(model).toMatchObject({ producerName: 'qkv', producerVersion: '1.2.3' });
      const { arena } = await openModel(join(parity, name));
      const weights = model.graph!.initializer.filter((tensor) => arena.tensors[tensor.name]);
      expect(new Set(weights.map((tensor) => tensor.name)).size).toBe(weights.length);
      const own = arena.tensors['tokens.weight']!.data as Float32Array;
      const table = weights.find((tensor) => tensor.name === 'tokens.weight')!;
      expect(Buffer.from(table.rawData).equals(Buffer.from(own.buffer, own.byteOffset, own.byteLength))).toBe(true);
      if (file === 'model') expect(weights).toHaveLength(arena.placements.length);
    }
  });

  it('has large weights beside it, where transformers.js looks for them', async () => {
    const out = join(folder, 'external');
    const pretrained = await openModel(join(parity, 'gpt2'));
    const { models } = await exportFolder(pretrained, out, { maxInlineBytes: 1000 });
    expect(Object.keys(models)).toEqual(['onnx/model.onnx', 'onnx/model.onnx_data']);
    expect(models['onnx/model.onnx_data']).toBe(4 * pretrained.arena.size);
    expect(statSync(join(out, 'onnx/model.onnx')).size).toBe(models['onnx/model.onnx']);
    const config = JSON.parse(readFileSync(join(out, 'config.json'), 'utf8')) as Record<string, unknown>;
    expect(config['transformers.js_config']).toEqual({
      dtype: 'fp32',
      use_external_data_format: { 'model.onnx': 1 },
    });
    const feeds = {
      input_ids: int32([1, 4], [5, 6, 7, 8]),
      attention_mask: int32([1, 4], [1, 1, 1, 1]),
      position_ids: int32([1, 4], [0, 1, 2, 3]),
    };
    const sessions = [out, await exported('gpt2')].map((path) => openSession(join(path, 'onnx/model.onnx')));
    const [a, b] = await Promise.all(
      sessions.map(async (opening) => {
        const session = await opening;
        return (await run(session, { ...feeds, ...emptyPast(session, 1) }))['logits']!;
      }),
    );
    expect(a).toEqual(b);
  });
});

describe('an exported folder', () => {
  it('says what transformers.js would not know, and keeps what the model says', async () => {
    const read = (out: string): unknown => JSON.parse(readFileSync(join(out, 'config.json'), 'utf8'));
    // these configurations leave defaults out
    expect(read(await exported('gpt2'))).toMatchObject({ n_layer: 2, is_encoder_decoder: false });
    expect(read(await exported('marian'))).toMatchObject({ decoder_layers: 2, is_encoder_decoder: true });
    expect(read(await exported('t5-v1.0'))).toMatchObject({ num_decoder_layers: 2, decoder_start_token_id: 0 });
    const model = join(folder, 'classifier');
    cpSync(join(parity, 'bert-sequence-classification'), model, { recursive: true });
    const { id2label, label2id, ...config } = read(model) as Record<string, unknown>;
    expect(read(await exported('bert-sequence-classification'))).toMatchObject({ id2label });
    writeFileSync(join(model, 'config.json'), JSON.stringify({ ...config, num_labels: 3 }));
    await exportFolder(await openModel(model), join(folder, 'unnamed'));
    expect(read(join(folder, 'unnamed'))).toMatchObject({ id2label: { 0: 'LABEL_0', 1: 'LABEL_1', 2: 'LABEL_2' } });
  });

  it('has the tokenizer as transformers.js reads it and the modules of sentence-transformers', async () => {
    const model = join(folder, 'sentences');
    cpSync(join(parity, 'bert-token-classification'), model, { recursive: true });
    const words = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', 'a', 'b'];
    writeFileSync(join(model, 'vocab.txt'), words.join('\n'));
    writeFileSync(join(model, 'tokenizer_config.json'), JSON.stringify({ do_lower_case: true }));
    writeFileSync(join(model, 'chat_template.jinja'), '{{ messages }}');
    const modules = [{ path: '' }, { path: '1_Pooling' }, { path: '../outside' }];
    writeFileSync(join(model, 'modules.json'), JSON.stringify(modules));
    mkdirSync(join(model, '1_Pooling'));
    writeFileSync(join(model, '1_Pooling/config.json'), '{"word_embedding_dimension": 32}');
    const out = join(folder, 'sentences-onnx');
    expect(await exportFolder(await openModel(model), out)).toMatchObject({ task: 'token-classification' });
    const damaged = join(folder, 'sentences-damaged');
    cpSync(model, damaged, { recursive: true });
    writeFileSync(join(damaged, 'modules.json'), '[{');
    await expect(exportFolder(await openModel(damaged), join(folder, 'x'))).rejects.toMatchObject({
      code: 'io',
      parts: { where: join(damaged, 'modules.json'), expected: 'JSON' },
    });
    const read = (name: string): Record<string, unknown> =>
      JSON.parse(readFileSync(join(out, name), 'utf8')) as Record<string, unknown>;
    expect(read('tokenizer.json')['model']).toMatchObject({ type: 'WordPiece' });
    expect(read('tokenizer_config.json')).toMatchObject({
      do_lower_case: true,
      chat_template: '{{ messages }}',
      tokenizer_class: 'BertTokenizer',
      pad_token: '[PAD]',
      mask_token: '[MASK]',
      sep_token: '[SEP]',
    });
    expect(read('modules.json')).toEqual(modules);
    expect(read('1_Pooling/config.json')).toEqual({ word_embedding_dimension: 32 });
    expect(readdirSync(out).sort()).toEqual([
      '1_Pooling',
      'chat_template.jinja',
      'config.json',
      'modules.json',
      'onnx',
      'tokenizer.json',
      'tokenizer_config.json',
    ]);
  });

  it('is not written over anything, and not by half', async () => {
    const model = await openModel(join(parity, 'gpt2'));
    const full = join(folder, 'full');
    mkdirSync(full);
    writeFileSync(join(full, 'mine.txt'), 'mine');
    await expect(exportFolder(model, full)).rejects.toMatchObject({ code: 'io', parts: { where: full } });
    await expect(exportFolder(model, join(full, 'mine.txt'))).rejects.toMatchObject({ code: 'io' });
    expect(readdirSync(full)).toEqual(['mine.txt']);

    const broken = { ...model, arena: { ...model.arena, tensors: {} } } as unknown as typeof model;
    const place = join(folder, 'broken');
    mkdirSync(place);
    await expect(exportFolder(broken, join(place, 'out'))).rejects.toThrow();
    const stopped = exportFolder(model, join(place, 'out'), { signal: AbortSignal.abort() });
    await expect(stopped).rejects.toThrow('aborted');
    expect(readdirSync(place)).toEqual([]);
    mkdirSync(join(place, 'empty'));
    await exportFolder(model, join(place, 'empty'));
    expect(readdirSync(place)).toEqual(['empty']);
  });
});

/** max |a − b| / max |b| */
function relativeToMax(actual: HostTensor, expected: HostTensor): number {
  return maxDifference(actual, expected) / maxAbs(expected.data);
}
