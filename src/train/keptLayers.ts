import { QkvError } from '../base/errors.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';

/** The field of config.json that says how many layers there are, and what stands before a layer's number in its keys. */
const families: Readonly<Record<string, { readonly field: string; readonly key: RegExp }>> = {
  bert: { field: 'num_hidden_layers', key: /(^|\.)encoder\.layer\.(\d+)\./ },
  roberta: { field: 'num_hidden_layers', key: /(^|\.)encoder\.layer\.(\d+)\./ },
  distilbert: { field: 'n_layers', key: /(^|\.)transformer\.layer\.(\d+)\./ },
  gpt2: { field: 'n_layer', key: /(^|\.)h\.(\d+)\./ },
  llama: { field: 'num_hidden_layers', key: /(^|\.)layers\.(\d+)\./ },
};

/**
 * A checkpoint with some of the layers of another, in that order, and all that is not a layer: what a student begins
 * with, as DistilBERT was made of every other layer of BERT (Sanh et al. 2019 section 2, arXiv:1910.01108). A number
 * n of N layers means ⌊i N / n⌋ for i < n.
 *
 * @throws QkvError `recipe` for layers that there are not, and for families whose layers cannot be taken out
 */
export function withLayers(checkpoint: Checkpoint, layers: number | readonly number[]): Checkpoint {
  const { config, tensors, location } = checkpoint;
  const refuse = (got: string, expected: string): QkvError =>
    new QkvError('recipe', { where: `model.layers of ${location}`, got, expected });
  const family = families[String(config['model_type'])];
  if (!family) throw refuse(`a ${config['model_type']} model`, `one of ${Object.keys(families).join(', ')}`);
  const numberOf = (key: string): number | undefined => {
    const found = family.key.exec(key)?.[2];
    return found === undefined ? undefined : Number(found);
  };
  const count = 1 + [...tensors.keys()].reduce((most, key) => Math.max(most, numberOf(key) ?? -1), -1);
  const kept =
    typeof layers === 'number' ? Array.from({ length: layers }, (_, i) => Math.floor((i * count) / layers)) : layers;
  if (kept.length > count || kept.some((layer) => layer >= count) || new Set(kept).size < kept.length) {
    throw refuse(JSON.stringify(layers), `layers of ${count}, from 0 to ${count - 1}, each once`);
  }
  const renamed = [...tensors].flatMap(([key, tensor]): [string, typeof tensor][] => {
    const number = numberOf(key);
    if (number === undefined) return [[key, tensor]];
    const place = kept.indexOf(number);
    if (place < 0) return [];
    return [[key.replace(family.key, (match) => match.replace(/\d+/, String(place))), tensor]];
  });
  return { ...checkpoint, config: { ...config, [family.field]: kept.length }, tensors: new Map(renamed) };
}
