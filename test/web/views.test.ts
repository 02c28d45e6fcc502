import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { formatNumber, formatPercent } from '../../apps/web/src/views/numbers/formatNumber.ts';
import { nodeStorage } from '../../src/checkpoint/storage.node.ts';
import { attentionMaps } from '../../src/inspect/attention.ts';
import { continueEdited } from '../../src/inspect/continueEdited.ts';
import type { Edits } from '../../src/inspect/edits.ts';
import { headSteps } from '../../src/inspect/headSteps.ts';
import { Inspection } from '../../src/inspect/inspection.ts';
import { type Lens, lens } from '../../src/inspect/lens.ts';
import { predictions } from '../../src/inspect/predictions.ts';
import type { Reading } from '../../src/inspect/reading.ts';
import { loadTunedLens, tunedLensFile } from '../../src/inspect/tunedLens.ts';
import type { TokenChoice } from '../../src/inspect/wordHead.ts';
import { loadPretrained, type Pretrained } from '../../src/pretrained/pretrained.ts';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import type { BuiltPage } from './buildPage.ts';
import { buildSite } from './buildSite.ts';
import { describeInChromium, launchChromium } from './chromium.ts';
import { makePageModels, type PageModels } from './pageModels.ts';
import { type PageServer, servePage } from './pageServer.ts';
import { poll } from './visit.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** The texts of these tests, one for each kind of model. */
const texts = {
  stories260K: 'Once upon a time there was a cat',
  marian: 'a house in the field',
  bert: 'the house is on',
  arabic: 'القطة تجلس على السجادة في البيت، مرحبا؟',
} as const;

/** The same model on the node runtime, and what it reads of its text. */
interface Twin extends Disposable {
  readonly pretrained: Pretrained;
  readonly inspection: Inspection;
  readonly reading: Reading;
}

interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string }[];
}

