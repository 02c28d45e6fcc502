import { type Dim, dimAdd, dimMul, dimSub, symbol } from '../base/dim.ts';
import type { Graph } from '../graph/graph.ts';
import type { Value } from '../graph/value.ts';
import type { CausalModel, EncoderDecoderModel, EncoderModel, GenerativeModel, Model } from '../models/model.ts';
import type { KeyValue, PastKeyValue } from '../nn/attention.ts';
import { Trace } from '../nn/scope.ts';
import type { Sequences } from '../nn/sequences.ts';
import { input } from '../ops/leaf.ts';
import { concat, reshape, slice } from '../ops/shape.ts';

const batch = symbol('batch_size');
const length = symbol('sequence_length');

/**
 * A model as the graphs that Hugging Face's tools expect, by file name, with their names of inputs and outputs (those of
 * optimum's exports, https://github.com/huggingface/optimum-onnx, which transformers.js opens).
 *
 * - An encoder, `model`: `input_ids`, `attention_mask` and, where segments are told apart, `token_type_ids` [B, T] →
 *   `last_hidden_state` [B, T, D] and `pooler_output` [B, D], or what its head says: `logits`, `start_logits`, `end_logits`; of
 *   pretraining, `logits` of the words and `seq_relationship_logits`.
 * - A causal model, `model`: `input_ids` and `position_ids` [B, T], `attention_mask` [B, P + T], `past_key_values.<i>.key` and
 *   `.value` [B, G, P, K], where P may be 0 → `logits` [B, T, V], `present.<i>.key` and `.value` [B, G, P + T, K].
 * - An encoder-decoder, `encoder_model` → `last_hidden_state` [B, S, D], and `decoder_model_merged`: see `decoderGraph`.
 */
export function exportGraphs(model: Model): Readonly<Record<string, Graph>> {
  if (model.kind === 'encoder') return { model: encoderGraph(model) };
  if (model.kind === 'causal') return { model: causalGraph(model) };
  return { encoder_model: sourceGraph(model), decoder_model_merged: decoderGraph(model) };
}

const outputNames: Readonly<Record<string, string>> = {
  pooled: 'pooler_output',
  logits: 'logits',
  predictionLogits: 'logits',
  sentenceLogits: 'seq_relationship_logits',
  startLogits: 'start_logits',
  endLogits: 'end_logits',
};

function encoderGraph(model: EncoderModel): Graph {
  const { root } = new Trace();
  const choices = model.head.name === 'multiple-choice' ? symbol('num_choices') : undefined;
  const [rows, shape] = choices ? [dimMul(batch, choices), [batch, choices, length]] : [batch, [batch, length]];
  const tokens = (name: string): Value => reshape(input(name, 'int32', shape), [rows, length]);
  const x = model.encode(root, {
    ids: tokens('input_ids'),
    mask: tokens('attention_mask'),
    ...(model.segments > 1 && { segments: tokens('token_type_ids') }),
  });
  const outputs = Object.entries(model.head.outputs(root, x, choices && [batch, choices])).map(([name, value]) => [
    outputNames[name]!,
    value,
  ]);
  return graphOf({
    ...(model.head.name === 'encoder' && { last_hidden_state: hidden(x) }),
    ...Object.fromEntries(outputs),
  });
}

function causalGraph(model: CausalModel): Graph {
  const { root } = new Trace();
  const past = symbol('past_sequence_length');
  const out = model.forward(root, {
    ids: input('input_ids', 'int32', [batch, length]),
    mask: input('attention_mask', 'int32', [batch, dimAdd(past, length)]),
    positions: input('position_ids', 'int32', [batch, length]),
    past: { layers: pastLayers(model, '', past), length: past },
  });
  return graphOf({ logits: logits(model, root, out), ...presentLayers('', out.self) });
}

const sourceLength = symbol('encoder_sequence_length');

function sourceGraph(model: EncoderDecoderModel): Graph {
  const { root } = new Trace();
  const tokens = (name: string): Value => input(name, 'int32', [batch, sourceLength]);
  return graphOf({
    last_hidden_state: hidden(model.encode(root, { ids: tokens('input_ids'), mask: tokens('attention_mask') })),
  });
}

/**
 * `input_ids` [B, T], `encoder_hidden_states` [B, S, D], `encoder_attention_mask` [B, S], `past_key_values.<i>.decoder.key` and
 * `.value` [B, H, P, K] and `past_key_values.<i>.encoder.key` and `.value` [B, H, E, K] → `logits` [B, T, V], `present.<i>.…` of both.
 *
 * E is 0 in the first call and S in later ones. The keys and values of the source are those of the past and of the hidden
 * states from E on, so that later calls have nothing to compute: one graph does both without a branch.
 */
function decoderGraph(model: EncoderDecoderModel): Graph {
  const { root } = new Trace();
  const [past, known] = [symbol('past_decoder_sequence_length'), symbol('past_encoder_sequence_length')];
  const width = model.encode(new Trace().root, { ids: input('input_ids', 'int32', [batch, sourceLength]) }).rows
    .shape[1]!;
  const states = input('encoder_hidden_states', 'float32', [batch, sourceLength, width]);
  const rest = dimSub(sourceLength, known);
  const unknown: Sequences = {
    rows: reshape(slice(states, 1, known, sourceLength), [dimMul(batch, rest), width]),
    batch,
    length: rest,
  };
  const ids = input('input_ids', 'int32', [batch, length]);
  // of this pass nothing is used but what the layers make of the memory, whatever they are asked
  const { cross } = model.decode(new Trace().root, { ids, memory: unknown });
  const memory = pastLayers(model, '.encoder', known).map(({ key, value }, i) => ({
    key: concat([key, cross[i]!.key], 2),
    value: concat([value, cross[i]!.value], 2),
  }));
  const out = model.decode(root, {
    ids,
    memory,
    memoryMask: input('encoder_attention_mask', 'int32', [batch, sourceLength]),
    past: { layers: pastLayers(model, '.decoder', past), length: past },
  });
  return graphOf({
    logits: logits(model, root, out),
    ...presentLayers('.decoder', out.self),
    ...presentLayers('.encoder', memory),
  });
}

function pastLayers({ cache }: GenerativeModel, side: string, past: Dim): PastKeyValue[] {
  const shape = [batch, cache.heads, past, cache.headSize];
  return Array.from({ length: cache.layers }, (_, i) => ({
    key: input(`past_key_values.${i}${side}.key`, 'float32', shape),
    value: input(`past_key_values.${i}${side}.value`, 'float32', shape),
    isJoined: true,
  }));
}

function presentLayers(side: string, layers: readonly KeyValue[]): Record<string, Value> {
  const outputs = layers.flatMap(({ key, value }, i) => [
    [`present.${i}${side}.key`, key] as const,
    [`present.${i}${side}.value`, value] as const,
  ]);
  return Object.fromEntries(outputs);
}

function logits(model: GenerativeModel, root: Trace['root'], x: Sequences): Value {
  return reshape(model.logits(root, x.rows), [x.batch, x.length, model.vocabSize]);
}

function hidden({ rows, batch, length }: Sequences): Value {
  return reshape(rows, [batch, length, rows.shape[1]!]);
}

function graphOf(outputs: Readonly<Record<string, Value>>): Graph {
  return { outputs, names: new Map() };
}
