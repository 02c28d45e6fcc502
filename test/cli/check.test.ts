import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  type OutgoingTensor,
  openSafetensors,
  type StoredTensor,
  safetensorsChunks,
} from '../../src/checkpoint/safetensors.ts';
import { nodeStorage } from '../../src/checkpoint/storage.node.ts';
import { type Models, makeModels } from './models.ts';
import { type Finished, hasStack, qkv, root } from './qkv.ts';

let models: Models;
let folder: string;
beforeAll(() => {
  models = makeModels();
  folder = mkdtempSync(join(tmpdir(), 'qkv-check-'));
});
afterAll(() => {
  models[Symbol.dispose]();
  rmSync(folder, { recursive: true, force: true });
});

interface Report {
  readonly isSound: boolean;
  readonly comparisons: readonly { readonly name: string; readonly isFault: boolean; readonly ratio: number }[];
  readonly faults: readonly string[];
  readonly model: { readonly notFinite: readonly string[] } & Readonly<Record<string, unknown>>;
}

const reportOf = ({ stdout }: Finished): Report => JSON.parse(stdout) as Report;
const expected = join(root, 'fixtures/parity/gpt2/expected.safetensors');

/** Rewrites a file of float32 and int64: each tensor as `change` has it, none where it gives null. */
async function rewrite(
  from: string,
  to: string,
  change: (name: string, data: Float32Array, shape: readonly number[]) => Partial<OutgoingTensor> | null,
): Promise<void> {
  const storage = nodeStorage(join(from, '..'));
  const { tensors } = await openSafetensors(storage, from.slice(from.lastIndexOf('/') + 1));
  const written: OutgoingTensor[] = [];
  for (const [name, stored] of tensors) {
    const data = await valuesOf(stored);
    const changed = change(name, data as Float32Array, stored.shape);
    if (changed !== null) written.push({ name, dtype: stored.dtype, shape: stored.shape, data, ...changed });
  }
  await nodeStorage(join(to, '..')).writeAtomic(to.slice(to.lastIndexOf('/') + 1), safetensorsChunks(written));
}

function valuesOf(stored: StoredTensor): Promise<Float32Array | Int32Array> {
  return stored.dtype === 'F32' ? stored.read('float32') : stored.read('int32');
}

/** The tiny GPT-2 with other weights. */
async function changedModel(name: string, change: Parameters<typeof rewrite>[2]): Promise<string> {
  const path = join(folder, name);
  cpSync(join(root, 'fixtures/parity/gpt2'), path, { recursive: true });
  await rewrite(join(root, 'fixtures/parity/gpt2/model.safetensors'), join(path, 'model.safetensors'), change);
  return path;
}

