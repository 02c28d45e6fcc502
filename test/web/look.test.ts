import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type WatchEvent, watchEvents } from '../../apps/web/src/watch/events.ts';
import { captureAttention, headWeights } from '../../src/inspect/attention.ts';
import { openModel } from '../../src/pretrained/openModel.node.ts';
import { createReferenceRuntime } from '../../src/runtime/reference/reference.ts';
import { look } from '../cli/lookServer.ts';
import { type Models, makeModels } from '../cli/models.ts';
import { qkv, root } from '../cli/qkv.ts';
import { trainWatched } from '../cli/trainWatched.ts';
import { TinyRecipe } from '../train/tinyRecipe.ts';
import { describeInChromium, launchChromium, openPage } from './chromium.ts';
import { poll } from './visit.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

describeInChromium('qkv look in a browser', () => {
  let models: Models;
  let browser: Browser;
  let folder: string;
  beforeAll(async () => {
    models = makeModels();
    browser = await launchChromium();
    folder = mkdtempSync(join(tmpdir(), 'qkv-html-'));
  });
  afterAll(async () => {
    await browser?.close();
    models?.[Symbol.dispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  /** The weights of the cross-attention of the last layer, of one head and one token of the target: largest first. */
  async function crossWeights(source: string, target: string, head: number, query: number): Promise<number[]> {
    const { model, arena, tokenizer } = await openModel(models.marian);
    await using runtime = createReferenceRuntime();
    const ids = (text: string) => tokenizer!.encode(text).ids;
    const layers = await captureAttention({ runtime, model, parameters: arena.tensors }, ids(source), ids(target));
    const last = layers.findLast(({ kind }) => kind === 'cross')!;
    const row = headWeights(last, head).subarray(query * last.keyIds.length, (query + 1) * last.keyIds.length);
    return [...row].sort((a, b) => b - a).slice(0, 10);
  }

  async function shownWeights(page: Page): Promise<number[]> {
    await page.locator('.readout tbody tr').first().waitFor();
    return (await page.locator('.readout tbody tr:not(.muted) .number').allInnerTexts()).map(Number);
  }

  it('opens the model that is served, in a page that has threads and keeps to its policy', async () => {
    const [source, target] = ['Where is it?', 'the way.'];
    await using server = await look([models.marian, source, '--target', target, '--page', '--port', '0']);
    const { page, problems } = await openPage(browser, `${server.line}&head=2&query=3`);
    const found = await shownWeights(page);
    const expected = await crossWeights(source, target, 2, 3);
    expect(found).toHaveLength(expected.length);
    for (const [i, weight] of found.entries()) expect(weight).toBeCloseTo(expected[i]!, 3);
    expect(await page.evaluate('crossOriginIsolated')).toBe(true);
    expect(await page.locator('.model-name strong').textContent()).toBe('marian');
    expect(problems).toEqual([]);
  });

  it('writes a file that shows the same without a server, and asks nobody', async () => {
    const [source, target] = ['Where is it?', 'the way.'];
    const out = join(folder, 'attention.html');
    const run = await qkv(['look', models.marian, source, '--target', target, '--out', out]);
    expect(run).toMatchObject({ code: 0, stdout: `${out}\n` });
    const state = new URLSearchParams({ text: source, target, head: '2', query: '3' });
    const context = await browser.newContext({ locale: 'en-GB', offline: true });
    const page = await context.newPage();
    const [problems, requests]: [string[], string[]] = [[], []];
    page.on('pageerror', (error) => problems.push(String(error)));
    page.on('console', (message) => problems.push(message.text()));
    page.on('request', (request) => requests.push(request.url()));
    await page.goto(`${pathToFileURL(out)}#${state}`);
    const found = await shownWeights(page);
    const expected = await crossWeights(source, target, 2, 3);
    expect(found).toHaveLength(expected.length);
    for (const [i, weight] of found.entries()) expect(weight).toBeCloseTo(expected[i]!, 3);

    // every layer and head; nothing that a model would be needed for
    await page.getByRole('tab', { name: 'Encoder self' }).click();
    await poll(() => page.getByRole('gridcell').count()).toBe(2 * 4);
    await page.locator('[role=gridcell][tabindex="0"]').focus();
    await page.keyboard.press('x');
    await page.keyboard.press('ArrowRight');
    expect(await page.locator('[data-edit]').count()).toBe(0);
    for (const name of [/silence/i, /^Hide/, /Compare/]) {
      expect(await page.getByRole('button', { name }).count()).toBe(0);
    }
    await page.locator('.picture').getByRole('button', { name: 'Save' }).click();
    const coming = page.waitForEvent('download');
    await page.locator('.picture').getByRole('button', { name: 'PNG' }).click();
    expect(
      readFileSync(await (await coming).path())
        .subarray(1, 4)
        .toString(),
    ).toBe('PNG');
    await page.getByLabel('Language').selectOption('zh');
    expect(await page.locator('dt').allInnerTexts()).toEqual(['原文', '译文']);
    await poll(() => page.title()).toBe('marian 的注意力');
    expect(requests.filter((url) => !/^(data|blob):/.test(url))).toEqual([`${pathToFileURL(out)}`]);
    expect(problems).toEqual([]);
    await context.close();
  });

  it('shows texts of any kind as text, to everyone', async () => {
    const out = join(folder, 'any.html');
    const text = '</script><script>document.title = "broken"</script><!-- <b>&amp;</b> مرحبا 🙂 你好 $& \u2028';
    expect(await qkv(['look', join(root, 'models/stories260K'), text, '--out', out])).toMatchObject({ code: 0 });
    const context = await browser.newContext({ locale: 'zh-CN' });
    const page = await context.newPage();
    const problems: string[] = [];
    page.on('pageerror', (error) => problems.push(String(error)));
    page.on('console', (message) => problems.push(message.text()));
    await page.goto(String(pathToFileURL(out)));
    await page.locator('.token-column button').first().waitFor();
    expect(await page.locator('dd').first().textContent()).toBe(text);
    await poll(() => page.title()).toBe('stories260K 的注意力');
    await page.evaluate(axe);
    for (const scheme of ['light', 'dark'] as const) {
      await page.emulateMedia({ colorScheme: scheme });
      const { violations } = await page.evaluate<{ violations: { id: string; nodes: { html: string }[] }[] }>(
        'axe.run(document, { resultTypes: ["violations"] })',
      );
      expect(violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html}`)).toEqual([]);
    }
    // a script that someone puts in does not run
    await page.evaluate(`{
      const script = document.createElement('script');
      script.textContent = 'document.title = "run"';
      document.body.append(script);
    }`);
    expect(await page.title()).toBe('stories260K 的注意力');
    expect(problems.filter((problem) => !problem.includes('Content Security Policy'))).toEqual([]);
    await context.close();
  });

  it('tells a page of a run that is trained, as the browser reads events', async () => {
    using tiny = new TinyRecipe();
    const { address, closed } = await trainWatched([tiny.file('translation'), '--set', `output=${tiny.output}`]);
    const { page, problems } = await openPage(browser, address);
    const told = await page.evaluate<{ events: WatchEvent[]; frame: number }>(`new Promise((done) => {
      const events = [];
      let frame;
      const source = new EventSource('${watchEvents}');
      source.onmessage = async ({ data }) => {
        const event = JSON.parse(data);
        events.push(event);
        if (event.kind === 'attention') frame ??= fetch('watch/attention/' + event.step).then((got) => got.arrayBuffer());
        if (event.kind !== 'end') return;
        source.close();
        done({ events, frame: (await frame).byteLength });
      };
    })`);
    expect(await closed).toBe(0);
    const [first] = told.events;
    if (first?.kind !== 'run') throw new Error('no run');
    const { shape, offset } = first.text!.maps.at(-1)!;
    expect(told.frame).toBe(4 * (offset + shape[0] * shape[1] * shape[2]));
    expect(told.events.at(-1)).toMatchObject({ kind: 'end', reason: 'steps', step: 24 });
    const lines = told.events.filter(
      (event) => ['step', 'validation'].includes(event.kind) && !('isLogged' in event && !event.isLogged),
    );
    expect(lines.map(({ kind: _, ...line }) => (line as { step: number }).step)).toEqual(
      tiny.metrics().map(({ step }) => step),
    );
    expect(problems).toEqual([]);
  });
});
