import { afterAll, expect, it } from 'vitest';
import { float32, type HostTensor } from '../../src/base/tensor.ts';
import { activationPatching } from '../../src/inspect/activationPatching.ts';
import { capture } from '../../src/inspect/capture.ts';
import { directLogitAttribution } from '../../src/inspect/directLogit.ts';
import type { Edits } from '../../src/inspect/edits.ts';
import { headStatistics } from '../../src/inspect/headStatistics.ts';
import { Inspection } from '../../src/inspect/inspection.ts';
import { lens } from '../../src/inspect/lens.ts';
import { predictions } from '../../src/inspect/predictions.ts';
import { residualNorms } from '../../src/inspect/residualNorms.ts';
import { attentionRollout } from '../../src/inspect/rollout.ts';
import { declarationsOf } from '../../src/models/declarations.ts';
import { parseModel } from '../../src/models/registry.ts';
import { createReferenceRuntime } from '../../src/runtime/reference/reference.ts';

/*
 * A GPT-2 of width 2 whose numbers a person works out. The norm of [a, b] is [1, −1] where a > b, else [−1, 1]. Queries and
 * keys are 0, so attention is even over what is seen; each of the two heads carries one number of the norm; the MLP
 * adds [½, 0]. On the text 0 1 2 with embeddings [3, 1], [1, 5], [2, 0]:
 *   norms      [1, −1]   [−1, 1]  [1, −1]
 *   attention  [1, −1]   [0, 0]   [⅓, −⅓]
 *   mid        [4, 0]    [1, 5]   [7/3, −⅓]
 *   post       [4½, 0]   [1½, 5]  [17/6, −⅓]
 *   logits     2 −4 2    −2 4 −2  2 −4 2
 */
const model = parseModel({
  ...{ model_type: 'gpt2', vocab_size: 3, n_positions: 3, n_embd: 2, n_layer: 1, n_head: 2, n_inner: 2 },
  ...{ layer_norm_epsilon: 1e-12 },
});
const set: Record<string, number[]> = {
  'tokens.weight': [3, 1, 1, 5, 2, 0],
  'layers.0.attention.v.weight': [1, 0, 0, 1],
  'layers.0.attention.out.weight': [1, 0, 0, 1],
  'layers.0.mlp.down.bias': [0.5, 0],
};
const parameters: Record<string, HostTensor> = {};
for (const { path, shape } of declarationsOf(model)) {
  const size = shape.reduce((a, b) => a * b, 1);
  const fill = /[nN]orm\.weight$/.test(path) ? 1 : 0;
  parameters[path] = float32(shape, set[path] ?? new Array<number>(size).fill(fill));
}
const runtime = createReferenceRuntime();
const inspection = new Inspection({ runtime, model, parameters });
const reading = { ids: [0, 1, 2] };
afterAll(() => runtime[Symbol.asyncDispose]());

async function captured(name: string, edits: Edits = {}): Promise<number[]> {
  return [...(await capture(inspection, reading, [name], { edits })).get(name)!.data];
}

function near(found: readonly number[], expected: readonly number[]): void {
  expect(found.length).toBe(expected.length);
  for (const [i, value] of expected.entries()) expect(found[i]).toBeCloseTo(value, 5);
}

it('captures what was worked out', async () => {
  near(await captured('layers.0.attention.attentionOut'), [1, -1, 0, 0, 1 / 3, -1 / 3]);
  near(await captured('layers.0.residualPost'), [4.5, 0, 1.5, 5, 17 / 6, -1 / 3]);
  near(await captured('logits'), [2, -4, 2, -2, 4, -2, 2, -4, 2]);
});