describe('qkv check', () => {
  it('tells what a model is, and proves it against a file', async () => {
    const [text, json] = await Promise.all([
      qkv(['check', models.gpt2, '--against', expected]),
      qkv(['check', models.gpt2, '--against', expected, '--json']),
    ]);
    expect(text).toMatchObject({ code: 0, stderr: '' });
    for (const line of [
      'model       gpt2, causal, causal-lm; 97 tokens, 40 positions',
      'parameters  29,856 trained, tied ones counted once',
      'tied        lm_head.weight = transformer.wte.weight',
      'stored as   F32 (28 tensors)',
      'tokenizer   BPE, 97 ids, which fit the model; special: none',
      'All 36 comparisons are within the tolerance.',
    ]) {
      expect(text.stdout).toContain(`${line}\n`);
    }
    expect(json.code).toBe(0);
    const report = reportOf(json);
    expect(report).toMatchObject({
      isSound: true,
      tolerance: 1e-5,
      faults: [],
      model: {
        family: 'gpt2',
        head: 'causal-lm',
        parameters: { trained: 29856, fixed: 0 },
        ties: [{ key: 'lm_head.weight', sameAs: 'transformer.wte.weight' }],
        storedAs: { F32: 28 },
        ignored: [],
        tokenizer: { kind: 'BPE', vocabSize: 97, fits: true },
      },
      against: { notCompared: [], skipped: [], gradientsAbsent: [] },
    });
    expect(report.comparisons).toHaveLength(36);
  });

  it('proves a model against itself, on text where it has a tokenizer', async () => {
    const run = await qkv(['check', models.marian, '--json']);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    const report = reportOf(run);
    expect(report).toMatchObject({ isSound: true, self: { sample: 'three sentences', notes: [] } });
    expect(report.comparisons.map(({ name }) => name).sort()).toEqual([
      'batch = singles: logits',
      'cached = uncached: logits',
      'node = reference: logits',
      'padded = not padded: logits',
    ]);
  });

  it('fails for one weight that is off by a thousandth, and names what it changed, worst first', async () => {
    const path = await changedModel('thousandth', (name, data) => {
      if (name === 'transformer.h.0.mlp.c_fc.weight') data[data.findIndex((value) => Math.abs(value) > 0.3)]! *= 1.001;
      return { data };
    });
    const run = await qkv(['check', path, '--against', expected]);
    expect(run).toMatchObject({ code: 1, stderr: '' });
    const marks = run.stdout.split('\n').filter((line) => /^[✓✗] (output|grad|left)/.test(line));
    const wrong = marks.filter((line) => line.startsWith('✗')).map((line) => line.split(/\s+/)[1]);
    expect(wrong).toEqual(expect.arrayContaining(['output.attentions.1', 'output.logits', 'left.logits']));
    // what is before the changed weight is as it was
    expect(wrong).not.toContain('output.attentions.0');
    expect(marks.slice(0, wrong.length).every((line) => line.startsWith('✗'))).toBe(true);
    const looser = await qkv(['check', path, '--against', expected, '--tolerance', '1e-2']);
    expect(looser.code).toBe(0);
  });

  it('says which values are no numbers', async () => {
    const path = await changedModel('nan', (name, data) => {
      if (name === 'transformer.h.1.ln_2.bias') data[3] = Number.NaN;
      return { data };
    });
    for (const args of [[], ['--against', expected]]) {
      const run = await qkv(['check', path, ...args, '--json']);
      expect(run.code).toBe(1);
      const report = reportOf(run);
      expect(report.model.notFinite).toEqual(['transformer.h.1.ln_2.bias']);
      expect(report.faults).toEqual(['transformer.h.1.ln_2.bias holds values that are no finite numbers']);
      const wrong = report.comparisons.filter(({ isFault }) => isFault).map(({ name }) => name);
      expect(wrong.some((name) => name.endsWith('logits'))).toBe(true);
    }
  });

  it('lists weights that are missing and of another shape', async () => {
    const path = await changedModel('unfit', (name, data, shape) => {
      if (name === 'transformer.h.0.ln_1.weight') return null;
      return name === 'transformer.h.0.mlp.c_fc.weight' ? { data, shape: shape.toReversed() } : { data };
    });
    const run = await qkv(['check', path]);
    expect(run).toMatchObject({ code: 1, stdout: '' });
    expect(run.stderr).toContain('missing transformer.h.0.ln_1.weight [32]');
    expect(run.stderr).toContain('mis-shaped transformer.h.0.mlp.c_fc.weight: got [128, 32], expected [32, 128]');
    expect(hasStack(run)).toBe(false);
  });

  it('fails for a tokenizer with ids that the model has no rows for', async () => {
    const path = await changedModel('tokenizer', (_, data) => ({ data }));
    cpSync(join(root, 'fixtures/tokenizer/word.tokenizer.json'), join(path, 'tokenizer.json'));
    const run = await qkv(['check', path]);
    expect(run.code).toBe(1);
    expect(run.stdout).toMatch(/✗ the tokenizer has \d+ ids, the model rows for 97\n/);
    expect(run.stdout).toContain('0 of 4 comparisons are beyond the tolerance, and 1 more fault.');
  });

  it('reports what a file has and cannot be compared, unless that is skipped', async () => {
    const file = join(folder, 'more.safetensors');
    await rewrite(expected, file, (name, data) =>
      name === 'output.loss' ? { name: 'output.surprise', data } : { data },
    );
    const [run, skipped] = await Promise.all([
      qkv(['check', models.gpt2, '--against', file]),
      qkv(['check', models.gpt2, '--against', file, '--skip', 'output.sur*', '--json']),
    ]);
    expect(run.code).toBe(1);
    expect(run.stdout).toContain('✗ output.surprise is not compared: nothing of this name in a gpt2 model\n');
    expect(skipped.code).toBe(0);
    expect(reportOf(skipped)).toMatchObject({ isSound: true, against: { skipped: ['output.surprise'] } });
  });

  it('needs no word on gradients that are exactly 0, and takes it where it is there', async () => {
    const file = join(folder, 'expected.safetensors');
    const bert = join(root, 'fixtures/parity/bert-token-classification');
    cpSync(join(bert, 'expected.safetensors'), file);
    expect((await qkv(['check', bert, '--against', file])).code).toBe(0);
    writeFileSync(join(folder, 'expected.json'), readFileSync(join(bert, 'expected.json')));
    const run = await qkv(['check', bert, '--against', file, '--json']);
    expect(run.code).toBe(0);
    expect(run.stdout).toContain('its exact value is 0: measured by the largest gradient of the model');
    writeFileSync(join(folder, 'expected.json'), '{');
    const damaged = await qkv(['check', bert, '--against', file]);
    expect(damaged.code).toBe(1);
    expect(damaged.stderr).toContain(`error (data): ${join(folder, 'expected.json')}`);
    rmSync(join(folder, 'expected.json'));
  });

  it('refuses a file without inputs, a file that is none, and --skip without a file', async () => {
    const file = join(folder, 'no-inputs.safetensors');
    await rewrite(expected, file, (name, data) => ({ name: name.replace('input.', 'elsewhere.'), data }));
    const [noInputs, none, skip] = await Promise.all([
      qkv(['check', models.gpt2, '--against', file]),
      qkv(['check', models.gpt2, '--against', join(folder, 'not-there.safetensors')]),
      qkv(['check', models.gpt2, '--skip', 'x']),
    ]);
    expect(noInputs).toMatchObject({ code: 1, stdout: '' });
    expect(noInputs.stderr).toMatch(/error \(data\): input\.input_ids\n {2}got {6}no inputs/);
    expect(none.code).toBe(1);
    expect(none.stderr).toContain('not-there.safetensors');
    expect(skip.code).toBe(2);
    for (const run of [noInputs, none, skip]) expect(hasStack(run)).toBe(false);
  });
});
