import { concreteShape } from '../base/dim.ts';
import { QkvError } from '../base/errors.ts';
import { bool, float32, type HostTensor, int32, scalar, sizeOf } from '../base/tensor.ts';
import type { EditedReading, Edits, ValueEdit } from './edits.ts';
import { type Column, columnsOf, type Hook, liveValues, type Site, siteOf } from './hooks.ts';
import type { Pass } from './pass.ts';
import type { Side } from './reading.ts';

/** The values that some edits have inputs of their own for. */
export function hooksOf(batch: readonly Edits[]): Hook[] {
  const keys = batch.flatMap(({ values = [] }) =>
    values.map(({ name, how }) => `${how === 'patch' ? 'patch' : 'ablate'} ${name}`),
  );
  return [...new Set(keys)].sort().map((key) => {
    const [how, name] = key.split(' ') as [Hook['how'], string];
    return { how, name };
  });
}

/** The inputs that the edits of a batch are, as `tracePass` and `withHooks` have them. */
export function editInputs(
  pass: Pass,
  batch: readonly EditedReading[],
  hooks: readonly Hook[],
): Record<string, HostTensor> {
  const [first] = batch as [EditedReading];
  const { scoreFactor = 1 } = first.edits;
  if (!Number.isFinite(scoreFactor)) {
    throw new QkvError('usage', { where: 'scoreFactor', got: `${scoreFactor}`, expected: 'a number' });
  }
  const lengths = { target: first.reading.ids.length, source: first.reading.sourceIds?.length ?? 0 };
  const isEncoder = pass.model.kind === 'encoder';
  const keys = (side: Side): HostTensor =>
    int32(
      [batch.length, lengths[side]],
      batch.flatMap(({ edits }) => visibleKeys(edits, side, lengths[side])),
    );
  const columns = columnsOf(pass);
  const inputs: Record<string, HostTensor> = {
    scoreFactor: scalar(scoreFactor),
    ...(isEncoder ? { mask: keys('target') } : { visible: visibleTo(batch, lengths.target) }),
    ...(pass.model.kind === 'encoder-decoder' && { sourceMask: keys('source') }),
    ...packed('source', columns, batch, lengths.source),
    ...packed('target', columns, batch, lengths.target),
  };
  if (hooks.length === 0) return inputs;
  const live = liveValues(pass);
  for (const hook of hooks) {
    const site = siteOf(pass, hook.name, live);
    const edits = batch.map(({ edits: { values = [] } }) =>
      values.filter(({ name, how }) => name === hook.name && (how === 'patch') === (hook.how === 'patch')),
    );
    Object.assign(inputs, hookInputs(site, hook, edits, { B: batch.length, T: lengths.target, S: lengths.source }));
  }
  return inputs;
}

function visibleKeys({ hidden = [] }: Edits, side: Side, length: number): number[] {
  const keys = new Array<number>(length).fill(1);
  for (const key of hidden) {
    if (key.side !== side) continue;
    checkPositions(`hidden ${side}`, [key.position], length);
    keys[key.position] = 0;
  }
  return keys;
}

/** int32 [B, T, T], 1 where a query of a decoder sees a key: one at least. */
function visibleTo(batch: readonly EditedReading[], length: number): HostTensor {
  const data = new Int32Array(batch.length * length * length);
  batch.forEach(({ edits }, b) => {
    const keys = visibleKeys(edits, 'target', length);
    for (let t = 0; t < length; t++) {
      const row = data.subarray((b * length + t) * length, (b * length + t + 1) * length);
      const end = edits.causalMask === false ? length : t + 1;
      for (let s = 0; s < end; s++) row[s] = keys[s]!;
      if (!row.includes(1)) row[t] = 1;
    }
  });
  return int32([batch.length, length, length], data);
}

