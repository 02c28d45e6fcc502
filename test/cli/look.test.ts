import { cpSync, existsSync, mkdtempSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GenerationSession } from '../../src/generate/session.ts';
import { captureAttention, headWeights } from '../../src/inspect/attention.ts';
import { openModel } from '../../src/pretrained/openModel.node.ts';
import { createReferenceRuntime } from '../../src/runtime/reference/reference.ts';
import { type Models, makeModels } from './models.ts';
import { qkv, root } from './qkv.ts';

let models: Models;
beforeAll(() => {
  models = makeModels();
});
afterAll(() => models[Symbol.dispose]());

interface Shown {
  model: string;
  target: string | null;
  pair: string | null;
  attention: {
    kind: string;
    layer: number;
    head: number | 'mean';
    queryTokens: string[];
    keyTokens: string[];
    weights: number[][];
  }[];
}

describe('qkv look', () => {
  it('gives the weights of every layer and head', async () => {
    const [source, target] = ['Where is it?', 'the way.'];
    const run = await qkv(['look', models.marian, source, '--target', target, '--grid', '--json']);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    const shown = JSON.parse(run.stdout) as Shown;
    expect(shown).toMatchObject({ model: 'marian', target });
    expect(shown.attention.map(({ kind, layer, head }) => `${kind} ${layer} ${head}`)).toEqual(
      ['encoder', 'decoder', 'cross'].flatMap((kind) =>
        [0, 1].flatMap((layer) => [0, 1, 2, 3].map((head) => `${kind} ${layer} ${head}`)),
      ),
    );
    const { model, arena, tokenizer } = await openModel(models.marian);
    await using runtime = createReferenceRuntime();
    const ids = (text: string) => tokenizer!.encode(text).ids;
    using session = new GenerationSession(runtime, model, arena.tensors);
    const layers = await captureAttention(session, ids(source), ids(target));
    let worst = 0;
    for (const { kind, layer, head, weights } of shown.attention) {
      const expected = headWeights(layers.find((one) => one.kind === kind && one.layer === layer)!, head);
      for (const [i, weight] of weights.flat().entries()) worst = Math.max(worst, Math.abs(weight - expected[i]!));
    }
    expect(worst).toBeLessThan(1e-5);
    const cross = shown.attention.at(-1)!;
    expect(cross.keyTokens.join('')).toBe('▁Where▁is▁it<unk></s>');
    expect(cross.queryTokens.slice(1).join('')).toBe('▁the▁way.</s>');
  });

  it("looks at the model's own translation, mean of the last layer's cross-attention", async () => {
    const [json, drawn, translated] = await Promise.all([
      qkv(['look', models.marian, 'Where is it?', '--json']),
      qkv(['look', models.marian, 'Where is it?']),
      qkv(['translate', models.marian, 'Where is it?', '--greedy', '--max-length', '31']),
    ]);
    expect(json).toMatchObject({ code: 0, stderr: '' });
    const shown = JSON.parse(json.stdout) as Shown;
    expect(`${shown.target}\n`).toBe(translated.stdout);
    expect(shown.attention).toHaveLength(1);
    expect(shown.attention[0]).toMatchObject({ kind: 'cross', layer: 1, head: 'mean' });
    for (const row of shown.attention[0]!.weights) expect(row.reduce((a, b) => a + b)).toBeCloseTo(1, 5);
    expect(drawn).toMatchObject({ code: 0, stderr: '' });
    expect(drawn.stdout).toContain('cross · layer 1 · mean of heads');
    expect(drawn.stdout).not.toContain('\x1b'); // standard output is no terminal
  });

  it('shows the causal maps of a model that continues texts', async () => {
    const run = await qkv(['look', models.gpt2, 'To be', '--layer', '0', '--head', '2', '--json']);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    const [map, ...others] = (JSON.parse(run.stdout) as Shown).attention;
    expect(others).toEqual([]);
    expect(map).toMatchObject({ kind: 'decoder', layer: 0, head: 2, queryTokens: [...'To be'] });
    for (const [t, row] of map!.weights.entries()) expect(row.slice(t + 1).every((weight) => weight === 0)).toBe(true);
  });

  it('shows what every token of an encoder looks at', async () => {
    const folder = mkdtempSync(join(models.folder, 'bert-'));
    for (const part of ['fixtures/parity/bert-pretraining', 'fixtures/encoders/bert']) {
      cpSync(join(root, part), folder, { recursive: true });
    }
    const run = await qkv(['look', folder, 'where are you', '--grid', '--json']);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    const shown = JSON.parse(run.stdout) as Shown;
    expect(shown).toMatchObject({ model: 'bert', target: null });
    expect(new Set(shown.attention.map(({ kind }) => kind))).toEqual(new Set(['encoder']));
    const { queryTokens, keyTokens, weights } = shown.attention[0]!;
    expect(queryTokens).toEqual(keyTokens);
    expect([queryTokens[0], queryTokens.at(-1)]).toEqual(['[CLS]', '[SEP]']);
    for (const row of weights) expect(row.reduce((a, b) => a + b)).toBeCloseTo(1, 5);
    expect(weights[0]!.slice(1).some((weight) => weight > 0)).toBe(true); // no causal mask
    const refused = await qkv(['look', folder, 'where', '--target', 'x']);
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).toContain('reads a text or a pair');

    const pair = ['where are you', '--pair', 'in a house'] as const;
    const [looked, inspected] = await Promise.all([
      qkv(['look', folder, ...pair, '--grid', '--json']),
      qkv(['inspect', 'attention', folder, ...pair, '--json']),
    ]);
    const ofPair = JSON.parse(looked.stdout) as Shown;
    expect(ofPair).toMatchObject({ pair: 'in a house', target: null });
    const { attention } = JSON.parse(inspected.stdout) as { attention: { weights: number[] }[] };
    expect(ofPair.attention.flatMap((map) => map.weights.flat())).toEqual(attention.flatMap((map) => map.weights));
    expect(ofPair.attention[0]!.queryTokens.filter((token) => token === '[SEP]')).toHaveLength(2);
  });

  it('writes pictures', async () => {
    const [svg, png] = ['map.svg', 'map.png'].map((name) => join(models.folder, name)) as [string, string];
    const runs = await Promise.all([
      qkv(['look', models.marian, 'No.', '--target', 'No.', '--out', svg]),
      qkv(['look', models.marian, 'No.', '--target', 'No.', '--grid', '--out', png]),
    ]);
    expect(runs).toEqual([svg, png].map((file) => ({ code: 0, stdout: `${file}\n`, stderr: '' })));
    expect(readFileSync(svg, 'utf8')).toMatch(/^<svg [\s\S]*<\/svg>\n$/);
    expect(readFileSync(png).subarray(0, 8)).toEqual(Buffer.from('\x89PNG\r\n\x1a\n', 'latin1'));
  });

  it.each([
    ['a head that does not exist', 'gpt2', ['--head', '4'], 'from 0 to 3'],
    ['a layer that does not exist', 'gpt2', ['--layer', '2'], 'from 0 to 1'],
    ['a kind that the model lacks', 'gpt2', ['--kind', 'cross'], 'decoder'],
    ['a target of a model that continues texts', 'gpt2', ['--target', 'x'], '--target'],
    ['a pair of a model that reads one text', 'gpt2', ['--pair', 'x'], '--pair'],
    ['another format', 'gpt2', ['--out', 'map.jpg'], '.svg, .png or .html'],
    ['no number', 'gpt2', ['--head', 'all'], '"all"'],
  ] as const)('refuses %s', async (_, model, args, words) => {
    const finished = await qkv(['look', models[model], 'text', ...args]);
    expect(finished).toMatchObject({ code: 2, stdout: '' });
    expect(finished.stderr).toContain(words);
    expect(existsSync('map.jpg')).toBe(false);
  });
});
