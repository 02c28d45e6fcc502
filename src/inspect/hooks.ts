import { type Dim, type Shape, shapeEquals } from '../base/dim.ts';
import { QkvError } from '../base/errors.ts';
import { findValue } from '../graph/graph.ts';
import { mapGraph, withInputs } from '../graph/rewrite.ts';
import { reachable, type Value } from '../graph/value.ts';
import { add, mul, where } from '../ops/elementwise.ts';
import { input } from '../ops/leaf.ts';
import { mean } from '../ops/reduce.ts';
import { reshape, slice } from '../ops/shape.ts';
import { type Pass, sideOf } from './pass.ts';
import type { Side } from './reading.ts';

/** A named value as edits see it: with an axis of positions and, where it has heads, one of heads. */
export interface Site {
  readonly name: string;
  /** The value that the pass goes on with: `named` itself, or that of which it is another shape. */
  readonly base: Value;
  readonly named: Value;
  /** [B, H, L, N], [B, L, H, K] or [B, L, D] */
  readonly view: Shape;
  readonly headAxis: number | null;
  readonly positionAxis: number;
  /** The text that the positions are of; null where there is one row for a text. */
  readonly side: Side | null;
  readonly heads: number;
}

/** A value that is edited by inputs of its own: `ablate`: zeroed or averaged; `patch`: replaced. */
export interface Hook {
  readonly name: string;
  readonly how: 'ablate' | 'patch';
}

/** Columns of the inputs `keep` and `mean` of a side, [B, L, columns]: one for each head, one for each feed-forward layer. */
export interface Column {
  readonly name: string;
  readonly side: Side;
  readonly start: number;
  readonly count: number;
}

const headed = /\.(query|key|value|scores|maskedScores|weights)$/;

/** @throws QkvError `graph` for a name that there is not, `usage` for one on which nothing depends */
export function siteOf(pass: Pass, name: string, live: ReadonlySet<Value>): Site {
  const named = findValue(pass.graph, name);
  const base = live.has(named) ? named : named.op === 'reshape' && live.has(named.inputs[0]!) ? named.inputs[0]! : null;
  if (!base || named.dtype !== 'float32') {
    throw new QkvError('usage', { where: `value ${name}`, got: 'one that nothing depends on', expected: 'another' });
  }
  const side = sideOf(pass, name);
  const length = side === 'source' ? pass.sourceLength : pass.length;
  const { shape } = named;
  const common = { name, base, named, side };
  if (headed.test(name)) return { ...common, view: shape, headAxis: 1, positionAxis: 2, heads: shape[1] as number };
  if (name.endsWith('.context')) {
    const weights = findValue(pass.graph, name.replace(/context$/, 'weights'));
    const heads = weights.shape[1] as number;
    const view = [shape[0]!, shape[1]!, heads, (shape[2] as number) / heads];
    return { ...common, view, headAxis: 2, positionAxis: 1, heads };
  }
  const width = shape.at(-1)!;
  const isPooled = shape.length === 2 && shapeEquals([shape[0]!], [pass.batch]);
  const view: Shape = [pass.batch, isPooled ? 1 : length, width];
  return { ...common, side: isPooled ? null : side, view, headAxis: null, positionAxis: 1, heads: 0 };
}

/** Values on which the outputs of a pass depend. */
export function liveValues({ graph }: Pass): ReadonlySet<Value> {
  return new Set(reachable(Object.values(graph.outputs)));
}

/** The heads and the feed-forward layers of a pass, each with its columns. */
export function columnsOf(pass: Pass): Column[] {
  const used = { source: 0, target: 0 };
  const columns: Column[] = [];
  for (const [name, { shape }] of pass.graph.names) {
    const isContext = name.endsWith('.context');
    if (!isContext && !name.endsWith('.mlp.mlpOut')) continue;
    const side = sideOf(pass, name);
    const heads = isContext ? (pass.graph.names.get(name.replace(/context$/, 'weights'))!.shape[1] as number) : 1;
    columns.push({ name, side, start: used[side], count: heads });
    used[side] += heads;
    if (shape.length < 2) throw new Error(`qkv defect: ${name} has no positions`);
  }
  return columns;
}

/**
 * The pass with its edits as inputs: `scoreFactor`, `keep.<side>` and `mean.<side>` float32 [B, L, columns] for heads and
 * feed-forward layers, and for each hook `keep.<name>`, `mean.<name>` (of the site's view, the last axis 1), or
 * `where.<name>` bool of that shape and `patch.<name>` (of the view, batch 1). A value x becomes keep · x + mean · mean(x), which
 * with 1 and 0 is x to the last bit, then `patch` where `where` says so.
 */
export function withHooks(pass: Pass, hooks: readonly Hook[]): Pass {
  const live = liveValues(pass);
  const actions = new Map<Value, ((x: Value) => Value)[]>();
  const hook = (site: Site, action: (view: Value) => Value): void => {
    const { base, named, view } = site;
    const list = actions.get(base) ?? [];
    list.push((x) => reshape(reshape(action(reshape(reshape(x, named.shape), view)), named.shape), base.shape));
    actions.set(base, list);
  };

  const factor = input('scoreFactor', 'float32', []);
  const columns = columnsOf(pass);
  for (const name of pass.graph.names.keys()) {
    if (name.endsWith('.scores')) hook(siteOf(pass, name, live), (x) => mul(x, factor));
  }
  const widths = { source: 0, target: 0 };
  for (const { side, count } of columns) widths[side] += count;
  const lengths = { source: pass.sourceLength, target: pass.length };
  const packed = (kind: 'keep' | 'mean', side: Side): Value =>
    input(`${kind}.${side}`, 'float32', [pass.batch, lengths[side], widths[side]]);
  const inputs = {
    keep: { source: packed('keep', 'source'), target: packed('keep', 'target') },
    mean: { source: packed('mean', 'source'), target: packed('mean', 'target') },
  };
  for (const { name, side, start, count } of columns) {
    const site = siteOf(pass, name, live);
    const shape: Dim[] = [pass.batch, lengths[side], ...(site.headAxis === null ? [] : [count]), 1];
    const part = (kind: 'keep' | 'mean'): Value => reshape(slice(inputs[kind][side], 2, start, start + count), shape);
    hook(site, (x) => ablated(x, part('keep'), part('mean'), site));
  }
  // patches last: they are what is asked for, whatever else is
  for (const { name, how } of hooks.toSorted((a, b) => (a.how < b.how ? -1 : a.how > b.how ? 1 : 0))) {
    const site = siteOf(pass, name, live);
    const shape = [...site.view.slice(0, -1), 1];
    if (how === 'ablate') {
      const [keep, share] = ['keep', 'mean'].map((kind) => input(`${kind}.${name}`, 'float32', shape));
      hook(site, (x) => ablated(x, keep!, share!, site));
    } else {
      const chosen = input(`where.${name}`, 'bool', shape);
      const patch = input(`patch.${name}`, 'float32', [1, ...site.view.slice(1)]);
      hook(site, (x) => where(chosen, patch, x));
    }
  }
  const graph = mapGraph(pass.graph, (value, from) =>
    (actions.get(value) ?? []).reduce((x, action) => action(x), withInputs(value, from)),
  );
  return { ...pass, graph };
}

function ablated(x: Value, keep: Value, share: Value, { positionAxis }: Site): Value {
  return add(mul(x, keep), mul(mean(x, [positionAxis], true), share));
}
