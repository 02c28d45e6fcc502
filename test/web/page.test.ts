import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { nodeStorage } from '../../src/checkpoint/storage.node.ts';
import { attentionMaps } from '../../src/inspect/attention.ts';
import { Inspection } from '../../src/inspect/inspection.ts';
import { readingOf } from '../../src/inspect/reading.ts';
import { loadPretrained } from '../../src/pretrained/pretrained.ts';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';
import type { BuiltPage } from './buildPage.ts';
import { buildSite } from './buildSite.ts';
import { describeInChromium, launchChromium, softwareGpu } from './chromium.ts';
import { makePageModels, type PageModels } from './pageModels.ts';
import { type PageServer, servePage } from './pageServer.ts';
import { poll } from './visit.ts';

const root = resolve(import.meta.dirname, '../..');
const storyTeller = join(root, 'models/stories260K');
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const text = 'Once upon a time, there was a little girl.';
const withText = (more = ''): string => `#model=shipped:stories260K&text=${encodeURIComponent(text)}${more}`;

interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string; readonly failureSummary?: string }[];
}

describeInChromium('the page', () => {
  let built: BuiltPage;
  let models: PageModels;
  let server: PageServer;
  /** As the command line's: with models of its own. */
  let serving: PageServer;
  let browser: Browser;
  let problems: string[];
  let hosts: Set<string>;
  beforeAll(async () => {
    built = await buildSite();
    models = await makePageModels();
    // A host of plain files sends no policy: the page's own has to do.
    server = await servePage({ '': built.folder }, { isIsolated: true, sendsPolicy: false });
    serving = await servePage({ 'served/': models.folder, '': built.folder }, { isIsolated: true });
    browser = await launchChromium();
  }, 240_000);
  afterAll(async () => {
    await browser?.close();
    await server?.[Symbol.asyncDispose]();
    await serving?.[Symbol.asyncDispose]();
    models?.[Symbol.dispose]();
    await built?.[Symbol.asyncDispose]();
  });

  /** A page in a profile of its own; what goes wrong in it unseen, a broken content policy included, is in `problems`, whom it asks in `hosts`. */
  async function visit(
    hash: string,
    options: Parameters<Browser['newContext']>[0] = {},
    from: PageServer = server,
    by: Browser = browser,
  ): Promise<Page> {
    problems = [];
    hosts = new Set();
    const context = await by.newContext({ locale: 'en-GB', viewport: { width: 1280, height: 900 }, ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    context.on('request', (request) => hosts.add(new URL(request.url()).host));
    page.on('pageerror', (error) => problems.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error' || /Content.Security.Policy/i.test(message.text())) problems.push(message.text());
    });
    await page.goto(`${from.url}${hash}`);
    return page;
  }
  // biome-ignore lint/performance/useDomNodeTextContent: as a person reads it, without what is hidden
  const textOf = (locator: Locator): Promise<string> => locator.innerText();
  const shown = (page: Page): Locator => page.locator('.lines-box');
  /** Weights of the reading panel, by its rows. */
  const readWeights = async (page: Page): Promise<Record<string, number>> => {
    const rows = await page.locator('.readout tbody tr:not(.muted)').evaluateAll((elements) =>
      elements.map((row) => {
        const { querySelector } = row as unknown as { querySelector(selector: string): { textContent: string } };
        const text = (selector: string): string => querySelector.call(row, selector).textContent;
        return [text('th'), Number(text('.number'))] as const;
      }),
    );
    return Object.fromEntries(rows);
  };
  /** Where one token looks in one head of the story teller: the address that shows it, and the largest weights as Node computes them. */
  const nodeWeights = async (): Promise<{ address: string; largest: number[] }> => {
    await using runtime = await createNodeRuntime({ threads: 1 });
    const { model, arena, tokenizer } = await loadPretrained(nodeStorage(storyTeller));
    using inspection = new Inspection({ runtime, model, parameters: arena.tensors });
    const { ids } = tokenizer!.encode(text);
    const maps = await attentionMaps(inspection, readingOf(model, null, ids));
    const [layer, head, query] = [3, 5, 9];
    const { data } = maps[layer]!.weights;
    const start = (head * ids.length + query) * ids.length;
    const weights = Array.from({ length: query + 1 }, (_, key) => Number(data[start + key])).sort((a, b) => b - a);
    const address = withText(`&at=${maps[layer]!.path}&head=${head}&query=${query}`);
    return { address, largest: weights.slice(0, 10) };
  };
  const expectWeights = async (page: Page, expected: readonly number[]): Promise<void> => {
    await page.locator('.readout tbody tr').first().waitFor();
    const numbers = await page.locator('.readout tbody tr:not(.muted) .number').allInnerTexts();
    expect(numbers.length).toBe(expected.length);
    for (const [i, number] of numbers.entries()) expect(Number(number)).toBeCloseTo(expected[i]!, 3);
  };
  const hash = (page: Page): URLSearchParams => new URLSearchParams(new URL(page.url()).hash.slice(1));
  const saved = async (page: Page, menu: Locator, item: string): Promise<{ name: string; bytes: Buffer }> => {
    await menu.getByRole('button', { name: 'Save' }).click();
    const coming = page.waitForEvent('download');
    await menu.getByRole('button', { name: item }).click();
    const download = await coming;
    return { name: download.suggestedFilename(), bytes: readFileSync(await download.path()) };
  };

  it('opens the first shipped model with its example, asks no other machine, and breaks no rule of its policy', async () => {
    const page = await visit('');
    await shown(page).waitFor();
    await poll(() => page.locator('.token-column').first().locator('button').count()).toBeGreaterThan(5);
    expect(await textOf(page.locator('.model-name strong'))).toBe('tatoeba-en-zh');
    expect(await page.getByLabel('Source text', { exact: true }).inputValue()).not.toBe('');
    expect(await page.getByRole('gridcell').count()).toBe(2 * 4); // of one kind of attention: two layers, four heads
    expect([...hosts]).toEqual([new URL(server.url).host]);
    expect(problems).toEqual([]);
  });

  it('shows another model its own example in place of the one before, and leaves alone what a person wrote', async () => {
    const page = await visit('');
    await shown(page).waitFor();
    const open = async (name: string): Promise<void> => {
      await page.getByRole('button', { name: 'Open model…' }).click();
      await page.getByRole('dialog').getByRole('button', { name }).click();
      await poll(() => textOf(page.locator('.model-name strong'))).toBe(name);
    };
    const text = page.locator('textarea').first();
    await open('bert-zh');
    await poll(() => text.inputValue()).toBe('我[MASK]吃苹果。');
    await text.fill('你[MASK]好。');
    await open('poetry');
    await shown(page).waitFor();
    expect(await text.inputValue()).toBe('你[MASK]好。');
    expect(problems).toEqual([]);
  });

  it('lets no script run that is not its own, and connects to nobody but the hub', async () => {
    const page = await visit(withText());
    await shown(page).waitFor();
    expect(problems).toEqual([]);
    const outcome = await page.evaluate(`(async () => {
      const violated = new Set();
      addEventListener('securitypolicyviolation', ({ effectiveDirective }) => violated.add(effectiveDirective));
      const script = document.createElement('script');
      script.textContent = 'globalThis.hasRun = true';
      document.body.append(script);
      await fetch('http://127.0.0.1:9/').catch(() => {});
      const image = new Image();
      image.src = 'http://127.0.0.1:9/';
      await new Promise((done) => image.addEventListener('error', done));
      let evaluated = false;
      try { evaluated = new Function('return true')(); } catch {}
      return { hasRun: globalThis.hasRun ?? false, evaluated, violated: [...violated].sort() };
    })()`);
    expect(outcome).toEqual({
      hasRun: false,
      evaluated: false,
      violated: ['connect-src', 'img-src', 'script-src-elem'],
    });
  });

  it('shows the weights that Node computes', async () => {
    const { address, largest } = await nodeWeights();
    const page = await visit(address);
    await expectWeights(page, largest);
  });

  it('shows them from the graphics card too, which is chosen among the settings', async ({ skip }) => {
    const { address, largest } = await nodeWeights();
    const withGpu = await launchChromium(softwareGpu);
    try {
      const page = await visit(address, {}, server, withGpu);
      await page.locator('.readout tbody tr').first().waitFor();
      if (await page.evaluate('navigator.gpu?.requestAdapter().then((adapter) => adapter === null) ?? true')) {
        skip('this Chromium has no WebGPU');
      }
      await page.keyboard.press('?');
      const loaded = page.waitForEvent('load');
      await page.getByLabel('Compute on the graphics card').click();
      await loaded;
      await expectWeights(page, largest);
      await page.keyboard.press('?');
      await poll(() => textOf(page.getByRole('dialog'))).toContain('webgpu');
      expect(problems).toEqual([]);
    } finally {
      await withGpu.close();
    }
  });

  it('computes on the processor, and says why, where the graphics card that was chosen is not there', async () => {
    const page = await visit(withText());
    await page.evaluate("localStorage.setItem('qkv.backend', 'webgpu')");
    await page.reload();
    await shown(page).waitFor();
    await page.keyboard.press('?');
    const said = page.getByRole('dialog').getByRole('alert');
    await said.waitFor();
    expect(await textOf(said)).toMatch(/^The graphics card is not used: WebGPU: got no GPU/);
    expect(await textOf(page.getByRole('dialog'))).toContain('wasm');
  });

  it('goes by keyboard from the grid to a token, silences the head, and takes that back', async () => {
    const page = await visit(withText());
    await shown(page).waitFor();
    await page.locator('[role=gridcell][tabindex="0"]').focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    expect(await page.locator(':focus').getAttribute('aria-label')).toBe('layer 1, head 2');
    expect(await page.getByRole('heading', { name: 'Layer 1 · head 2' }).count()).toBe(1);

    await page.keyboard.press('x');
    await page.locator('.edits li').waitFor();
    expect(await textOf(page.locator('.edits li'))).toContain('layers.1.attention, head 2');
    await page.keyboard.press('Control+z');
    await poll(() => page.locator('.edits').count()).toBe(0);
    await page.keyboard.press('Control+y');
    await poll(() => page.locator('.edits li').count()).toBe(1);
    await page.getByRole('button', { name: /^Take back/ }).click();
    await poll(() => page.locator('.edits').count()).toBe(0);

    await page.locator('.token-column').first().locator('button[tabindex="0"]').focus();
    await page.keyboard.press('End');
    await page.keyboard.press('Enter');
    const last = (await page.locator('.token-column').first().locator('button').count()) - 1;
    await poll(() => hash(page).get('query')).toBe(String(last));
    await page.keyboard.press('Escape');
    await poll(() => hash(page).get('query')).toBe(null);

    await page.getByRole('tab', { name: 'Lines' }).focus();
    await page.keyboard.press('ArrowRight');
    await page.locator('.map-box').focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowRight');
    await poll(() => textOf(page.locator('.readout p').first())).toMatch(/^▁upon → ▁Once\s+0\.\d+$/);
    await page.keyboard.press('?');
    await page.getByRole('dialog').waitFor();
    await page.keyboard.press('Escape');
    await poll(() => page.getByRole('dialog').count()).toBe(0);
    expect(problems).toEqual([]);
  });

  it('takes the next key as soon as a dialog is gone, gives the focus back, and keeps keys from what is behind it', async () => {
    const page = await visit(withText());
    await shown(page).waitFor();
    const open = page.getByRole('button', { name: 'Open model…' });
    await open.focus();
    for (let round = 0; round < 20; round++) {
      await page.keyboard.press('?');
      await page.getByRole('dialog', { name: 'Keys and settings' }).waitFor();
      await page.keyboard.press('Escape');
      await page.keyboard.press('o');
      await page.getByRole('dialog', { name: 'Open a model' }).waitFor();
      await page.keyboard.press('2');
      await page.getByRole('button', { name: 'Close', exact: true }).click();
      expect(await page.getByRole('dialog').count()).toBe(0);
      expect(await page.evaluate('document.activeElement.textContent')).toBe('Open model…');
    }
    await shown(page).waitFor();
    expect(problems).toEqual([]);
  });

  it('recomputes without a token that is hidden: nobody looks at it, and the others get its part', async () => {
    const page = await visit(withText('&query=6'));
    await page.locator('.readout tbody tr').first().waitFor();
    const before = await readWeights(page);
    expect(before['<s>']).toBeGreaterThan(0);
    await page.getByRole('button', { name: 'Hide <s> from attention' }).click();
    await poll(async () => (await readWeights(page))['<s>']).toBe(undefined);
    const after = await readWeights(page);
    expect(Object.values(after).reduce((a, b) => a + b)).toBeCloseTo(1, 2);
    expect(await textOf(page.locator('.edits li'))).toContain('<s>');
    await page.getByRole('button', { name: 'Undo', exact: true }).click();
    await poll(() => readWeights(page)).toEqual(before);
  });

  it('brings the same state back from its address', async () => {
    const page = await visit(withText());
    await shown(page).waitFor();
    await page.locator('[data-at="2.4"]').click();
    await page.getByRole('tab', { name: 'Map' }).click();
    await page.getByRole('button', { name: 'Silence head' }).click();
    await page.getByLabel('Pieces grouped to words').check();
    await page.getByRole('combobox', { name: 'Language' }).selectOption('zh');
    await page.getByLabel('文本', { exact: true }).fill('Tom and مرحبا 你好 🙂');
    await poll(() => hash(page).get('text')).toBe('Tom and مرحبا 你好 🙂');
    const address = page.url();
    const { search } = new URL(address);
    expect(search, 'nothing of it is sent to a server').toBe('');

    const again = await visit(new URL(address).hash);
    await again.locator('.map-box').waitFor();
    expect(await again.getByLabel('文本', { exact: true }).inputValue()).toBe('Tom and مرحبا 你好 🙂');
    expect(await textOf(again.locator('.picture h2'))).toContain('第 2 层 · 第 4 头');
    expect(await textOf(again.locator('.edits li'))).toContain('layers.2.attention 第 4 头');
    expect(await again.getByLabel('把词的碎片合成词').isChecked()).toBe(true);
    await poll(() => new URL(again.url()).hash).toBe(new URL(address).hash);
    expect(problems).toEqual([]);
  });

  it('leaves out what is no state in an address', async () => {
    const page = await visit(
      withText('&head=-1&min=7&view=nothing&at=none&query=99999&edits=heads=<b>:x;score=-1&lang=xx'),
    );
    await shown(page).waitFor();
    expect(await textOf(page.locator('.picture h2'))).toContain('Layer 0 · head 0');
    expect(await page.locator('.edits').count()).toBe(0);
    expect(problems).toEqual([]);
  });

  it('takes typed text back in one step, and shows tokens as text', async () => {
    const page = await visit(withText());
    await shown(page).waitFor();
    const field = page.getByLabel('Text', { exact: true });
    await field.fill('');
    await field.pressSequentially('<img src=x onerror=alert(1)>');
    await poll(() => textOf(page.locator('.token-column').first())).toContain('<');
    expect(await page.locator('.token-column img').count()).toBe(0);
    await page.getByRole('button', { name: 'Undo', exact: true }).click();
    await poll(() => field.inputValue()).toBe(text);
    expect(problems).toEqual([]);
  });

  it('saves pictures and their numbers', async () => {
    const page = await visit(withText('&attention.picture=map&head=3'));
    await page.locator('.map-box').waitFor();
    const menu = page.locator('.picture-tools .menu');
    const svg = await saved(page, menu, 'Picture as SVG');
    expect(svg.name).toBe('stories260K-layers.0.attention-head-3.svg');
    expect(svg.bytes.toString()).toMatch(/^<svg [\s\S]*layer 0 · head 3[\s\S]*<\/svg>\n$/);
    const png = await saved(page, menu, 'Picture as PNG');
    expect(png.bytes.subarray(1, 4).toString()).toBe('PNG');
    expect(png.bytes.readUInt32BE(16), 'width').toBeGreaterThan(400);
    const csv = await saved(page, menu, 'Numbers as CSV');
    const lines = csv.bytes.toString().trimEnd().split('\r\n');
    const json = JSON.parse((await saved(page, menu, 'Numbers as JSON')).bytes.toString());
    const { attention } = json;
    expect(attention).toMatchObject([{ kind: 'decoder', layer: 0, head: 3 }]);
    expect(attention[0].weights.length).toBe(attention[0].queryTokens.length);
    for (const row of attention[0].weights) expect(row.reduce((a: number, b: number) => a + b)).toBeCloseTo(1, 4);
    expect(lines.length).toBe(1 + attention[0].weights.length);
    expect(lines.at(-1)!.split(',').slice(-attention[0].keyTokens.length).map(Number)).toEqual(
      attention[0].weights.at(-1),
    );

    const grid = await saved(page, page.locator('.grid-box .menu'), 'Numbers as CSV');
    expect(grid.bytes.toString().split('\r\n').length).toBe(2 + 5 * 8 * attention[0].queryTokens.length ** 2);
    expect(problems).toEqual([]);
  });

  it('compares with the unedited model and with another text', async () => {
    const page = await visit(withText('&edits=heads=layers.0.attention:0:zero&at=layers.2.attention&query=6'));
    await shown(page).waitFor();
    await page.getByRole('combobox', { name: 'Compare with' }).selectOption('edits');
    await poll(() => page.locator('.picture').count()).toBe(2);
    expect(await page.locator('.picture h2').allInnerTexts()).toEqual([
      'Edited Layer 2 · head 0',
      'Unedited Layer 2 · head 0',
    ]);
    await page.getByRole('combobox', { name: 'Compare with' }).selectOption('text');
    await page.getByRole('textbox', { name: 'Other text' }).fill('A dog ran.');
    await poll(() => textOf(page.locator('.picture').nth(1).locator('.token-column').first())).toContain('do');
    expect(problems).toEqual([]);
  });

  it('reads the second text of a pair as Node does, and draws the links between the two', async () => {
    await using runtime = await createNodeRuntime({ threads: 1 });
    const { model, arena, tokenizer } = await loadPretrained(nodeStorage(join(models.folder, 'bert')));
    using inspection = new Inspection({ runtime, model, parameters: arena.tensors });
    const { ids, typeIds } = tokenizer!.encode('where is the cat', { pair: 'it sat on a mat' });
    const [map] = await attentionMaps(inspection, { ids, segments: typeIds });
    const [head, query] = [2, 3];
    const second = typeIds.indexOf(1);
    const row = Array.from(ids, (_, key) => Number(map!.weights.data[(head * ids.length + query) * ids.length + key]));
    const largest = (weights: readonly number[]): number[] => weights.toSorted((a, b) => b - a).slice(0, 10);
    const page = await visit(`#model=served:bert&text=where%20is%20the%20cat&head=${head}`, {}, serving);
    await shown(page).waitFor();
    const sentences = page.getByLabel('Texts of the pair');
    expect(await sentences.count()).toBe(0);
    const columns = (at: number): Promise<string[]> =>
      page.locator('.token-column').nth(at).locator('button').allInnerTexts();
    await page.getByLabel('Second text (optional)').fill('it sat on a mat');
    await poll(async () => (await columns(1)).length).toBe(ids.length);
    await page.locator('.token-column').first().locator('button').nth(query).click();
    const read = async (): Promise<number[]> =>
      (await page.locator('.readout tbody tr:not(.muted) .number').allInnerTexts()).map(Number);
    const near = (expected: readonly number[]) => expected.map((weight) => expect.closeTo(weight, 3));
    await poll(read).toEqual(near(largest(row)));
    expect(hash(page).get('pair')).toBe('it sat on a mat');

    await sentences.selectOption('first → second');
    await poll(read).toEqual(near(largest(row.slice(second))));
    await poll(() => columns(0)).toEqual(['[CLS]', 'where', 'is', 'the', 'cat', '[SEP]']);
    await poll(() => columns(1)).toEqual(['it', 'sat', 'on', 'a', 'mat', '[SEP]']);
    await page.getByRole('button', { name: 'Undo', exact: true }).click();
    await poll(async () => (await columns(1)).length).toBe(second);
    expect(await page.getByLabel('Second text (optional)').inputValue()).toBe('');
    expect(problems).toEqual([]);
  });

  it('shows a translator: its encoder, its decoder, and the cross-attention to the source', async () => {
    const page = await visit('#model=served:marian&text=I%20like%20music.', {}, serving);
    await shown(page).waitFor();
    const columns = (at: number): Promise<string[]> =>
      page.locator('.token-column').nth(at).locator('button').allInnerTexts();
    expect(await page.getByRole('tab', { name: 'Cross' }).getAttribute('aria-selected')).toBe('true');
    const source = await columns(1);
    expect(source.join('').replaceAll('▁', '')).toContain('music');
    expect(source.at(-1)).toBe('</s>');

    await page.getByLabel('Translation').fill('the');
    await poll(async () => (await columns(0)).join('')).toContain('the');
    const target = await columns(0);
    await poll(() => columns(1)).toEqual(source);
    await page.getByRole('tab', { name: 'Decoder self' }).click();
    await poll(() => columns(0)).toEqual(target);
    await poll(() => columns(1)).toEqual(target);
    await page.getByRole('tab', { name: 'Encoder self' }).click();
    await poll(() => columns(0)).toEqual(source);
    expect(problems).toEqual([]);
  });

  it('offers what the command line serves, opens it first, and compares two models', async () => {
    const page = await visit('', {}, serving);
    await poll(() => hash(page).get('model')).toMatch(/^served:/);
    await page.getByRole('button', { name: 'Open model…' }).click();
    await page.getByRole('button', { name: /^bert\b(?!-)/ }).click();
    await page.getByLabel('Text', { exact: true }).fill('我吃苹果。');
    const tokens = (): Promise<string[]> => page.locator('.token-column').first().locator('button').allInnerTexts();
    await poll(async () => (await tokens()).length).toBe(7);
    expect([(await tokens()).at(0), (await tokens()).at(-1)]).toEqual(['[CLS]', '[SEP]']);

    await page.getByRole('combobox', { name: 'Compare with' }).selectOption('model');
    await page
      .getByRole('dialog')
      .getByRole('button', { name: /^stories260K/ })
      .first()
      .click();
    await poll(() => page.locator('.picture').count()).toBe(2);
    await poll(() => textOf(page.locator('.picture h2').nth(1))).toContain('stories260K');
    await poll(() => page.locator('.picture').nth(1).locator('button.token').count()).toBeGreaterThan(0);
  });

  it('opens files that are chosen, and says in words what is wrong with others', async () => {
    const page = await visit(withText());
    await shown(page).waitFor();
    const files = readdirSync(storyTeller).map((name) => ({
      name,
      mimeType: 'application/octet-stream',
      buffer: readFileSync(join(storyTeller, name)),
    }));
    await page.getByRole('button', { name: 'Open model…' }).click();
    await page.locator('input[data-test=files]').setInputFiles(files);
    await poll(() => hash(page).get('model')).toMatch(/^files:/);
    await shown(page).waitFor();

    const broken = files.map((file) =>
      file.name === 'config.json' ? { ...file, buffer: Buffer.from('{"a":') } : file,
    );
    await page.getByRole('button', { name: 'Open model…' }).click();
    await page.locator('input[data-test=files]').setInputFiles(broken);
    const alert = page.getByRole('alert');
    await alert.waitFor();
    expect(await textOf(alert)).toContain('A file of the model is missing, damaged, or not what the others say.');
    expect(await textOf(alert)).toContain('config.json');
    await page.getByRole('button', { name: 'Undo', exact: true }).click();
    await shown(page).waitFor();

    // A link cannot bring files.
    const other = await visit('#model=files:mine&text=a');
    await other.getByRole('alert').waitFor();
    expect(await textOf(other.getByRole('alert'))).toContain('The files of mine are not in the link.');
    await other.getByRole('button', { name: 'Try again' }).click();
    await other.getByRole('dialog', { name: 'Open a model' }).waitFor();
    await other.getByLabel('Name on the hub').fill('no name');
    await other.keyboard.press('Enter');
    expect(await textOf(other.getByRole('dialog').getByRole('alert'))).toContain('org/name');
  });

  it('says what is wrong where a text is too long, and goes on with a shorter one', async () => {
    const page = await visit(withText());
    await shown(page).waitFor();
    const field = page.getByLabel('Text', { exact: true });
    await field.fill('a dog ran. '.repeat(300));
    await page.getByRole('alert').waitFor();
    expect(await textOf(page.getByRole('alert'))).toMatch(/tokens/);
    await field.fill('A dog.');
    await poll(() => page.getByRole('alert').count()).toBe(0);
    await poll(() => textOf(page.locator('.token-column').first())).toContain('do');
  });

  it.each([
    ['light', 'en'],
    ['dark', 'en'],
    ['light', 'zh'],
    ['dark', 'zh'],
  ] as const)('leaves axe nothing to find: %s, %s', async (colorScheme, lang) => {
    const page = await visit(
      withText(`&lang=${lang}&attention.compare=edits&query=5&edits=heads=layers.1.attention:1:zero;hidden=t1`),
      { colorScheme },
    );
    await shown(page).nth(1).waitFor();
    expect(await accessibility(page)).toEqual([]);
    await page.locator('#attention-picture-tab-map').click();
    expect(await accessibility(page)).toEqual([]);
    await page.keyboard.press('?');
    await page.getByRole('dialog').waitFor();
    expect(await accessibility(page)).toEqual([]);
    await page.keyboard.press('Escape');
    await poll(() => page.getByRole('dialog').count()).toBe(0);
    await page.keyboard.press('o');
    await page.locator('.model-list li').first().waitFor();
    expect(await accessibility(page)).toEqual([]);
    const language = await page.evaluate('document.documentElement.lang');
    expect(language).toBe(lang === 'zh' ? 'zh-Hans' : 'en');
    expect(problems).toEqual([]);
  });

  it('fits a phone: nothing is wider than the screen', async () => {
    const page = await visit(withText(), { viewport: { width: 360, height: 740 } });
    await shown(page).waitFor();
    for (const tab of ['map', 'lines']) {
      await page.locator(`#attention-picture-tab-${tab}`).click();
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(360);
    }
    expect(await accessibility(page)).toEqual([]);
  });

  it('draws only what is on the screen of 512 tokens', async () => {
    const page = await visit(`#model=shipped:stories260K&text=${encodeURIComponent('a '.repeat(240))}`);
    await shown(page).waitFor();
    const canvas = await page
      .locator('.lines .under')
      .evaluate((element) => (element as unknown as { height: number }).height);
    expect(await page.locator('.token-column').first().locator('button').count()).toBeGreaterThan(200);
    expect(canvas).toBeLessThan(1200);
  });

  it('has less than 300 kB of scripts and styles, compressed, without ONNX Runtime', () => {
    const folder = join(built.folder, 'assets');
    const files = readdirSync(folder).filter((name) => /\.(js|css)$/.test(name));
    const own = files.filter((name) => !name.startsWith('ort.'));
    const bytes = own.reduce((sum, name) => sum + gzipSync(readFileSync(join(folder, name))).length, 0);
    expect(files.length).toBeGreaterThan(own.length);
    expect(bytes).toBeLessThan(300_000);
    expect(existsSync(join(built.folder, 'ort/ort-wasm-simd-threaded.wasm'))).toBe(true);
    expect(statSync(join(built.folder, 'models/stories260K/model.safetensors')).size).toBeGreaterThan(500_000);
  });

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
