import { QkvError } from '../base/errors.ts';
import { type HostTensor, int32, scalar } from '../base/tensor.ts';
import type { EncoderModel, Model } from '../models/model.ts';
import { lossScales } from '../train/objectives.ts';

/** A batch by the names that Hugging Face's models give their arguments: `input_ids`, `attention_mask`, `labels`, … */
export type ReferenceBatch = ReadonlyMap<string, HostTensor>;

const encoderInputNames: Readonly<Record<string, string>> = {
  input_ids: 'inputIds',
  attention_mask: 'attentionMask',
  token_type_ids: 'segments',
  labels: 'labels',
  next_sentence_label: 'sentenceLabels',
  sentence_order_label: 'sentenceLabels',
  start_positions: 'startPositions',
  end_positions: 'endPositions',
};

/** The reference's name of an input of `traceLoss`'s graph. */
export function argumentOf(own: string): string {
  const names = Object.entries(encoderInputNames).flatMap(([name, input]) => (input === own ? [`input.${name}`] : []));
  return names.join(' or ');
}

const generativeInputNames = ['input_ids', 'attention_mask', 'decoder_input_ids', 'decoder_attention_mask', 'labels'];

/** The arguments that a model here can be given. */
export function inputNamesOf({ kind }: Pick<Model, 'kind'>): readonly string[] {
  if (kind === 'encoder') return Object.keys(encoderInputNames);
  return kind === 'causal' ? generativeInputNames.filter((name) => !name.startsWith('decoder_')) : generativeInputNames;
}

/**
 * The inputs of `traceLoss`'s graph from a batch as the reference's model takes it, those that it has: labels shifted for a
 * causal model, decoder inputs made of them for an encoder-decoder, and the scales of a mean over the batch's targets, or,
 * with `targetTokens`, none.
 *
 * @throws QkvError `data` for an argument that the model does not have, for tokens that it does not know, or without `input_ids`
 */
export function lossInputs(model: Model, batch: ReferenceBatch, targetTokens?: number): Record<string, HostTensor> {
  const names = inputNamesOf(model);
  const unknown = [...batch.keys()].filter((name) => !names.includes(name));
  if (unknown.length > 0) {
    const got = unknown.map((name) => `input.${name}`).join(', ');
    throw new QkvError('data', { where: 'inputs', got, expected: `for a ${model.family} model: ${names.join(', ')}` });
  }
  needed(batch, 'input_ids', 'the tokens that the model reads');
  const sourceSize = model.kind === 'encoder-decoder' ? model.sourceVocabSize : model.vocabSize;
  checkIds(batch, 'input_ids', sourceSize);
  checkIds(batch, 'decoder_input_ids', model.vocabSize);
  if (model.kind !== 'encoder') checkIds(batch, 'labels', model.vocabSize);
  if (model.kind === 'encoder') return encoderInputs(model, batch, targetTokens === undefined);
  const mask = batch.get('attention_mask');
  const given = batch.get('labels');
  const labels = given && (model.kind === 'causal' ? nextTokens(given) : given);
  return {
    inputIds: batch.get('input_ids')!,
    ...(mask && { attentionMask: mask }),
    ...(model.kind === 'encoder-decoder' && { decoderInputIds: decoderInputs(model, batch) }),
    ...(labels && { labels, ...(targetTokens === undefined && { lossScale: scalar(1 / countLabels(labels)) }) }),
  };
}

/** A tensor of the batch. @throws QkvError `data` where it is missing */
function needed(batch: ReferenceBatch, name: string, expected: string): HostTensor {
  const tensor = batch.get(name);
  if (tensor) return tensor;
  const names = [...batch.keys()].map((other) => `input.${other}`);
  throw new QkvError('data', {
    where: `input.${name}`,
    got: names.length === 0 ? 'no inputs' : `only ${names.join(', ')}`,
    expected,
  });
}

/** Labels of −100 are none. @throws QkvError `data` */
function checkIds(batch: ReferenceBatch, name: string, vocabSize: number): void {
  const isWrong = (id: number): boolean => id >= vocabSize || (id < 0 && !(name === 'labels' && id === IGNORED));
  const wrong = batch.get(name)?.data.find(isWrong);
  if (wrong === undefined) return;
  throw new QkvError('data', {
    where: `input.${name}`,
    got: `token ${wrong}`,
    expected: `one from 0 to ${vocabSize - 1}`,
  });
}

function encoderInputs(model: EncoderModel, batch: ReferenceBatch, isMean: boolean): Record<string, HostTensor> {
  const inputs = Object.fromEntries([...batch].map(([name, tensor]) => [encoderInputNames[name]!, tensor]));
  const { head } = model;
  if (!isMean || !head.loss || head.labels.some(({ name }) => !inputs[name])) return inputs;
  const scales = Object.entries(lossScales(model, [inputs])).map(([name, value]) => [name, scalar(value)]);
  return { ...inputs, ...Object.fromEntries(scales) };
}

export function countLabels({ data }: HostTensor): number {
  return [...data].filter((label) => label !== IGNORED).length;
}

const IGNORED = -100;

/** The label of a position is the token after it: the last has none. */
function nextTokens(labels: HostTensor): HostTensor {
  const [batch, length] = labels.shape as [number, number];
  const shifted = new Int32Array(batch * length).fill(IGNORED);
  for (let b = 0; b < batch; b++) {
    for (let t = 0; t + 1 < length; t++) shifted[b * length + t] = labels.data[b * length + t + 1]!;
  }
  return int32(labels.shape, shifted);
}

/** As given, or the start token and then the labels, ignored ones as padding. */
function decoderInputs(
  { startId, padId }: { readonly startId: number; readonly padId: number | null },
  batch: ReferenceBatch,
): HostTensor {
  const given = batch.get('decoder_input_ids');
  if (given) return given;
  const labels = needed(batch, 'labels', 'the labels, or input.decoder_input_ids: what the decoder reads');
  const length = labels.shape[1]!;
  const previous = (i: number): number => (i % length === 0 ? startId : labels.data[i - 1]!);
  const ids = Int32Array.from(labels.data, (_, i) => (previous(i) === IGNORED ? (padId ?? 0) : previous(i)));
  return int32(labels.shape, ids);
}
