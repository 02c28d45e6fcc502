import { type Bindings, matchShape } from '../base/dim.ts';
import { QkvError } from '../base/errors.ts';
import { type HostTensor, sizeOf } from '../base/tensor.ts';
import { type Graph, type Leaf, leaves } from '../graph/graph.ts';
import type { Tensors } from './runtime.ts';

/** The inputs and parameters that a graph's outputs need. */
export function feedLeaves(graph: Graph): Leaf[] {
  const roots = Object.values(graph.outputs);
  const found = [...leaves(roots, 'input'), ...leaves(roots, 'parameter')];
  const names = new Set<string>();
  for (const { name } of found) {
    if (names.has(name)) {
      throw new QkvError('graph', { where: `feed ${name}`, got: 'an input and a parameter of this name' });
    }
    names.add(name);
  }
  return found;
}

/**
 * Checks the tensors of a run against what the graph declares, and reads the values of the symbols from their shapes.
 *
 * @throws QkvError `runtime` where a feed is missing or unexpected, `dtype` or `shape` where one does not fit.
 */
export function checkFeeds(expected: readonly Leaf[], feeds: Tensors, label: string): Bindings {
  const names = new Set(expected.map(({ name }) => name));
  const missing = [...names].filter((name) => !Object.hasOwn(feeds, name));
  const unexpected = Object.keys(feeds).filter((name) => !names.has(name));
  if (missing.length > 0 || unexpected.length > 0) {
    const got = [
      missing.length > 0 ? `nothing for ${missing.join(', ')}` : '',
      unexpected.length > 0 ? `unexpected ${unexpected.join(', ')}` : '',
    ];
    throw new QkvError('runtime', {
      where: `feeds of ${label}`,
      got: got.filter(Boolean).join(' and '),
      expected: names.size === 0 ? 'none' : `a tensor for each of ${[...names].join(', ')}`,
    });
  }
  const bindings: Record<string, number> = {};
  for (const { name, value } of expected) {
    const tensor = feeds[name]!;
    checkTensor(tensor, value.dtype, `feed ${name} of ${label}`);
    matchShape(value.shape, tensor.shape, bindings, `feed ${name} of ${label}`);
  }
  // Once more with all symbols known: compound extents, such as B*T, are checked only now.
  for (const { name, value } of expected) {
    if (value.shape.every((dim) => typeof dim === 'number')) continue;
    matchShape(value.shape, feeds[name]!.shape, bindings, `feed ${name} of ${label}`);
  }
  return bindings;
}

function checkTensor(tensor: HostTensor, dtype: HostTensor['dtype'], where: string): void {
  if (tensor.dtype !== dtype) throw new QkvError('dtype', { where, got: tensor.dtype, expected: dtype });
  const size = sizeOf(tensor.shape);
  if (tensor.data.length !== size) {
    throw new QkvError('shape', {
      where,
      got: `${tensor.data.length} elements`,
      expected: `${size} for shape [${tensor.shape.join(', ')}]`,
    });
  }
}
