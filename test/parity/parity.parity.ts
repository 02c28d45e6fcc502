import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HostTensor } from '../../src/base/tensor.ts';
import { compareTensors, maxDifferenceOf } from '../../src/check/comparison.ts';
import { sinusoidalPositions } from '../../src/nn/positions.ts';
import { relativeBucket } from '../../src/nn/relativePositions.ts';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';
import { createReferenceRuntime } from '../../src/runtime/reference/reference.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { isTable, opsParityCases } from '../ops/opsParity.ts';
import { generationRun, generationRuns } from './generationParity.ts';
import { faults, limits, type Measure, measureOf } from './measure.ts';
import { forwardAndGradients } from './modelParity.ts';
import { findParityCases, type ParityCase, readTensors } from './parityCase.ts';
import { Summary } from './summary.ts';
import { trainingRun } from './trainingParity.ts';

const folder = resolve(process.env['QKV_PARITY'] ?? 'fixtures/parity');
const cases = await findParityCases(folder);
const generations = new Map(
  await Promise.all(
    cases.filter(({ kind }) => kind === 'model').map(async (c) => [c.folder, await generationRuns(c.folder)] as const),
  ),
);
const summary = new Summary();

afterAll(() => {
  console.log(`\nparity of ${folder}\n${summary}\n`);
});

const runtimes: readonly { readonly name: string; readonly create: () => Promise<Runtime> }[] = [
  { name: 'node', create: () => createNodeRuntime() },
  { name: 'reference', create: async () => createReferenceRuntime() },
];

for (const { name, create } of runtimes) {
  describe(name, () => {
    let runtime: Runtime;
    beforeAll(async () => {
      runtime = await create();
    });
    afterAll(() => runtime[Symbol.asyncDispose]());

    for (const parityCase of cases.filter(({ kind }) => kind !== 'not run')) {
      const title = `${parityCase.name}, ${name}`;
      const check = async (measures: Promise<Measure[]>): Promise<void> => {
        const found = await measures;
        summary.record(title, found);
        expect(found.length).toBeGreaterThan(0);
        expect(faults(found)).toEqual([]);
      };
      describe(`${parityCase.name} (${parityCase.what})`, () => {
        if (parityCase.kind === 'ops') operations(parityCase, () => runtime, check);
        else model(parityCase, () => runtime, check);
      });
    }
  });
}

for (const { name, kind, reason } of cases) {
  if (kind !== 'not run') continue;
  summary.note(name, `not run: ${reason}`);
  it.skip(`${name}: not run, ${reason}`, () => {});
}
for (const { name, kind, folder: place } of cases) {
  if (kind !== 'ops') continue;
  describe(`${name}: tables`, async () => {
    for (const table of await tables(place)) {
      const { compare } = table;
      if (compare) it(table.name, async () => expect(faults(await compare())).toEqual([]));
      else {
        summary.note(`${name}/${table.name}`, `not run: ${table.reason}`);
        it.skip(`${name}/${table.name}: not run, ${table.reason}`, () => {});
      }
    }
  });
}

type Check = (measures: Promise<Measure[]>) => Promise<void>;

function model(parityCase: ParityCase, runtime: () => Runtime, check: Check): void {
  it('has the outputs, loss and gradients of the reference, its logits under left padding too', () =>
    check(forwardAndGradients(runtime(), parityCase)));
  for (const run of parityCase.trainings) {
    it(`trains as it does: ${run}`, () => check(trainingRun(runtime(), parityCase, run)));
  }
  for (const run of generations.get(parityCase.folder)!) {
    const { reason } = run;
    if (reason === undefined) {
      it(`generates as it does: ${run.name}`, () => check(generationRun(runtime(), parityCase.folder, run)));
    } else {
      summary.note(`${parityCase.name}/${run.name}`, `not run: ${reason}`);
      it.skip(`${parityCase.name}/${run.name}: not run, ${reason}`, () => {});
    }
  }
}

function operations(parityCase: ParityCase, runtime: () => Runtime, check: Check): void {
  it('has the outputs and gradients of the reference', async () => {
    for (const { name, run } of await opsParityCases(runtime(), parityCase.folder)) {
      const deviations = await run();
      await check(
        Promise.resolve(
          deviations.map(({ tensor, deviation }) => ({
            kind: 'ops',
            name: `${name}/${tensor}`,
            difference: deviation,
            limit: limits.ops,
          })),
        ),
      );
    }
  });
}

interface Table {
  readonly name: string;
  readonly compare?: () => Promise<Measure[]>;
  readonly reason: string;
}

/** Tables of constants among the operations: no runtime computes them. */
async function tables(place: string): Promise<Table[]> {
  const tensors = await readTensors(place, 'expected.safetensors');
  return [...tensors]
    .filter(([key]) => isTable(key) && key.includes('/output.'))
    .map(([name, expected]): Table => {
      const layout = ({ encoding: 'interleaved', encoding_half_split: 'split' } as const)[name.split('output.')[1]!];
      if (!layout) return bucketTable(name, tensors);
      const [count, width] = expected.shape as [number, number];
      const compare = async (): Promise<Measure[]> => {
        const own = sinusoidalPositions(count, width, layout);
        return [
          { ...measureOf(compareTensors({ name, kind: 'logits', limit: limits.ops }, own, expected)), kind: 'ops' },
        ];
      };
      return { name, compare, reason: '' };
    });
}

/** The bucket of each relative position, exactly: `t5_buckets_<bidirectional or causal>_<buckets>_<max distance>`. */
function bucketTable(name: string, tensors: ReadonlyMap<string, HostTensor>): Table {
  const found = /^t5_buckets_(bidirectional|causal)_(\d+)_(\d+)\/output\.bucket$/.exec(name);
  if (!found) return { name, reason: 'a table of an unknown kind' };
  const [, direction, buckets, maxDistance] = found;
  const options = {
    bidirectional: direction === 'bidirectional',
    buckets: Number(buckets),
    maxDistance: Number(maxDistance),
  };
  const relative = tensors.get(name.replace('output.bucket', 'input.relative_position'))!;
  const own = Int32Array.from(relative.data, (position) => relativeBucket(position, options));
  const compare = async (): Promise<Measure[]> => {
    const difference = maxDifferenceOf(own, tensors.get(name)!.data);
    return [{ kind: 'ops', name, difference, limit: 0 }];
  };
  return { name, compare, reason: '' };
}