describeInChromium('Step through and Predict', () => {
  let built: BuiltPage;
  let models: PageModels;
  let server: PageServer;
  let browser: Browser;
  let runtime: Runtime;
  let problems: string[];
  beforeAll(async () => {
    built = await buildSite();
    models = await makePageModels();
    server = await servePage({ 'models/': models.folder, '': built.folder }, { isIsolated: true });
    browser = await launchChromium();
    runtime = await createNodeRuntime({ threads: 1, spinning: false });
  }, 240_000);
  afterAll(async () => {
    await browser?.close();
    await server?.[Symbol.asyncDispose]();
    await runtime?.[Symbol.asyncDispose]();
    models?.[Symbol.dispose]();
    await built?.[Symbol.asyncDispose]();
  });

  async function visit(
    view: 'steps' | 'predict',
    model: keyof typeof texts,
    more: Readonly<Record<string, string>> = {},
    options: Parameters<Browser['newContext']>[0] = {},
  ): Promise<Page> {
    problems = [];
    const context = await browser.newContext({ locale: 'en-GB', viewport: { width: 1280, height: 900 }, ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    page.on('pageerror', (error) => problems.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error' || /Content.Security.Policy/i.test(message.text())) problems.push(message.text());
    });
    const hash = new URLSearchParams({ model: `shipped:${model}`, view, text: texts[model], ...more });
    await page.goto(`${server.url}#${hash}`);
    return page;
  }

  async function twin(name: keyof typeof texts, pair?: string): Promise<Twin> {
    const pretrained = await loadPretrained(nodeStorage(join(models.folder, name)));
    const { model, arena, tokenizer } = pretrained;
    const inspection = new Inspection({ runtime, model, parameters: arena.tensors });
    const { ids, typeIds } = tokenizer!.encode(texts[name], pair === undefined ? {} : { pair });
    const dispose = { [Symbol.dispose]: () => inspection[Symbol.dispose]() };
    if (model.kind === 'encoder-decoder') {
      const started = { ids: [model.startId], sourceIds: ids };
      const written = await write(inspection, started, {}, bannedOf(pretrained), model.maxLength);
      return { pretrained, inspection, reading: { sourceIds: ids, ids: [model.startId, ...written] }, ...dispose };
    }
    const reading = model.kind === 'encoder' ? { ids, segments: typeIds } : { ids };
    return { pretrained, inspection, reading, ...dispose };
  }
  const bannedOf = ({ generationConfig }: Pretrained): number[] =>
    ((generationConfig as { bad_words_ids?: number[][] } | undefined)?.bad_words_ids ?? []).flat();
  async function write(
    inspection: Inspection,
    reading: Reading,
    edits: Edits,
    bannedIds: number[],
    maxNewTokens: number,
  ): Promise<number[]> {
    return await Array.fromAsync(continueEdited(inspection, reading, { edits, bannedIds, maxNewTokens }));
  }

  // biome-ignore lint/performance/useDomNodeTextContent: as a person reads it, without what is hidden
  const textOf = (locator: Locator): Promise<string> => locator.innerText();
  const stage = (page: Page, name: string): Locator => page.locator(`[data-stage="${name}"]`);
  /** The last numbers of a table's lines: what a stage has made. */
  const results = (page: Page, name: string): Promise<string[]> =>
    stage(page, name).locator('td.is-result').allInnerTexts();
  /** What is shown otherwise than Node has it, by more than the last digit that is shown. */
  const differing = (shown: readonly string[], numbers: ArrayLike<number>, format = formatNumber): string[] => {
    if (shown.length !== numbers.length) return [`${shown.length} numbers for ${numbers.length}`];
    return shown.flatMap((text, i) => {
      const expected = format(numbers[i]!);
      const digits = /\.(\d+)/.exec(text)?.[1]?.length ?? 0;
      const value = (written: string): number => Number(written.replace('−', '-').replace('%', ''));
      const isNear = Math.abs(value(text) - value(expected)) < 1.01 * 10 ** -digits;
      return text === expected || isNear ? [] : [`${text}, not ${expected}`];
    });
  };
  const probabilities = (choices: readonly { readonly probability: number }[]): number[] =>
    choices.map(({ probability }) => probability);
  /** The alternatives: token and probability. */
  const alternatives = async (page: Page): Promise<string[][]> => {
    const panel = page.locator('.predict-panel').first();
    const lines = await panel.locator('tbody tr').all();
    return Promise.all(
      lines.map(async (line) => [await textOf(line.locator('th')), await textOf(line.locator('td.is-number').last())]),
    );
  };
  /** Alternatives that are others than these. */
  async function unlike(at: Page, { pretrained }: Twin, choices: readonly TokenChoice[]): Promise<string[]> {
    const shown = await alternatives(at);
    const names = choices.map(({ id }) => pretrained.tokenizer!.idToToken(id)!.replace(/^##/, ''));
    return [
      ...differing(
        shown.map(([, percent]) => percent!),
        probabilities(choices),
        formatPercent,
      ),
      ...shown.flatMap(([name], i) => (name === names[i] ? [] : [`${name}, not ${names[i]}`])),
    ];
  }
  const textTokens = (page: Page): Locator => page.locator('.predict-text .token-row').last().locator('.token');
  const lossOf = async (page: Page, index: number): Promise<string> =>
    /loss (\S+) nats/.exec((await textTokens(page).nth(index).getAttribute('aria-label')) ?? '')?.[1] ?? 'none';
  const isSettled = (page: Page): Promise<void> => poll(() => page.locator('[aria-busy="true"]').count()).toBe(0);

  it('shows the numbers of a head as Node computes them, in the order of the formula', async () => {
    using other = await twin('stories260K');
    const at = { path: 'layers.2.attention', head: 3, position: 5 };
    const steps = await headSteps(other.inspection, other.reading, at);
    const page = await visit('steps', 'stories260K', { at: at.path, head: '3', query: '5' });
    await stage(page, 'logits').locator('td.is-result').first().waitFor();
    expect(differing(await stage(page, 'query').locator('.number-written').allInnerTexts(), steps.query)).toEqual([]);
    expect(differing(await results(page, 'products'), steps.products)).toEqual([]);
    expect(differing(await results(page, 'scaled'), steps.scaled)).toEqual([]);
    expect(differing(await results(page, 'masked'), steps.masked)).toEqual([]);
    expect((await results(page, 'masked')).slice(6)).toEqual(Array(steps.masked.length - 6).fill('−∞'));
    const weights = await results(page, 'softmax');
    expect(differing(weights, steps.weights)).toEqual([]);
    expect(weights.reduce((sum, weight) => sum + Number(weight), 0)).toBeCloseTo(1, 2);
    const z = stage(page, 'context').locator('.number-written');
    expect(differing(await z.allInnerTexts(), steps.context)).toEqual([]);
    // the formula with the numbers of the strongest key
    const best = steps.weights.indexOf(Math.max(...steps.weights));
    expect(await textOf(stage(page, 'scaled').locator('.in-numbers'))).toContain(
      `${formatNumber(steps.products[best]!)} ÷ √8 = ${formatNumber(steps.scaled[best]!)}`,
    );
    expect(await stage(page, 'scaled').locator('math msqrt').count()).toBe(2);

    const { choices } = await predictions(other.inspection, other.reading, { top: 10 });
    const logits = await stage(page, 'logits').locator('tbody td.is-number:nth-child(2)').allInnerTexts();
    expect(
      differing(
        logits,
        choices[5]!.map(({ logit }) => logit),
      ),
    ).toEqual([]);
    expect(differing(await results(page, 'logits'), probabilities(choices[5]!), formatPercent)).toEqual([]);
    // what is shown is a softmax: p / p' = e^(ℓ − ℓ')
    const [first, second] = choices[5]!.map(({ logit }) => logit) as [number, number];
    const ratio = probabilities(choices[5]!)[0]! / probabilities(choices[5]!)[1]!;
    expect(Math.exp(Number(logits[0]) - Number(logits[1]))).toBeCloseTo(ratio, 1);
    expect(Math.exp(first - second)).toBeCloseTo(ratio, 3);
    expect(problems).toEqual([]);
  });

  it('computes again what is changed, beside what it was, and takes it back', async () => {
    using other = await twin('stories260K');
    const at = { path: 'layers.1.attention', head: 0, position: 4 };
    const page = await visit('steps', 'stories260K', { at: at.path, query: '4' });
    const plain = await headSteps(other.inspection, other.reading, at);
    await poll(async () => differing(await results(page, 'softmax'), plain.weights)).toEqual([]);

    await page.getByRole('button', { name: /√d_k/ }).click();
    const hot = await headSteps(other.inspection, other.reading, { ...at, edits: { scoreFactor: Math.sqrt(8) } });
    await poll(async () => differing(await results(page, 'softmax'), hot.weights)).toEqual([]);
    const old = await stage(page, 'softmax').locator('tbody .is-before.is-number').allInnerTexts();
    expect(differing(old, plain.weights)).toEqual([]);
    await page.keyboard.press('Control+z');
    await poll(async () => differing(await results(page, 'softmax'), plain.weights)).toEqual([]);
    expect(await page.locator('.is-before').count()).toBe(0);

    await page.getByLabel('Causal mask').uncheck();
    const open = await headSteps(other.inspection, other.reading, { ...at, edits: { causalMask: false } });
    await poll(async () => differing(await results(page, 'softmax'), open.weights)).toEqual([]);
    expect(open.weights[7]).toBeGreaterThan(0);
    await page.getByLabel('Positions').uncheck();
    await page.getByLabel('MLP of this layer').uncheck();
    await page.getByLabel('0, this one').uncheck();
    const edits: Edits = {
      causalMask: false,
      positions: false,
      mlps: ['layers.1'],
      heads: [{ path: at.path, head: 0, how: 'zero' }],
    };
    const all = await headSteps(other.inspection, other.reading, { ...at, edits });
    await poll(async () => differing(await results(page, 'softmax'), all.weights)).toEqual([]);
    await page.getByRole('slider', { name: 'Temperature τ' }).focus();
    await page.keyboard.press('End');
    const { choices } = await predictions(other.inspection, other.reading, { top: 10, temperature: 8, edits });
    await poll(async () => differing(await results(page, 'logits'), probabilities(choices[4]!), formatPercent)).toEqual(
      [],
    );
    await page.getByRole('button', { name: 'Change nothing' }).click();
    await poll(async () => differing(await results(page, 'softmax'), plain.weights)).toEqual([]);
    expect(problems).toEqual([]);
  });

  it('goes through the stages and the numbers by keyboard', async () => {
    const page = await visit('steps', 'stories260K', { 'steps.show': 'one' });
    await stage(page, 'query').waitFor();
    await page.locator('.steps-title h2').click();
    await page.keyboard.press('ArrowRight');
    await poll(() => page.locator('.stage').count()).toBe(1);
    await stage(page, 'keys').waitFor();
    expect(await textOf(page.locator(':focus'))).toBe('2 Keys');
    for (const name of ['products', 'scaled', 'masked', 'softmax', 'context']) {
      await page.keyboard.press('ArrowRight');
      await stage(page, name).waitFor();
    }
    await page.keyboard.press('ArrowLeft');
    await stage(page, 'softmax').waitFor();
    expect(await textOf(page.locator('.stage-nav [aria-current="step"]'))).toContain('Softmax');

    await page.locator('.stage-nav button', { hasText: 'Query' }).first().click();
    const strip = stage(page, 'query').getByRole('slider').last();
    await strip.focus();
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    const numbers = await stage(page, 'query').locator('.number-written').allInnerTexts();
    expect(await strip.getAttribute('aria-valuetext')).toBe(`q[1] = ${numbers[1]}`);
    await page.keyboard.press('End');
    expect(await strip.getAttribute('aria-valuetext')).toBe(`q[7] = ${numbers[7]}`);
    await stage(page, 'query').waitFor();
    expect(problems).toEqual([]);
  });

  it('asks the source from the target in cross-attention', async () => {
    using other = await twin('marian');
    const at = { path: 'decoder.layers.1.crossAttention', head: 2, position: 1 };
    const steps = await headSteps(other.inspection, other.reading, at);
    const page = await visit('steps', 'marian', { at: at.path, head: '2', query: '1' });
    await stage(page, 'logits').locator('td.is-result').first().waitFor();
    expect(await page.locator('.steps-where .token').count()).toBe(other.reading.ids.length);
    expect(differing(await results(page, 'softmax'), steps.weights)).toEqual([]);
    expect(steps.weights.length).toBe(other.reading.sourceIds!.length);
    // an encoder's token predicts nothing
    await page.locator('.steps-picks select').first().selectOption('encoder.layers.0.attention');
    await poll(() => page.locator('.steps-where .token').count()).toBe(other.reading.sourceIds!.length);
    await poll(() => textOf(stage(page, 'logits'))).toContain('The encoder says nothing by itself');
    expect(problems).toEqual([]);
  });

  it('adds what every sublayer gives to the stream, before its norm and after it', async () => {
    using other = await twin('marian');
    // the sum and the norm of each, in the order of the layer
    const whole = ['before', 'out', 'sum', 'after'];
    const expected: Readonly<Record<string, readonly (readonly [string, number, readonly string[]])[]>> = {
      attention: [
        ['residual', 0, ['before', 'out', 'sum']],
        ['norm', 0, ['sum', 'after']],
        ['crossNext', 1, whole],
        ['mlp', 2, ['out']],
        ['post', 2, whole],
      ],
      crossAttention: [
        ['selfFirst', 0, whole],
        ['residual', 1, ['before', 'out', 'sum']],
        ['norm', 1, ['sum', 'after']],
        ['mlp', 2, ['out']],
        ['post', 2, whole],
      ],
    };
    for (const [name, stages] of Object.entries(expected)) {
      const at = { path: `decoder.layers.1.${name}`, head: 0, position: 2 };
      const { sublayers } = await headSteps(other.inspection, other.reading, at);
      const page = await visit('steps', 'marian', { at: at.path, query: '2' });
      await stage(page, 'post').waitFor();
      const order = await page
        .locator('.stage')
        .evaluateAll((all) =>
          all.map((one) => (one as unknown as { dataset: Record<string, string> }).dataset['stage']!),
        );
      expect(order.filter((one) => stages.some(([shown]) => shown === one))).toEqual(stages.map(([shown]) => shown));
      for (const [shown, index, parts] of stages) {
        const strips = await stage(page, shown).getByRole('slider').all();
        const firsts: string[] = [];
        for (const strip of strips) {
          await strip.focus();
          await page.keyboard.press('ArrowRight');
          firsts.push(/ = (\S+)$/.exec((await strip.getAttribute('aria-valuetext'))!)![1]!);
        }
        const numbers = parts.map((part) => sublayers[index]![part as 'sum'][0]!);
        expect(differing(firsts, numbers), `${shown} beside ${name}`).toEqual([]);
      }
      expect(await textOf(page.locator('.stage-nav'))).toContain(`of ${order.length}`);
      expect(problems).toEqual([]);
    }
  });

  it('reads a pair of texts as Node does', async () => {
    const pair = 'a cat sat';
    using other = await twin('bert', pair);
    const at = { path: 'layers.1.attention', head: 1, position: 5 };
    const steps = await headSteps(other.inspection, other.reading, at);
    const page = await visit('steps', 'bert', { pair, at: at.path, head: '1', query: '5' });
    await poll(async () => differing(await results(page, 'softmax'), steps.weights)).toEqual([]);
    expect(await page.locator('.steps-where .token').count()).toBe(other.reading.ids.length);
    // a masked token of the second text keeps its segment
    const place = other.reading.segments!.indexOf(1);
    const maskId = other.pretrained.tokenizer!.specialIds.mask!;
    const masked = { ...other.reading, ids: other.reading.ids.with(place, maskId) };
    const { choices } = await predictions(other.inspection, masked, { top: 10 });
    const predict = await visit('predict', 'bert', { pair });
    await textTokens(predict).nth(place).click();
    await poll(() => unlike(predict, other, choices[place]!)).toEqual([]);
    expect(problems).toEqual([]);
  });

  it('puts the tokens of a right-to-left text in its order, each token in its own direction', async () => {
    using other = await twin('arabic');
    const { tokenizer } = other.pretrained;
    const words = other.reading.ids.map((id) => tokenizer!.idToToken(id)!.replace(/^##/, ''));
    expect(words).toContain('سجادة');
    const page = await visit('predict', 'arabic', { 'predict.place': '2' });
    const lefts = async (row: Locator): Promise<number[]> =>
      Promise.all((await row.locator('.token').all()).map(async (token) => (await token.boundingBox())!.x));
    const row = page.locator('.predict-text .token-row');
    await poll(() => textTokens(page).allInnerTexts()).toEqual(words);
    // the first, [CLS], stands at the right
    const found = await lefts(row);
    expect(found).toEqual(found.toSorted((a, b) => b - a));
    await textTokens(page).nth(2).focus();
    await page.keyboard.press('ArrowLeft');
    expect(await textOf(page.locator(':focus'))).toBe(words[3]);
    await page.keyboard.press('ArrowRight');
    expect(await textOf(page.locator(':focus'))).toBe(words[2]);
    // what is written in a cell of the lens begins where its number does
    const cell = page
      .locator('.lens-scroll td')
      .filter({ hasText: /\p{Script=Arabic}/u })
      .first();
    const [token, number] = await Promise.all([
      cell.locator('bdi').boundingBox(),
      cell.locator('.number').boundingBox(),
    ]);
    expect(token!.x).toBeCloseTo(number!.x, 0);

    // the sentence about a token keeps the order of its language
    await page.locator('.tabs, [role=tablist]').first().getByRole('tab', { name: 'Attention' }).click();
    await page.locator('.token-column').first().locator('button').nth(1).click();
    const heading = page.locator('.readout p strong').first();
    await poll(() => textOf(heading)).toContain('looks at');
    const [tokenLeft, restLeft] = await heading.evaluate((element) => {
      const node = (element as unknown as { firstChild: { data: string } }).firstChild;
      const { document } = globalThis as unknown as {
        document: {
          createRange(): {
            setStart(node: object, at: number): void;
            setEnd(node: object, at: number): void;
            getBoundingClientRect(): { left: number };
          };
        };
      };
      const left = (from: number, to: number): number => {
        const range = document.createRange();
        range.setStart(node, from);
        range.setEnd(node, to);
        return range.getBoundingClientRect().left;
      };
      const end = node.data.indexOf('looks');
      return [left(0, end), left(end, node.data.length)];
    });
    expect(tokenLeft).toBeLessThan(restLeft!);
    // a text from left to right is not turned
    const latin = await visit('predict', 'bert');
    await textTokens(latin).first().waitFor();
    const order = await lefts(latin.locator('.predict-text .token-row'));
    expect(order).toEqual(order.toSorted((a, b) => a - b));
    expect(problems).toEqual([]);
  });

  it('saves its numbers and its picture', async () => {
    using other = await twin('stories260K');
    const steps = await headSteps(other.inspection, other.reading, {
      path: 'layers.0.attention',
      head: 0,
      position: 3,
    });
    const page = await visit('steps', 'stories260K', { query: '3' });
    await stage(page, 'logits').locator('td.is-result').first().waitFor();
    const save = async (item: string): Promise<string> => {
      await page.getByRole('button', { name: 'Save' }).click();
      const coming = page.waitForEvent('download');
      await page.getByRole('button', { name: item }).click();
      return readFileSync(await (await coming).path(), 'utf8');
    };
    const json = JSON.parse(await save('Numbers as JSON')) as { weights: number[]; keys: number[][]; path: string };
    expect(json.path).toBe('layers.0.attention');
    expect(json.keys).toHaveLength(steps.weights.length);
    for (const [k, weight] of steps.weights.entries()) expect(json.weights[k]).toBeCloseTo(weight, 5);
    const lines = (await save('Numbers as CSV')).trim().split('\r\n');
    const residual = lines.filter((line) => line.startsWith('mlp.after,')).map((line) => Number(line.split(',')[4]));
    for (const [i, x] of steps.sublayers.at(-1)!.after.entries()) expect(residual[i]).toBeCloseTo(x, 4);
    expect(residual).toHaveLength(64);
    const svg = await save('Picture as SVG');
    expect(svg).toContain('▁upon');
    expect(svg.match(/<rect/g)!.length).toBeGreaterThan(2 * 8 * steps.weights.length);
  });

  it('continues a text: alternatives as Node has them, a branch, and the greedy rest', async () => {
    using other = await twin('stories260K');
    const { ids } = other.reading;
    const found = await predictions(other.inspection, other.reading, { top: 10 });
    const page = await visit('predict', 'stories260K', { 'predict.count': '6' });
    await poll(async () => (await alternatives(page)).length).toBe(10);
    expect(await unlike(page, other, found.choices.at(-1)!)).toEqual([]);
    // the loss of a token is that of the position before it
    expect(differing([await lossOf(page, 3)], [found.loss[2]!])).toEqual([]);

    await page.getByRole('button', { name: /^Take/ }).nth(1).click();
    const branch = [...ids, found.choices.at(-1)![1]!.id];
    await poll(() => textTokens(page).count()).toBe(branch.length + 1);
    await page.getByRole('button', { name: 'Go on' }).click();
    const rest = await write(other.inspection, { ids: branch }, {}, [], 6);
    await poll(() => textTokens(page).count()).toBe(branch.length + rest.length + 1);
    const shown = await textTokens(page).allInnerTexts();
    const expected = [...branch, ...rest].map((id) => other.pretrained.tokenizer!.idToToken(id)!);
    expect(shown.slice(0, -1).map(plain)).toEqual(expected.map(plain));

    // in place of a token in the middle: what came after it is gone
    await textTokens(page).nth(2).click();
    await poll(() => unlike(page, other, found.choices[1]!)).toEqual([]);
    await page.getByRole('button', { name: /^Take/ }).nth(2).click();
    await poll(() => textTokens(page).count()).toBe(4);
    await page.getByRole('button', { name: 'Undo' }).click();
    await poll(() => textTokens(page).count()).toBe(branch.length + rest.length + 1);
    await page.getByRole('button', { name: 'Back to the text' }).click();
    await poll(() => textTokens(page).count()).toBe(ids.length + 1);
    expect(problems).toEqual([]);
  });
  const plain = (token: string): string => token.replaceAll('▁', '').trim();

  it('stops writing when it is told to', async () => {
    const page = await visit('predict', 'stories260K', { 'predict.count': '400' });
    await poll(async () => (await alternatives(page)).length).toBe(10);
    const before = await textTokens(page).count();
    await page.getByRole('button', { name: 'Go on' }).click();
    await poll(() => textOf(page.locator('.written'))).not.toBe('');
    await page.getByRole('button', { name: 'Stop' }).click();
    await page.getByRole('button', { name: 'Go on' }).waitFor();
    await poll(() => textTokens(page).count()).toBeGreaterThan(before);
    expect(await textTokens(page).count()).toBeLessThan(400);
  });

  it('fills masks: a click masks a token, another puts a word there', async () => {
    using other = await twin('bert');
    const { ids, segments } = other.reading;
    const mask = other.pretrained.tokenizer!.specialIds.mask!;
    const page = await visit('predict', 'bert');
    await poll(() => textTokens(page).count()).toBe(ids.length);
    await page.locator('.predict-modes select').selectOption('mask');
    await textTokens(page).nth(2).click();
    await poll(() => textOf(textTokens(page).nth(2))).toBe('[MASK]');
    const reading = { ids: ids.with(2, mask), segments: segments! };
    const found = await predictions(other.inspection, reading, { top: 10, targets: ids });
    const expected = probabilities(found.choices[2]!);
    const percents = async () => (await alternatives(page)).map(([, percent]) => percent!);
    await poll(async () => differing(await percents(), expected, formatPercent)).toEqual([]);
    expect(await textTokens(page).nth(2).getAttribute('aria-label')).toContain('masked');
    // of the others the loss is their own, and of the masked one that of the word of the text
    expect(differing([await lossOf(page, 1)], [found.loss[1]!])).toEqual([]);

    await page.getByRole('button', { name: /^Take/ }).first().click();
    await poll(() => textOf(textTokens(page).nth(2))).not.toBe('[MASK]');
    await page.getByRole('button', { name: 'Back to the text' }).click();
    await poll(() => textOf(textTokens(page).nth(2))).toBe('house');
    expect(problems).toEqual([]);
  });

  it('translates: alignment as the cross-attention has it, and another translation where a head is broken', async () => {
    using other = await twin('marian');
    const { inspection, reading, pretrained } = other;
    const page = await visit('predict', 'marian', {
      'predict.cross': 'decoder.layers.1.crossAttention',
      'predict.crossHead': '1',
    });
    await poll(() => textTokens(page).count()).toBe(reading.ids.length);
    await isSettled(page);
    const [map] = await attentionMaps(inspection, reading, { paths: ['decoder.layers.1.crossAttention'] });
    const keys = reading.sourceIds!.length;
    const row = map!.weights.data.subarray((1 * reading.ids.length + 2) * keys, (1 * reading.ids.length + 3) * keys);
    await textTokens(page).nth(3).hover();
    const source = page.locator('.predict-text .token-row').first().locator('.token');
    const shares = Array.from(row, (weight) => (100 * Number(weight)) / Math.max(...row));
    const shown = async (): Promise<string[]> => {
      const labels = await source.evaluateAll((tokens) =>
        tokens.map((token) => token.getAttribute('aria-label') ?? ''),
      );
      return labels.map((label) => /\S+$/.exec(label)?.[0] ?? '');
    };
    await poll(async () => differing(await shown(), shares, (share) => `${Math.round(share)}%`)).toEqual([]);

    const start = { ids: reading.ids.slice(0, 1), sourceIds: reading.sourceIds! };
    const edits: Edits = { heads: [{ path: 'decoder.layers.1.crossAttention', head: 2, how: 'zero' }] };
    const broken = await write(inspection, start, edits, bannedOf(pretrained), 128);
    expect(broken).not.toEqual(reading.ids.slice(1));
    await page.getByRole('button', { name: 'Cross-attention 1, head 2' }).click();
    const now = page.locator('.outcome-text').last();
    const textNow = broken.map((id) => pretrained.tokenizer!.idToToken(id)!.replace('▁', ' ')).join('');
    await poll(async () => squeezed(await textOf(now))).toContain(squeezed(textNow));
    expect(await now.locator('ins').count()).toBeGreaterThan(0);
    // what it says of each token is compared as well
    const after = await predictions(inspection, reading, { top: 10, edits });
    const percents = async (): Promise<string[]> =>
      (await alternatives(page)).map(([, percent]) => percent!).filter((percent) => percent !== '·');
    await poll(async () => differing(await percents(), probabilities(after.choices[0]!), formatPercent)).toEqual([]);
    expect(problems).toEqual([]);
  });
  const squeezed = (text: string): string => text.replace(/\s|now|new:/g, '');

  it('looks through the lens and attributes a token to tokens and to heads', async () => {
    using other = await twin('stories260K');
    const found = await lens(other.inspection, other.reading, { top: 1 });
    const page = await visit('predict', 'stories260K', { 'predict.method': 'direct-logit' });
    const cells = page.locator('.lens-scroll tbody td');
    await poll(() => cells.count()).toBe(6 * other.reading.ids.length);
    const shown = await page.locator('.lens-scroll tbody td .number').allInnerTexts();
    const rows = found.choices.toReversed().flat();
    expect(differing(shown, probabilities(rows.map(([best]) => best!)), formatPercent)).toEqual([]);
    await page.locator('.lens-scroll tbody button').nth(3).hover();
    await poll(() => page.locator('.lens-detail tbody tr').count()).toBe(10);
    await page.locator('.lens-scroll tbody button[tabindex="0"]').focus();
    await page.keyboard.press('ArrowDown');
    await poll(() => textOf(page.locator('.lens-detail h3'))).toMatch(/^Layer 3/);

    // the parts add up to the logit
    const { choices } = await predictions(other.inspection, other.reading, { top: 1 });
    const total = page.locator('.parts .is-total .is-number');
    await total.waitFor();
    const logit = Number((await textOf(total)).replace('−', '-'));
    expect(logit).toBeCloseTo(choices.at(-1)![0]!.logit, 1);

    await page.locator('.predict-panel select').nth(0).selectOption('gradient-input');
    await poll(() => textTokens(page).nth(2).getAttribute('style')).toContain('--number-');
    await page.locator('.predict-panel select').nth(0).selectOption('rollout');
    await poll(() => textTokens(page).nth(2).getAttribute('style')).toContain('--number-positive');
    expect(problems).toEqual([]);
  });

  it('looks through the tuned lens that lies beside a model, and has none where there is none', async () => {
    using other = await twin('bert');
    const tuned = await loadTunedLens(nodeStorage(join(models.folder, 'bert')), tunedLensFile);
    const page = await visit('predict', 'bert');
    const numbers = (): Promise<string[]> => page.locator('.lens-scroll tbody td .number').allInnerTexts();
    const expected = (found: Lens): number[] =>
      probabilities(found.choices.toReversed().flatMap((row) => row.map(([best]) => best!)));
    const plain = expected(await lens(other.inspection, other.reading, { top: 1 }));
    const found = expected(await lens(other.inspection, other.reading, { top: 1, tuned }));
    expect(found).not.toEqual(plain);
    await poll(async () => differing(await numbers(), plain, formatPercent)).toEqual([]);
    await page.getByRole('combobox', { name: 'Lens', exact: true }).selectOption('tuned lens');
    await poll(async () => differing(await numbers(), found, formatPercent)).toEqual([]);
    expect(await textOf(page.locator('.lens'))).toContain('fitted beforehand');
    await isSettled(page);
    expect(await accessibility(page)).toEqual([]);

    const without = await visit('predict', 'marian', { 'predict.lensKind': 'tuned' });
    await without.locator('.lens-scroll tbody td').first().waitFor();
    expect(await without.getByRole('combobox', { name: 'Lens', exact: true }).count()).toBe(0);
    expect(problems).toEqual([]);
  });

  it.each(['en', 'zh'] as const)('speaks its language, and leaves axe nothing to find: %s', async (lang) => {
    const edits = 'heads=layers.1.attention:1:zero;hidden=t1';
    const steps = await visit('steps', 'stories260K', { lang, edits }, { colorScheme: 'dark' });
    await stage(steps, 'logits').locator('td.is-result').first().waitFor();
    await isSettled(steps);
    expect(await accessibility(steps)).toEqual([]);
    expect(
      await latinWords(steps, '.stage-head p, .stage-head h3, .steps-side h2, .steps-side label, .steps-title h2'),
    ).toBe(lang === 'en');
    const predict = await visit('predict', 'marian', {
      lang,
      edits: 'heads=decoder.layers.1.crossAttention:1:zero',
      'predict.method': 'gradient-input',
    });
    await predict.locator('.lens-scroll tbody td').first().waitFor();
    await isSettled(predict);
    expect(await accessibility(predict)).toEqual([]);
    expect(await latinWords(predict, '.predict h2, .predict .muted.small')).toBe(lang === 'en');
    expect(problems).toEqual([]);
  });

  it.each(['steps', 'predict'] as const)('fits a phone: nothing of %s is wider than the screen', async (view) => {
    const page = await visit(
      view,
      'stories260K',
      { 'predict.method': 'direct-logit' },
      { viewport: { width: 360, height: 740 } },
    );
    await page
      .locator(view === 'steps' ? '[data-stage="logits"] td.is-result' : '.lens-scroll tbody td')
      .first()
      .waitFor();
    const width = await page.evaluate('document.documentElement.scrollWidth');
    expect(width).toBeLessThanOrEqual(360);
    expect(await accessibility(page)).toEqual([]);
  });

  /** Whether most texts are made of words in Latin letters. */
  async function latinWords(page: Page, selector: string): Promise<boolean> {
    const all = (await page.locator(selector).allInnerTexts()).join(' ');
    return (all.match(/[a-z]{3,}/gi)?.length ?? 0) > (all.match(/\p{Script=Han}/gu)?.length ?? 0);
  }

  /** What axe finds against WCAG 2.2 AA and its own good practice. */
  async function accessibility(page: Page): Promise<string[]> {
    await page.evaluate(axe);
    const violations = await page.evaluate(async () => {
      const { axe: checker } = globalThis as unknown as {
        axe: { run(options: object): Promise<{ violations: Violation[] }> };
      };
      const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
      return (await checker.run({ runOnly: tags })).violations;
    });
    return violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => `${id}: ${html.slice(0, 200)}`));
  }
});