it('edits as worked out', async () => {
  const head = (how: 'zero' | 'mean', positions?: number[]): Edits => ({
    heads: [{ path: 'layers.0.attention', head: 0, how, ...(positions && { positions }) }],
  });
  const mid = 'layers.0.residualMid';
  near(await captured(mid, head('zero')), [3, 0, 1, 5, 2, -1 / 3]);
  near(await captured(mid, head('zero', [0])), [3, 0, 1, 5, 7 / 3, -1 / 3]);
  // the mean of 1, 0, ⅓
  near(await captured(mid, head('mean')), [3 + 4 / 9, 0, 1 + 4 / 9, 5, 2 + 4 / 9, -1 / 3]);
  near(await captured('layers.0.residualPost', { mlps: ['layers.0'] }), [4, 0, 1, 5, 7 / 3, -1 / 3]);
  const out = 'layers.0.attention.attentionOut';
  // token 0 sees itself, having nothing else; 1 sees 1; 2 sees 1 and 2
  near(await captured(out, { hidden: [{ side: 'target', position: 0 }] }), [1, -1, -1, 1, 0, 0]);
  near(
    await captured(out, { causalMask: false }),
    [1, -1, 1, -1, 1, -1].map((x) => x / 3),
  );
  const value = float32([3, 2], [9, 9, 9, 9, 0, 7]);
  const patch: Edits = { values: [{ name: mid, how: 'patch', value, positions: [2] }] };
  near(await captured('layers.0.residualPost', patch), [4.5, 0, 1.5, 5, 0.5, 7]);
  near((await captured('logits', patch)).slice(6), [-2, 4, -2]);
});

it('predicts and looks through the lens as worked out', async () => {
  const { loss, choices } = await predictions(inspection, reading, { top: 3 });
  const normaliser = Math.log(2 * Math.exp(2) + Math.exp(-4));
  near([loss[0]!, loss[1]!], [normaliser + 4, 2 + Math.log(2 * Math.exp(-2) + Math.exp(4))]);
  expect(loss[2]).toBeNull();
  expect(choices[1]![0]!.id).toBe(1);
  const found = await lens(inspection, reading, { top: 3 });
  // before the layer the norm of [1, 5] is [−1, 1]
  near(found.choices[0]![1]!.map(({ id }) => id).slice(0, 1), [1]);
  near([found.loss[0]![0]!], [normaliser + 4]);
});

it('takes a logit apart as worked out', async () => {
  // the norm of [a, b] is (a − b)/2 · 12/19 · [1, −1] with the scale held fixed; token 1 has [1, 5]: −2 · 12/19 · (a − b)
  const { parts, score } = await directLogitAttribution(inspection, reading, { position: 2, token: 1 });
  expect(score).toBeCloseTo(-4, 5);
  expect(parts.map(({ name, head }) => `${name} ${head}`)).toEqual([
    'embedding null',
    'layers.0.attention 0',
    'layers.0.attention 1',
    'layers.0.mlp null',
    'biases null',
  ]);
  near(
    parts.map(({ value }) => value),
    [-48 / 19, -8 / 19, -8 / 19, -12 / 19, 0],
  );
});

it('measures heads, streams and flow as worked out', async () => {
  for (const found of await headStatistics(inspection, reading)) {
    expect(found.entropy).toBeCloseTo((Math.log(2) + Math.log(3)) / 3, 5);
    near([found.distance, found.previous, found.first, found.self], [0.5, 5 / 18, 11 / 18, 11 / 18]);
    near([found.induction, found.duplicate], [0, 0]);
  }
  // of the second token's halves one lies on an earlier 0, the other on what follows that one: itself
  const [again] = await headStatistics(inspection, { ids: [0, 0, 1] });
  near([again!.duplicate, again!.induction], [1 / 2 / 3, 1 / 2 / 3]);
  const [norms] = await residualNorms(inspection, reading);
  near([...norms!.norms], [Math.sqrt(10), Math.sqrt(26), 2, 4.5, Math.hypot(1.5, 5), Math.hypot(17 / 6, 1 / 3)]);
  const { decoder } = await attentionRollout(inspection, reading);
  near([...decoder!], [1, 0, 0, 1 / 4, 3 / 4, 0, 1 / 6, 1 / 6, 2 / 3]);
});

it('patches one text into another as worked out', async () => {
  // token 1 at the end turns the last logits round: 4 − (−2) instead of −4 − 2
  const found = await activationPatching(inspection, { ids: [0, 1, 1] }, reading, {
    names: ['layers.*.residualPre'],
    by: 'position',
    score: { position: 2, token: 1, against: 0 },
  });
  near([found.clean, found.corrupt], [6, -6]);
  near(
    found.cells.map(({ restored }) => restored),
    [0, 0, 1],
  );
});
