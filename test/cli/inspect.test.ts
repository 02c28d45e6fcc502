import { cpSync, existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { headStatistics } from '../../src/inspect/headStatistics.ts';
import { Inspection } from '../../src/inspect/inspection.ts';
import { predictions } from '../../src/inspect/predictions.ts';
import { openModel } from '../../src/pretrained/openModel.node.ts';
import { createReferenceRuntime } from '../../src/runtime/reference/reference.ts';
import { type Models, makeModels } from './models.ts';
import { qkv, root } from './qkv.ts';

let models: Models;
beforeAll(() => {
  models = makeModels();
});
afterAll(() => models[Symbol.dispose]());

const story = new URL('../../fixtures/models/stories260K', import.meta.url).pathname;
const text = 'Once upon a time';

describe('qkv inspect', () => {
  it('gives the numbers of the library, under the edits of its options', async () => {
    const { model, arena, tokenizer } = await openModel(story);
    await using runtime = createReferenceRuntime();
    using inspection = new Inspection({ runtime, model, parameters: arena.tensors });
    const reading = { ids: tokenizer!.encode(text).ids };
    const edits = {
      heads: [{ path: 'layers.1.attention', head: 3, how: 'zero' as const, positions: [2] }],
      values: [{ name: 'layers.0.attention.context', how: 'mean' as const }],
      hidden: [{ side: 'target' as const, position: 1 }],
      mlps: ['layers.2'],
      scoreFactor: 0.5,
      causalMask: false,
      positions: false,
    };
    const flags = [
      '--zero',
      'layers.1.attention:3@2',
      '--mean',
      'layers.0.attention',
      '--hide',
      '1',
      '--drop-mlp',
      'layers.2',
    ];
    flags.push('--score-factor', '0.5', '--no-causal-mask', '--no-positions');
    const run = await qkv(['inspect', 'predictions', story, text, '--top', '4', ...flags, '--json']);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    const shown = JSON.parse(run.stdout);
    const expected = await predictions(inspection, reading, { edits, top: 4 });
    expect(shown.tokens.length).toBe(reading.ids.length);
    expected.choices.flat().forEach(({ id, probability }, i) => {
      expect(shown.choices.flat()[i].id).toBe(id);
      expect(shown.choices.flat()[i].probability).toBeCloseTo(probability, 4);
    });
    expect(shown.choices).not.toEqual((await predictions(inspection, reading, { top: 4 })).choices);

    const statistics = await qkv(['inspect', 'statistics', story, text, '--json']);
    const heads = JSON.parse(statistics.stdout).heads;
    (await headStatistics(inspection, reading)).forEach(({ place, head, entropy, induction }, i) => {
      expect(heads[i]).toMatchObject({ path: place.path, head });
      expect(heads[i].entropy).toBeCloseTo(entropy, 4);
      expect(heads[i].induction).toBeCloseTo(induction, 4);
    });
  });

  const commands: [instrument: string, flags: string[]][] = [
    ['predictions', []],
    ['loss', []],
    ['attention', []],
    ['steps', ['--head', '1']],
    ['lens', ['--top', '2']],
    ['statistics', []],
    ['norms', []],
    ['attribution', []],
    ['attribution', ['--method', 'integrated-gradients', '--steps', '8']],
    ['attribution', ['--method', 'rollout']],
    ['direct-logit', ['--against', '#4']],
    ['patching', ['--clean', 'Once upon a day', '--by', 'whole']],
    ['values', []],
    ['values', ['--names', '**.residualPost']],
    ['continue', ['--max-new-tokens', '3', '--temperature', '1', '--top-k', '5', '--seed', '1']],
  ];
  it.each(commands)('%s %j is a table, and JSON with the same tokens', async (instrument, flags) => {
    const base = ['inspect', instrument, story, text, ...flags];
    const [shown, json] = await Promise.all([qkv(base), qkv([...base, '--json'])]);
    expect(shown).toMatchObject({ code: 0, stderr: '' });
    expect(shown.stdout.length).toBeGreaterThan(20);
    expect(shown.stdout).not.toMatch(/NaN|undefined|\[object/);
    expect(JSON.parse(json.stdout)).toMatchObject({ model: 'llama' });
    expect(json.stdout).not.toContain('null,null,null,null,null,null');
  });

  it('reads translations and encoders too', async () => {
    const source = ['Where is it?', '--target', 'the way.'];
    const bert = join(models.folder, 'bert');
    for (const from of ['parity/bert-pretraining', 'encoders/bert'])
      cpSync(join(root, 'fixtures', from), bert, { recursive: true });
    const runs = await Promise.all([
      qkv(['inspect', 'attribution', models.marian, ...source, '--json']),
      qkv([
        'inspect',
        'patching',
        models.marian,
        ...source,
        '--clean',
        'Where is at?',
        '--names',
        'encoder.**.residualPost',
        '--by',
        'whole',
        '--json',
      ]),
      qkv([
        'inspect',
        'continue',
        models.marian,
        'Where is it?',
        '--hide',
        'source:1',
        '--max-new-tokens',
        '4',
        '--json',
      ]),
      qkv(['inspect', 'steps', models.marian, ...source, '--path', 'encoder.layers.0.attention', '--json']),
      qkv(['inspect', 'predictions', bert, 'the [MASK] sat', '--pair', 'the cat', '--json']),
      qkv(['inspect', 'direct-logit', bert, 'the [MASK] sat', '--position', '2', '--json']),
    ]);
    for (const run of runs) expect(run).toMatchObject({ code: 0, stderr: '' });
    const [attribution, patching] = runs.map(({ stdout }) => JSON.parse(stdout));
    expect(attribution.source.length).toBe(attribution.sourceTokens.length);
    for (const cell of patching.cells.slice(-1)) expect(cell.restored).toBeCloseTo(1, 3);
  });

  it('learns a tuned lens and looks through it', async () => {
    const out = join(models.folder, 'lens.safetensors');
    const learned = await qkv([
      'inspect',
      'tune-lens',
      story,
      text,
      '--steps',
      '12',
      '--learning-rate',
      '0.003',
      '--out',
      out,
      '--json',
    ]);
    expect(learned).toMatchObject({ code: 0, stderr: '' });
    const { divergences } = JSON.parse(learned.stdout);
    expect(divergences.at(-1)).toBeLessThan(divergences[0]);
    expect(existsSync(out)).toBe(true);
    const [tuned, plain] = await Promise.all([
      qkv(['inspect', 'lens', story, text, '--tuned', out, '--json']),
      qkv(['inspect', 'lens', story, text, '--json']),
    ]);
    expect(JSON.parse(tuned.stdout).entropy).not.toEqual(JSON.parse(plain.stdout).entropy);
  });

  it('names the line of a file that is too long for the model, and leaves no lens behind', async () => {
    const file = join(models.folder, 'lines.txt');
    const out = join(models.folder, 'no-lens.safetensors');
    writeFileSync(file, `a dog.\n\n${'a dog ran. '.repeat(300)}\n`);
    const learn = ['inspect', 'tune-lens', story, text, '--file', file, '--out', out];
    const run = await qkv([...learn, '--steps', '3']);
    expect(run).toMatchObject({ code: 2, stdout: '' });
    expect(run.stderr).toMatch(/lines\.txt:3\n {2}got +\d+ tokens\n {2}expected at most 512/);
    expect(existsSync(out)).toBe(false);
    expect(await qkv([...learn, '--steps', '2']), 'it is not learned from').toMatchObject({ code: 0 });
  });

  it.each([
    [['--zero', 'layers.9.attention:1'], 'layers.4.attention'],
    [['--zero', 'layers.0.attention:x'], 'expected a name'],
    [['--hide', '99'], 'from 0 to'],
    [['--pair', 'b'], 'an encoder'],
    [['--top', '0'], 'whole number'],
    [['--head', '1'], '--head'],
  ])('refuses %j in words', async (flags, words) => {
    const run = await qkv(['inspect', 'predictions', story, text, ...flags]);
    expect(run.code).not.toBe(0);
    expect(run.stdout).toBe('');
    expect(run.stderr).toContain(words);
  });
});
