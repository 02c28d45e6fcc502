import { join } from 'node:path';
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { trainWatched } from '../cli/trainWatched.ts';
import { TinyRecipe } from '../train/tinyRecipe.ts';
import type { BuiltPage } from './buildPage.ts';
import { buildSite } from './buildSite.ts';
import { describeInChromium, launchChromium } from './chromium.ts';
import { type PageServer, servePage } from './pageServer.ts';
import { accessibility, isTooWide, poll, type SavedChart, savedChart, textOf, visit } from './visit.ts';

describeInChromium('Train', () => {
  let built: BuiltPage;
  let server: PageServer;
  let browser: Browser;
  let tiny: TinyRecipe;
  beforeAll(async () => {
    built = await buildSite();
    server = await servePage({ '': built.folder }, { isIsolated: true });
    browser = await launchChromium();
    tiny = new TinyRecipe();
  }, 240_000);
  afterAll(async () => {
    await browser?.close();
    await server?.[Symbol.asyncDispose]();
    await built?.[Symbol.asyncDispose]();
    tiny?.[Symbol.dispose]();
  });

  const button = (page: Page, name: string): Locator => page.getByRole('button', { name, exact: true });
  const stage = (page: Page): Locator => page.locator('.run-stage');
  const loss = (page: Page): Promise<SavedChart> => savedChart(page, page.locator('.chart').first());
  /** Where the slider of a size is put: the index of one of its choices. */
  const choose = async (page: Page, sizes: Readonly<Record<string, number>>): Promise<void> => {
    for (const [name, index] of Object.entries(sizes)) await page.getByLabel(name).fill(String(index));
  };
  const ends = (page: Page): Promise<void> => stage(page).filter({ hasText: 'Done after' }).waitFor();
  const steps = async (page: Page): Promise<number> => Number(/step (\d+)/.exec(await textOf(stage(page)))?.[1]);
  /** 100 steps of 8 sequences of 48 tokens. */
  const sizes = { Layers: 1, Heads: 2, Width: 1, 'Block (tokens)': 2, Batch: 2, Steps: 2 };

  it('learns; a run that was broken off, gone on with, paused and gone on with is the unbroken one to the bit', async () => {
    const { page: whole, problems } = await visit(browser, `${server.url}#view=train`);
    await choose(whole, sizes);
    await button(whole, 'Start').click();
    await ends(whole);
    const expected = await loss(whole);
    const [training, validation] = ['Training', 'Validation'].map(
      (name) => expected.series.find((one) => one.name === name)!.points,
    );
    expect(training!.map(({ x }) => x)).toEqual(Array.from({ length: 100 }, (_, i) => i + 1));
    expect(training!.at(-1)!.y).toBeLessThan(training![0]!.y - 0.8);
    expect(validation!.at(-1)!.y).toBeLessThan(validation![0]!.y);
    await poll(() => textOf(whole.locator('.run-output').first())).not.toBe('');

    const { page } = await visit(browser, `${server.url}#view=train`);
    await choose(page, sizes);
    await button(page, 'Start').click();
    // a snapshot of a step, and then the page is gone
    await page.locator('.run-figures').filter({ hasText: 'Last snapshot' }).waitFor();
    await page.reload();
    await button(page, 'Go on').waitFor();
    const kept = await steps(page);
    expect(kept).toBeGreaterThan(0);
    expect(kept).toBeLessThan(100);
    await button(page, 'Go on').click();
    await button(page, 'Pause').click();
    await stage(page).filter({ hasText: 'Paused' }).waitFor();
    const paused = await steps(page);
    expect(paused).toBeGreaterThanOrEqual(kept);
    await page.reload();
    await button(page, 'Go on').waitFor();
    expect(await steps(page)).toBe(paused);
    await button(page, 'Go on').click();
    await ends(page);
    expect((await loss(page)).series).toEqual(expected.series);

    // the attention of every snapshot is there
    const time = page.getByLabel('Time');
    await time.focus();
    await page.keyboard.press('Home');
    await poll(() => time.getAttribute('aria-valuetext')).toBe('step 0');
    await button(page, 'Follow the newest').click();
    await poll(() => time.getAttribute('aria-valuetext')).toBe('step 100');

    // and the model can be looked into, after one more reload too
    await page.reload();
    await button(page, 'Look inside').click();
    await page.locator('.lines-box').waitFor();
    expect(await textOf(page.locator('.model-name strong'))).toBe('shakespeare-step-100');
    expect(await page.getByLabel('Text', { exact: true }).inputValue()).toBe('To be, or not to be');
    await poll(() => page.getByRole('gridcell').count()).toBe(2 * 4);
    await page.getByRole('tab', { name: 'Predict' }).click();
    await page.locator('.predict').waitFor();
    expect(problems).toEqual([]);
  });

  it('translates as it learns, and forgets a run that is discarded', async () => {
    const { page, problems } = await visit(browser, `${server.url}#view=train`);
    await page.getByLabel('Learns').selectOption('translation');
    await choose(page, { Layers: 0, Width: 0, Batch: 1, Steps: 0 });
    await button(page, 'Start').click();
    await ends(page);
    await poll(() => page.getByRole('group', { name: /cross-attention/ }).count()).toBe(1);
    await poll(() => textOf(page.locator('.run-sample').first())).toContain('a person: ');
    await button(page, 'Stop for good…').click();
    await button(page, 'Discard the run and its model').click();
    await button(page, 'Start').waitFor();
    await page.reload();
    await button(page, 'Start').waitFor();
    expect(problems).toEqual([]);
  });

  it('says what goes wrong in words: a short text, no space, another tab, one thread', async () => {
    const { page } = await visit(browser, `${server.url}#view=train`);
    await page.getByLabel('Learns').selectOption('own');
    await page.getByLabel('Your text').fill('too short');
    await button(page, 'Start').click();
    const alert = page.getByRole('alert');
    await alert.waitFor();
    expect(await textOf(alert)).toContain('9 characters');

    await page.getByLabel('Your text').fill('The quick brown fox jumps over the lazy dog. '.repeat(60));
    await choose(page, { ...sizes, Steps: 8 });
    const devtools = await page.context().newCDPSession(page);
    await devtools.send('Storage.overrideQuotaForOrigin', { origin: new URL(server.url).origin, quotaSize: 2000 });
    await button(page, 'Start').click();
    await page.locator('.warning').filter({ hasText: 'no space' }).waitFor();
    await devtools.send('Storage.overrideQuotaForOrigin', { origin: new URL(server.url).origin });

    const other = await page.context().newPage();
    await other.goto(`${server.url}#view=train`);
    await other.getByRole('button', { name: /^(Start|Go on)$/ }).click();
    await other.getByRole('alert').waitFor();
    expect(await textOf(other.getByRole('alert'))).toContain('another tab');

    await using plain = await servePage({ '': built.folder }, { isIsolated: false });
    const { page: alone } = await visit(browser, `${plain.url}#view=train`);
    await alone.locator('.warning').filter({ hasText: 'one thread' }).waitFor();
  });

  it('shows the run of qkv train --watch with the numbers of its metrics', async () => {
    const output = join(tiny.folder, 'watched');
    // long enough for a browser to come before it is over
    const settings = [`output=${output}`, 'train.steps=1500', 'train.validateEvery=150', 'train.saveEvery=500'];
    const { address, closed } = await trainWatched([
      tiny.file('language-model'),
      ...settings.flatMap((setting) => ['--set', setting]),
    ]);
    const { page, problems } = await visit(browser, address);
    await page.locator('.run-figures').waitFor();
    expect(await page.getByRole('tab', { name: 'The command line’s run' }).getAttribute('aria-selected')).toBe('true');
    await stage(page).filter({ hasText: 'Done: all steps' }).waitFor();
    expect(await closed).toBe(0);
    const metrics = tiny.metrics(output);
    const { series } = await loss(page);
    const points = (name: string) => series.find((one) => one.name === name)!.points;
    expect(points('Training')).toEqual(
      metrics.flatMap(({ step, loss: y }) => (y === undefined ? [] : [{ x: step, y }])),
    );
    expect(points('Validation')).toEqual(
      metrics.flatMap(({ step, validation }) => (validation ? [{ x: step, y: validation.loss }] : [])),
    );
    await poll(() => page.locator('.over-time-head').count()).toBe(2 * 2);
    expect(await page.locator('.run-output').count()).toBeGreaterThan(0);
    // the newest came too, though the process ended with it
    await poll(() => page.getByLabel('Time').getAttribute('aria-valuetext')).toBe('step 1,500');
    // the maps that came are still there when the server is gone
    await page.getByLabel('Time').fill('0');
    await poll(() => page.getByLabel('Time').getAttribute('aria-valuetext')).toBe('step 0');
    await page.locator('.labelled-heat').waitFor();
    expect(problems.filter((text) => !/ERR_|Failed to load/.test(text))).toEqual([]);
  });

  it('can be used by everyone, in both languages, light and dark, on a phone', async () => {
    for (const options of [
      { locale: 'en-GB', colorScheme: 'light', viewport: { width: 1280, height: 900 } },
      { locale: 'zh-CN', colorScheme: 'dark', viewport: { width: 375, height: 800 } },
    ] as const) {
      const { page } = await visit(browser, `${server.url}#view=train`, options);
      await page.locator('.settings').waitFor();
      await choose(page, options.locale === 'zh-CN' ? { 层数: 0, 步数: 0 } : { Layers: 0, Steps: 0 });
      expect(await accessibility(page)).toEqual([]);
      expect(await isTooWide(page)).toBe(false);
      await page.getByRole('button', { name: options.locale === 'zh-CN' ? '开始' : 'Start', exact: true }).click();
      await stage(page).filter({ hasText: /20/ }).waitFor();
      await page.locator('.labelled-heat').waitFor();
      expect(await accessibility(page)).toEqual([]);
      expect(await isTooWide(page)).toBe(false);
    }
  });
});
