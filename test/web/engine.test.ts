import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type {
  AttentionMap,
  Attribution,
  EngineInfo,
  HeadStatistics,
  HeadSteps,
  Lens,
  ModelCard,
  Predictions,
  Progress,
  Reading,
} from '../../apps/web/src/worker/contract.ts';
import { nodeStorage } from '../../src/checkpoint/storage.node.ts';
import { attentionMaps } from '../../src/inspect/attention.ts';
import { gradientTimesInput } from '../../src/inspect/attribution.ts';
import { directLogitAttribution } from '../../src/inspect/directLogit.ts';
import type { Edits } from '../../src/inspect/edits.ts';
import { headStatistics } from '../../src/inspect/headStatistics.ts';
import { headSteps } from '../../src/inspect/headSteps.ts';
import { Inspection } from '../../src/inspect/inspection.ts';
import { lens } from '../../src/inspect/lens.ts';
import { predictions } from '../../src/inspect/predictions.ts';
import { residualNorms } from '../../src/inspect/residualNorms.ts';
import { loadPretrained, type Pretrained } from '../../src/pretrained/pretrained.ts';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { startHub } from '../hub/hubServer.ts';
import { type BuiltPage, buildPage } from './buildPage.ts';
import { callSuite } from './callSuite.ts';
import { describeInChromium, launchChromium, openPage, patience } from './chromium.ts';
import type { SentFile } from './page/engineSuite.ts';
import { makePageModels, type PageModels } from './pageModels.ts';
import { type PageServer, servePage } from './pageServer.ts';

const root = resolve(import.meta.dirname, '../..');
const ort = join(root, 'node_modules/onnxruntime-web/dist');

type Numbers = readonly number[];
type Plain<T> = { readonly [Key in keyof T]: T[Key] extends Float32Array ? Numbers : T[Key] };

/** The same model on the node runtime. */
interface Twin extends Disposable {
  readonly pretrained: Pretrained;
  readonly inspection: Inspection;
}

function largestDifference(actual: Numbers, expected: Float32Array): number {
  expect(actual.length).toBe(expected.length);
  return actual.reduce((worst, value, i) => Math.max(worst, Math.abs(value - expected[i]!)), 0);
}