function packed(
  side: Side,
  all: readonly Column[],
  batch: readonly EditedReading[],
  length: number,
): Record<string, HostTensor> {
  const columns = all.filter((column) => column.side === side);
  const width = columns.reduce((sum, { count }) => sum + count, 0);
  const shape = [batch.length, length, width];
  const keep = new Float32Array(sizeOf(shape)).fill(1);
  const mean = new Float32Array(sizeOf(shape));
  batch.forEach(({ edits: { heads = [], mlps = [] } }, b) => {
    const set = (column: number, how: 'zero' | 'mean', positions: Iterable<number>): void => {
      for (const position of positions) {
        const at = (b * length + position) * width + column;
        keep[at] = 0;
        mean[at] = how === 'mean' ? 1 : 0;
      }
    };
    for (const { path, head, how, positions } of heads) {
      const column = find(all, `${path}.context`, 'attention');
      checkIndex(`heads of ${path}`, head, column.count);
      if (column.side !== side) continue;
      if (positions) checkPositions(`${path}:${head}`, positions, length);
      set(column.start + head, how, positions ?? Array(length).keys());
    }
    for (const path of mlps) {
      const column = find(all, `${path}.mlp.mlpOut`, 'layer');
      if (column.side === side) set(column.start, 'zero', Array(length).keys());
    }
  });
  return { [`keep.${side}`]: float32(shape, keep), [`mean.${side}`]: float32(shape, mean) };
}

function find(columns: readonly Column[], name: string, what: 'attention' | 'layer'): Column {
  const found = columns.find((column) => column.name === name);
  if (found) return found;
  const tail = what === 'attention' ? '.context' : '.mlp.mlpOut';
  const known = columns.filter((column) => column.name.endsWith(tail)).map((column) => column.name.replace(tail, ''));
  throw new QkvError('usage', {
    where: what,
    got: name.replace(tail, ''),
    expected: `one of ${known.join(', ')}`,
  });
}

function hookInputs(
  site: Site,
  { name, how }: Hook,
  batch: readonly (readonly ValueEdit[])[],
  sizes: Readonly<Record<string, number>>,
): Record<string, HostTensor> {
  const view = concreteShape(site.view, sizes, name);
  const shape = [...view.slice(0, -1), 1];
  const row = sizeOf(shape.slice(1));
  const chosen = new Uint8Array(sizeOf(shape));
  const share = new Float32Array(chosen.length);
  let value: HostTensor | undefined;
  batch.forEach((edits, b) => {
    for (const edit of edits) {
      for (const at of places(site, edit, shape)) {
        chosen[b * row + at] = 1;
        if (edit.how === 'mean') share[b * row + at] = 1;
      }
      if (how === 'ablate') continue;
      if (value && value !== edit.value) {
        throw new QkvError('usage', { where: `patch of ${name}`, got: 'two different values', expected: 'one' });
      }
      value = checkPatch(edit, view);
    }
  });
  if (how === 'ablate') {
    const keep = Float32Array.from(chosen, (is) => 1 - is);
    return { [`keep.${name}`]: float32(shape, keep), [`mean.${name}`]: float32(shape, share) };
  }
  const patch = float32([1, ...view.slice(1)], value!.data as Float32Array);
  return { [`where.${name}`]: bool(shape, chosen), [`patch.${name}`]: patch };
}

/** Where in a row of the mask [H, L, 1], [L, H, 1] or [L, 1] an edit acts. */
function* places(site: Site, { name, heads, positions }: ValueEdit, shape: readonly number[]): Generator<number> {
  const length = shape[site.positionAxis]!;
  if (heads && site.headAxis === null) {
    throw new QkvError('usage', {
      where: `heads of ${name}`,
      got: heads.join(', '),
      expected: 'none: it has no heads',
    });
  }
  for (const head of heads ?? []) checkIndex(`heads of ${name}`, head, site.heads);
  if (positions) checkPositions(name, positions, length);
  const count = site.headAxis === null ? 1 : site.heads;
  for (const head of heads ?? Array(count).keys()) {
    for (const position of positions ?? Array(length).keys()) {
      yield site.headAxis === 1 ? head * length + position : position * count + head;
    }
  }
}

function checkPatch({ name, value }: ValueEdit, view: readonly number[]): HostTensor {
  const size = sizeOf(view.slice(1));
  if (value?.dtype === 'float32' && value.data.length === size) return value;
  throw new QkvError('usage', {
    where: `patch of ${name}`,
    got: value ? `${value.dtype} [${value.shape.join(', ')}]` : 'no value',
    expected: `${size} numbers: [${view.slice(1).join(', ')}]`,
  });
}

function checkPositions(where: string, positions: readonly number[], length: number): void {
  for (const position of positions) checkIndex(`positions of ${where}`, position, length);
}

function checkIndex(where: string, index: number, count: number): void {
  if (Number.isInteger(index) && index >= 0 && index < count) return;
  throw new QkvError('usage', { where, got: `${index}`, expected: `from 0 to ${count - 1}` });
}
