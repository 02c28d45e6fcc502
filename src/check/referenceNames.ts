import type { Graph } from '../graph/graph.ts';
import type { Model } from '../models/model.ts';

const headOutputs: Readonly<Record<string, string>> = {
  loss: 'loss',
  logits: 'logits',
  prediction_logits: 'predictionLogits',
  seq_relationship_logits: 'sentenceLogits',
  sop_logits: 'sentenceLogits',
  start_logits: 'startLogits',
  end_logits: 'endLogits',
  pooler_output: 'pooled',
};

/**
 * Our name of an output of Hugging Face's models (`hidden_states.2`, `encoder_attentions.0`, `pooler_output`, …); undefined
 * where the graph has no such value. Hidden state 0 is the embedding, the last one comes after the final norm.
 */
export function referenceValue(output: string, { kind }: Model, { outputs, names }: Graph): string | undefined {
  const name = valueName(output, kind, (path) => names.has(path));
  return name !== undefined && (names.has(name) || outputs[name] !== undefined) ? name : undefined;
}

function valueName(output: string, kind: Model['kind'], has: (path: string) => boolean): string | undefined {
  if (headOutputs[output]) return headOutputs[output];
  const found = /^(?:(encoder|decoder|cross)_)?(?:(hidden_states|attentions)\.(\d+)|last_hidden_state)$/.exec(output);
  if (!found) return undefined;
  const [, side = kind === 'encoder-decoder' ? 'decoder' : undefined, what, index] = found;
  if (side === 'cross') return what === 'attentions' ? `decoder.layers.${index}.crossAttention.weights` : undefined;
  const prefix = side === undefined ? '' : `${side}.`;
  if (what === undefined) return `${prefix}output`;
  if (what === 'attentions') return `${prefix}layers.${index}.attention.weights`;
  if (index === '0') return `${prefix}embedding`;
  const after = (layer: number): string => `${prefix}layers.${layer}.residualPost`;
  if (!has(after(Number(index) - 1))) return undefined;
  return has(after(Number(index))) ? after(Number(index) - 1) : `${prefix}output`;
}