describeInChromium("the page's engine", () => {
  let built: BuiltPage;
  let models: PageModels;
  let server: PageServer;
  let browser: Awaited<ReturnType<typeof launchChromium>>;
  let page: Page;
  let problems: string[];
  let runtime: Runtime;
  beforeAll(async () => {
    built = await buildPage();
    models = await makePageModels();
    const folders = { '': built.folder, 'ort/': ort, 'models/': models.folder, 'served/': models.folder };
    server = await servePage(folders, { isIsolated: true });
    browser = await launchChromium();
    ({ page, problems } = await openPage(browser, server.url));
    runtime = await createNodeRuntime({ threads: 1, spinning: false });
  }, patience);
  afterAll(async () => {
    await browser?.close();
    await server?.[Symbol.asyncDispose]();
    await runtime?.[Symbol.asyncDispose]();
    models?.[Symbol.dispose]();
    await built?.[Symbol.asyncDispose]();
  });

  const call = <T>(name: string, ...args: unknown[]): Promise<T> => callSuite(page, 'engine', 'call', name, ...args);
  const failure = (name: string, ...args: unknown[]): Promise<Record<string, unknown>> =>
    callSuite(page, 'engine', 'failure', name, ...args);
  const open = async (name: string, kind = 'shipped'): Promise<ModelCard> => {
    const { card } = await callSuite<{ card: ModelCard }>(page, 'engine', 'open', { kind, name });
    return card;
  };
  const twin = async (name: string): Promise<Twin> => {
    const pretrained = await loadPretrained(nodeStorage(join(models.folder, name)));
    const { model, arena } = pretrained;
    const inspection = new Inspection({ runtime, model, parameters: arena.tensors });
    return { pretrained, inspection, [Symbol.dispose]: () => inspection[Symbol.dispose]() };
  };

  it('says where it runs', async () => {
    const info = await call<EngineInfo>('info');
    expect(info).toMatchObject({ backend: 'wasm', isCrossOriginIsolated: true });
    expect(info.threads).toBeGreaterThan(0);
  });

  it('opens a model and reads a text', async () => {
    const source = { kind: 'shipped', name: 'stories260K' };
    const { card, progress } = await callSuite<{ card: ModelCard; progress: Progress[] }>(
      page,
      'engine',
      'open',
      source,
    );
    expect(card).toMatchObject({ name: 'stories260K', family: 'llama', kind: 'causal', parameters: 260_032 });
    expect(card).toMatchObject({ width: 64, headSize: 8, vocabSize: 512, maxLength: 512, maskToken: null });
    expect(card.places).toHaveLength(5);
    expect(card.places[2]).toEqual({ path: 'layers.2.attention', kind: 'decoder', layer: 2, heads: 8 });
    expect(card.examples[0]!.text).toMatch(/^Once upon a time/);
    expect(progress.some(({ what, file }) => what === 'downloading' && file === 'model.safetensors')).toBe(true);
    expect(progress.at(-1)).toEqual({ what: 'compiling' });
    const { source: none, target } = await call<Reading>('read', card.model, { text: 'Lily likes <b>朋</b>.' });
    expect(none).toEqual([]);
    expect(target[0]).toEqual({ id: 1, text: '<s>', word: -1, isSpecial: true });
    const text = target
      .slice(1)
      .map((token) => token.text)
      .join('');
    expect(text).toBe(' Lily likes <b>⟨E6⟩⟨9C⟩⟨8B⟩</b>.');
    const bytes = target.filter((token) => token.text.startsWith('⟨'));
    expect(new Set(bytes.map(({ word }) => word)).size).toBe(1);
  });

  const inputs = {
    stories260K: { text: 'Once upon a time, there was a little girl' },
    gpt2: { text: 'To be, or not to be.' },
    marian: { text: 'a house in the field' },
    bert: { text: '[CLS]', pair: 'a' },
    roberta: { text: 'the house', pair: 'was born' },
  };
  const edits: readonly Edits[] = [
    {},
    { scoreFactor: 0.3, causalMask: false, hidden: [{ side: 'target', position: 1 }] },
    { positions: false },
  ];

  it.each(Object.entries(inputs))(
    'computes attention, predictions and steps of %s as Node does',
    async (name, input) => {
      using other = await twin(name);
      const { model, tokenizer } = other.pretrained;
      const card = await open(name, 'served');
      const read = await call<Reading>('read', card.model, input);
      const ids = read.target.map(({ id }) => id);
      const sourceIds = read.source.map(({ id }) => id);
      const text = tokenizer!.encode(input.text, 'pair' in input ? { pair: input.pair } : {});
      if (model.kind === 'encoder-decoder') expect(sourceIds).toEqual(text.ids);
      else expect(ids).toEqual(text.ids);
      // [CLS] [CLS] [SEP] a [SEP]; <s> … </s></s> … </s>
      expect(read.pairStart).toBe(
        'pair' in input
          ? text.tokens.findLastIndex((token, i) => i < ids.length - 1 && /^(\[SEP\]|<\/s>)$/.test(token)) + 1
          : null,
      );
      const segments = model.kind === 'encoder' ? { segments: text.typeIds } : {};
      const reading = { ids, ...(model.kind === 'encoder-decoder' ? { sourceIds } : segments) };
      const heads = [{ path: card.places[0]!.path, head: 1, how: 'mean' }] as const;
      for (const edit of [...edits, { heads, mlps: [card.places.at(-1)!.path.replace(/\.\w+$/, '')] }]) {
        const label = JSON.stringify(edit);
        const expected = await attentionMaps(other.inspection, reading, { edits: edit });
        const found = await call<Plain<AttentionMap>[]>('attention', card.model, input, edit);
        expect(found.map(({ place }) => place)).toEqual(card.places);
        found.forEach((map, i) => {
          const difference = largestDifference(
            map.weights as unknown as Numbers,
            expected[i]!.weights.data as Float32Array,
          );
          expect(difference, `${map.place.path} ${label}`).toBeLessThan(1e-5);
          const [, queries, keys] = expected[i]!.weights.shape;
          expect([read[map.queries].length, read[map.keys].length]).toEqual([queries, keys]);
        });
        const options = { top: 5, temperature: 0.7 };
        const wanted = await predictions(other.inspection, reading, { edits: edit, ...options });
        const given = await call<Predictions>('predictions', card.model, input, edit, options);
        expect(given.positions).toEqual(wanted.positions);
        expect(
          given.choices.map((row) => row.map(({ token }) => token.id)),
          label,
        ).toEqual(wanted.choices.map((row) => row.map(({ id }) => id)));
        wanted.choices.forEach((row, i) => {
          row.forEach(({ probability }, k) => {
            expect(Math.abs(given.choices[i]![k]!.probability - probability)).toBeLessThan(1e-5);
          });
        });
        wanted.loss.forEach((loss, i) => {
          if (loss === null) expect(given.loss[i]).toBeNull();
          else expect(Math.abs(given.loss[i]! - loss)).toBeLessThan(1e-4);
        });
        const at = { path: card.places.at(-1)!.path, head: 1, position: 1 };
        const { place: _, sublayers, ...steps } = await headSteps(other.inspection, reading, { ...at, edits: edit });
        const shown = await call<Plain<HeadSteps>>('steps', card.model, input, edit, at);
        const pairs = [
          ...Object.entries(steps).map(([key, value]) => [key, value, shown[key as keyof typeof steps]] as const),
          ...sublayers.flatMap((sublayer, i) =>
            Object.entries(sublayer).map(
              ([part, value]) =>
                [`${sublayer.name}.${part}`, value, shown.sublayers[i]![part as keyof typeof sublayer]] as const,
            ),
          ),
        ];
        expect(shown.sublayers).toHaveLength(sublayers.length);
        for (const [key, value, actual] of pairs) {
          if (value instanceof Float32Array) {
            const largest = Math.max(1, ...value.map(Math.abs));
            expect(largestDifference(actual as unknown as Numbers, value) / largest, key).toBeLessThan(1e-5);
          } else expect(actual, key).toEqual(value);
        }
      }
      const one = await call<Plain<AttentionMap>[]>('attention', card.model, input, {}, [card.places[1]!.path]);
      expect(one.map(({ place }) => place)).toEqual([card.places[1]]);
      expect(problems).toEqual([]);
    },
  );

  it.each(Object.entries(inputs))(
    'computes lens, norms, statistics and attributions of %s as Node does',
    async (name, input) => {
      using other = await twin(name);
      const { inspection } = other;
      const { model } = other.pretrained;
      const card = await open(name);
      const read = await call<Reading>('read', card.model, input);
      const ids = read.target.map(({ id }) => id);
      const hasSegments = model.kind === 'encoder' && model.segments > 1;
      const text = hasSegments ? { segments: ids.map((_, i) => (i < 3 ? 0 : 1)) } : {};
      const reading = { ids, ...(read.source.length > 0 ? { sourceIds: read.source.map(({ id }) => id) } : text) };
      const edit = { scoreFactor: 0.7 };
      const close = (actual: unknown, expected: Float32Array, what: string): void => {
        const largest = Math.max(1, ...expected.map(Math.abs));
        expect(largestDifference(actual as Numbers, expected) / largest, what).toBeLessThan(1e-4);
      };

      const expected = await lens(inspection, reading, { edits: edit, top: 3 });
      const found = await call<Lens>('lens', card.model, input, edit, { top: 3 });
      expect([found.layers, found.positions]).toEqual([expected.layers, expected.positions]);
      expected.entropy.forEach((row, layer) => {
        close(found.entropy[layer], Float32Array.from(row), `entropy ${layer}`);
      });
      expect(found.choices.map((rows) => rows.map((row) => row[0]!.token.id))).toEqual(
        expected.choices.map((rows) => rows.map((row) => row[0]!.id)),
      );

      const norms = await residualNorms(inspection, reading, edit);
      const shown = await call<{ name: string; norms: Numbers }[]>('norms', card.model, input, edit);
      expect(shown.map((one) => one.name)).toEqual(norms.map(({ stack }) => stack));
      norms.forEach((one, i) => {
        close(shown[i]!.norms, one.norms, one.stack);
      });

      const heads = await headStatistics(inspection, reading, edit);
      const statistics = await call<HeadStatistics[]>('statistics', card.model, input, edit);
      expect(statistics).toHaveLength(card.places.reduce((sum, { heads: count }) => sum + count, 0));
      for (const key of ['entropy', 'distance', 'previous', 'first', 'self', 'induction', 'duplicate'] as const) {
        close(
          statistics.map((one) => one[key]),
          Float32Array.from(heads, (one) => one[key]),
          key,
        );
      }

      const score = { position: ids.length - 1, token: 7 };
      const attribute = (method: string) =>
        call<Plain<Attribution>>('attribution', card.model, input, edit, { method, ...score });
      const gradient = await gradientTimesInput(inspection, reading, score, { edits: edit });
      const byGradient = await attribute('gradient-input');
      close(byGradient.target, gradient.target, 'gradient');
      close(byGradient.source, gradient.source, 'gradient of the source');
      const { parts } = await directLogitAttribution(inspection, reading, score, { edits: edit });
      const direct = await attribute('direct-logit');
      expect(direct.parts.map((part) => [part.name, part.head])).toEqual(parts.map((part) => [part.name, part.head]));
      close(
        direct.parts.map(({ value }) => value),
        Float32Array.from(parts, ({ value }) => value),
        'parts',
      );
      const rollout = await attribute('rollout');
      const sum = [...(rollout.target as unknown as Numbers), ...(rollout.source as unknown as Numbers)].reduce(
        (a, b) => a + b,
        0,
      );
      expect(Math.abs(sum - 1)).toBeLessThan(1e-5);
      expect(((await attribute('integrated-gradients')).target as unknown as Numbers).length).toBe(ids.length);
    },
  );

  it('reads given ids, and ends a text where it is told to', async () => {
    const card = await open('stories260K');
    const { target } = await call<Reading>('read', card.model, { text: '', ids: [1, 403, 407] });
    expect(target.map(({ id }) => id)).toEqual([1, 403, 407]);
    for (const ids of [[], [512], [-1], new Array(513).fill(1)]) {
      expect(await failure('read', card.model, { text: '', ids }), `${ids.length}`).toMatchObject({ code: 'usage' });
    }
    const { tokens, heard } = await callSuite<{ tokens: number; heard: number }>(
      page,
      'engine',
      'stopped',
      card.model,
      [1, 403],
    );
    expect(heard).toBe(tokens);
    expect(tokens).toBeGreaterThanOrEqual(3);
    expect(tokens).toBeLessThan(300);
  });

  it('tells the documented story, greedily and as it comes', async () => {
    const card = await open('stories260K');
    const ask = { maxNewTokens: 256, temperature: 0 };
    const found = await call<{ text: string; tokens: unknown[]; heard: string[] }>(
      'generate',
      card.model,
      { text: '' },
      {},
      ask,
    );
    const story = readFileSync(join(root, 'fixtures/models/stories260K.txt'), 'utf8');
    expect(found.text.trim()).toBe(story.trim());
    expect(found.heard.length).toBeGreaterThan(100);
    expect(found.text.startsWith(found.heard[20]!)).toBe(true);
    expect(found.tokens).toHaveLength(256);
  });

  it('writes otherwise under edits, and the same under edits that change nothing', async () => {
    const card = await open('stories260K');
    const ask = { maxNewTokens: 12, temperature: 0 };
    const write = (edit: Edits) => call<{ text: string }>('generate', card.model, { text: 'Lily and' }, edit, ask);
    const plain = await write({});
    expect(await write({ scoreFactor: 1 })).toMatchObject({ text: plain.text });
    expect((await write({ mlps: ['layers.2'] })).text).not.toBe(plain.text);
    const drawn = { ...ask, temperature: 1, topK: 20, seed: 3 };
    const again = await Promise.all([
      await call('generate', card.model, { text: 'Lily' }, {}, drawn),
      await call('generate', card.model, { text: 'Lily' }, {}, drawn),
    ]);
    expect(again[0]).toEqual(again[1]);
    const beams = { ...ask, beams: 3 };
    expect(await call('generate', card.model, { text: 'Lily' }, {}, beams)).toMatchObject({ heard: [] });
    expect(await failure('generate', card.model, { text: 'Lily' }, { mlps: ['layers.1'] }, beams)).toMatchObject({
      code: 'usage',
      where: 'beams',
    });
  });

  it('translates, and writes the same translation under edits that change nothing', async () => {
    const card = await open('marian');
    const ask = { maxNewTokens: 10, temperature: 0 };
    const [plain, edited] = [
      await call<{ text: string; tokens: object[] }>('generate', card.model, inputs.marian, {}, ask),
      await call<{ text: string; tokens: object[] }>('generate', card.model, inputs.marian, { scoreFactor: 1 }, ask),
    ];
    expect(plain.tokens.length).toBeGreaterThan(0);
    expect(edited.tokens).toEqual(plain.tokens);
    const { target } = await call<Reading>('read', card.model, { ...inputs.marian, target: 'in a house' });
    expect(target[0]).toMatchObject({ id: 99, isSpecial: true, word: -1 }); // decoder_start_token_id
    expect(target.length).toBeGreaterThan(3);
  });

  const files = (name: string, change: (file: string, bytes: Buffer) => Buffer = (_, bytes) => bytes): SentFile[] =>
    readdirSync(join(models.folder, name)).map((file) => ({
      name: file,
      base64: change(file, readFileSync(join(models.folder, name, file))).toString('base64'),
    }));

  it('opens dropped files as it opens the others', async () => {
    const { card } = await callSuite<{ card: ModelCard }>(page, 'engine', 'openFiles', 'mine', files('gpt2'));
    expect(card).toMatchObject({ name: 'mine', family: 'gpt2' });
    const shipped = await open('gpt2');
    const [mine, theirs] = [card, shipped].map(({ model }) => call('attention', model, inputs.gpt2, {}));
    expect(await mine).toEqual(await theirs);
  });

  it('opens a dropped .gguf file', async () => {
    const bytes = readFileSync(join(root, 'fixtures/checkpoint/gguf/llama.gguf'));
    const file = { name: 'llama.gguf', base64: bytes.toString('base64') };
    const { card } = await callSuite<{ card: ModelCard }>(page, 'engine', 'openFiles', 'llama.gguf', [file]);
    expect(card).toMatchObject({ family: 'llama', vocabSize: 276 });
    const { target } = await call<Reading>('read', card.model, { text: 'the tän' });
    expect(target.map(({ text }) => text)).toEqual(['<s>', ' the', ' ', 't', '⟨C3⟩', '⟨A4⟩', 'n']);
    const [map] = await call<Plain<AttentionMap>[]>('attention', card.model, { text: 'the tän' }, {});
    expect(map!.weights).toHaveLength(4 * 7 * 7);
  });

  it('computes the same on one thread, in a page that shares no memory', async () => {
    const folders = { '': built.folder, 'ort/': ort, 'models/': models.folder };
    await using plain = await servePage(folders, { isIsolated: false });
    const { page: other, problems: found } = await openPage(browser, plain.url);
    const source = { kind: 'shipped', name: 'marian' };
    const opened = await callSuite<{ card: ModelCard }>(other, 'engine', 'open', source);
    const theirs = (await open('marian')).model;
    const info = await callSuite<EngineInfo>(other, 'engine', 'call', 'info');
    expect(info).toEqual({ backend: 'wasm', refusal: null, threads: 1, isCrossOriginIsolated: false });
    const one = await callSuite<Plain<AttentionMap>[]>(
      other,
      'engine',
      'call',
      'attention',
      opened.card.model,
      inputs.marian,
      {},
    );
    const two = await call<Plain<AttentionMap>[]>('attention', theirs, inputs.marian, {});
    expect(one.map(({ place }) => place)).toEqual(two.map(({ place }) => place));
    one.forEach((map, i) => {
      const weights = Float32Array.from(two[i]!.weights as unknown as Numbers);
      expect(largestDifference(map.weights as unknown as Numbers, weights)).toBeLessThan(1e-6);
    });
    expect(found).toEqual([]);
    await other.context().close();
  });

  it.each<[string, (file: string, bytes: Buffer) => Buffer, object]>([
    [
      'half of the weights',
      (f, b) => (f === 'model.safetensors' ? b.subarray(0, b.length / 2) : b),
      { code: 'checkpoint' },
    ],
    [
      'a header that lies',
      (f, b) => (f === 'model.safetensors' ? Buffer.concat([Buffer.alloc(8, 255), b]) : b),
      { code: 'checkpoint' },
    ],
    [
      'a config that asks for more than there is',
      (f, b) =>
        f === 'config.json' ? Buffer.from(JSON.stringify({ ...JSON.parse(String(b)), vocab_size: 2 ** 40 })) : b,
      {},
    ],
    [
      'a tokenizer that is none',
      (f, b) => (f === 'tokenizer.json' ? Buffer.from('{"model": 3}') : b),
      { code: 'tokenizer' },
    ],
    ['a config that is no JSON', (f, b) => (f === 'config.json' ? Buffer.from('[') : b), {}],
  ])('refuses %s in words', async (_, change, expected) => {
    const error = await failure('openFiles', 'mine', files('gpt2', change));
    expect(error).toMatchObject({ isError: true, message: expect.any(String), where: expect.any(String), ...expected });
    expect(error['code']).not.toBe('defect');
    expect(await call('info')).toMatchObject({ backend: 'wasm' });
  });

  it('refuses what is not there, and what the model cannot do', async () => {
    expect(await failure('open', { kind: 'shipped', name: 'none' })).toMatchObject({ code: 'io' });
    expect(await failure('openFiles', 'nothing', [])).toMatchObject({ code: 'io', where: 'dropped files' });
    const card = await open('gpt2');
    expect(await failure('read', card.model, { text: 'a', target: 'b' })).toMatchObject({
      code: 'usage',
      where: 'target',
    });
    expect(await failure('read', card.model, { text: 'a'.repeat(60) })).toMatchObject({ code: 'usage', where: 'text' });
    expect(await failure('attention', 99, { text: 'a' }, {})).toMatchObject({ code: 'usage', where: 'model 99' });
    const at = { path: 'layers.7.attention', head: 0, position: 0 };
    expect(await failure('steps', card.model, { text: 'a' }, {}, at)).toMatchObject({ code: 'usage' });
    const tuned = await failure('lens', card.model, { text: 'a' }, {}, { top: 1, kind: 'tuned' });
    expect(tuned).toMatchObject({ code: 'usage', where: 'tuned lens' });
    await call('close', card.model);
    expect(await failure('read', card.model, { text: 'a' })).toMatchObject({ code: 'usage' });
  });

  it('opens a model of the hub', async () => {
    const read = (file: string): Buffer => readFileSync(join(models.folder, 'gpt2', file));
    const names = ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json'];
    const files = Object.fromEntries(names.map((file) => [file, read(file)]));
    const commit = 'c'.repeat(40);
    await using hub = await startHub({
      'tiny/gpt2': { commits: { [commit]: files }, refs: { main: commit } },
      'tiny/waiting': { commits: { [commit]: files }, refs: { main: commit } },
    });
    const { page: other } = await openPage(browser, server.url);
    await callSuite(other, 'engine', 'useHub', hub.url);
    const open = (id: string) =>
      callSuite<{ card: ModelCard; progress: Progress[] }>(other, 'engine', 'open', { kind: 'hub', id });
    const { card, progress } = await open('tiny/gpt2');
    expect(card).toMatchObject({ name: 'tiny/gpt2', family: 'gpt2' });
    const total = names.reduce((sum, file) => sum + files[file]!.length, 0);
    expect(progress.filter(({ what }) => what === 'downloading').at(-1)).toMatchObject({ bytes: total, total });
    hub.faults.isStopped = true;
    const waiting = { kind: 'hub', id: 'tiny/waiting' };
    expect(await callSuite(other, 'engine', 'readWhileOpening', waiting, card.model)).toBeGreaterThan(1);
    const none = await callSuite(other, 'engine', 'failure', 'open', { kind: 'hub', id: 'tiny/none' });
    expect(none).toMatchObject({ code: 'io', got: expect.stringContaining('no such model') });
    await other.context().close();
  });

  it('keeps two models, and closes the one used longest ago', async () => {
    const [first, second] = [await open('gpt2'), await open('bert')];
    await call('read', first.model, { text: 'a' });
    const third = await open('marian');
    expect(await failure('read', second.model, { text: 'a' })).toMatchObject({ code: 'usage' });
    await call('read', first.model, { text: 'a' });
    await call('read', third.model, { text: 'a' });
  });

  it('lets a later call take the place of an unfinished one', async () => {
    const card = await open('stories260K');
    const results = await callSuite(page, 'engine', 'race', card.model, ['one', 'one two', 'one two three']);
    expect(results).toEqual(['superseded', 'superseded', '5 maps']);
    const { first, heard, second } = await callSuite<{ first: string; heard: number; second: string }>(
      page,
      'engine',
      'interrupt',
      card.model,
    );
    expect(first).toBe('superseded');
    expect(heard).toBeLessThan(390);
    expect(second.length).toBeGreaterThan(0);
  });
});
