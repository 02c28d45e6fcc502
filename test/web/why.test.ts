import { globSync, readFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { valueText } from '../../apps/web/src/ui/chart/valueText.ts';
import { drawScores, entropy, KEYS, softmax } from '../../apps/web/src/views/why/drawScores.ts';
import { sinusoidalPositions } from '../../src/nn/positions.ts';
import type { Both, Findings } from '../../src/why/experiment.ts';
import { figure } from '../../src/why/figures.ts';
import type { BuiltPage } from './buildPage.ts';
import { buildSite } from './buildSite.ts';
import { describeInChromium, launchChromium } from './chromium.ts';
import { type PageServer, servePage } from './pageServer.ts';
import { accessibility, isTooWide, poll, savedChart, textOf, visit } from './visit.ts';

const folder = resolve(import.meta.dirname, '../../docs/why');
const stored = globSync('*.json', { cwd: folder }).map((file) => basename(file, '.json'));
const plain = (text: string): string => text.replaceAll(/[`*]|\]\([^)]*\)|\[/g, '').replaceAll(/\s+/g, ' ');

describeInChromium('Why', () => {
  let built: BuiltPage;
  let server: PageServer;
  let browser: Browser;
  beforeAll(async () => {
    built = await buildSite();
    server = await servePage({ '': built.folder }, { isIsolated: true });
    browser = await launchChromium();
  }, 240_000);
  afterAll(async () => {
    await browser?.close();
    await server?.[Symbol.asyncDispose]();
    await built?.[Symbol.asyncDispose]();
  });

  async function open(name: string, options: Parameters<typeof visit>[2] = {}) {
    const visited = await visit(browser, `${server.url}#view=why&why=${name}`, options);
    await visited.page.locator('.why-text').waitFor();
    return visited;
  }
  const findingsOf = (name: string): Findings => JSON.parse(readFileSync(`${folder}/${name}.json`, 'utf8')) as Findings;
  const pageText = async (page: Page): Promise<string> => plain(await textOf(page.locator('#why-experiment')));

  it.each(stored)('shows the findings of %s, every number as it was stored, in both languages', async (name) => {
    const findings = findingsOf(name);
    for (const [language, locale] of [
      ['en', 'en-GB'],
      ['zh', 'zh-CN'],
    ] as const) {
      const say = (both: Both): string => both[language];
      const { page, problems } = await open(name, { locale });
      const text = await pageText(page);
      for (const claim of findings.claims) {
        expect(text).toContain(plain(say(claim.text)));
        expect(text).toContain(plain(say(claim.evidence)));
      }
      for (const caveat of findings.caveats) expect(text).toContain(plain(say(caveat)));
      for (const chart of findings.charts) {
        const found = page
          .locator('.why-text .chart')
          .filter({ has: page.getByRole('heading', { name: say(chart.title), exact: true }) });
        const { series } = await savedChart(page, found);
        expect(series.map((one) => one.name)).toEqual(chart.series.map((one) => say(one.name)));
        expect(series.map(({ points }) => points)).toEqual(chart.series.map(({ points }) => points));
      }
      for (const table of findings.tables) {
        const found = page.getByRole('region', { name: say(table.title), exact: true });
        const cells = await found.locator('td').allInnerTexts();
        const expected = table.rows
          .flat()
          .map((cell) => (typeof cell === 'number' ? figure(cell) : typeof cell === 'string' ? cell : say(cell)));
        expect(cells.map((cell) => plain(cell).trim())).toEqual(expected.map((cell) => plain(cell).trim()));
      }
      expect(await page.locator('.why-matrix').count()).toBe(findings.matrices?.length ?? 0);
      expect(problems).toEqual([]);
      await page.context().close();
    }
  });

  it('reads a chart by keyboard, and switches its series and scales', async () => {
    const chart = findingsOf('scale').charts.find(({ name }) => name === 'variance')!;
    const { page } = await open('scale');
    const box = page.locator('.why-text .chart').first();
    const cursor = box.getByRole('slider');
    await cursor.focus();
    await page.keyboard.press('End');
    await page.keyboard.press('ArrowLeft');
    const spoken = (await cursor.getAttribute('aria-valuetext'))!;
    for (const { name, points } of chart.series) expect(spoken).toContain(`${name.en} ${valueText(points.at(-2)!.y)}`);
    const legend = await box.locator('.chart-legend li').allInnerTexts();
    expect(plain(legend.join(' '))).toContain(valueText(chart.series[0]!.points.at(-2)!.y));

    await box.locator('.chart-key').first().click();
    expect((await savedChart(page, box)).series.map(({ name }) => name)).toEqual(
      chart.series.slice(1).map(({ name }) => name.en),
    );
    const ticks = (): Promise<string[]> => box.locator('.chart-drawing text').allInnerTexts();
    const before = await ticks();
    await box.getByLabel('log y').click();
    await poll(ticks).not.toEqual(before);
  });

  it('scale: draws products and their softmax, by hand', async () => {
    const { page } = await open('scale');
    const shown = async (side: string): Promise<string[]> =>
      (await page.locator(`[data-side=${side}] dd`).allInnerTexts()).map((text) => text.split(/\s/)[0]!);
    for (const [index, width] of [
      [6, 64],
      [9, 512],
    ] as const) {
      await page.getByLabel('Width of a head').fill(String(index));
      const { products, mean, variance } = drawScores(width, 1);
      const first = Array.from(products.subarray(0, KEYS));
      const raw = softmax(first);
      const scaled = softmax(first.map((x) => x / Math.sqrt(width)));
      expect(await shown('raw')).toEqual([mean, variance, entropy(raw), Math.max(...raw)].map(valueText));
      expect((await shown('scaled'))[2]).toBe(valueText(entropy(scaled)));
      // the variance of q·k is about d_k, and 1 when it is scaled
      expect(variance / width).toBeCloseTo(1, 0);
    }
    const before = await shown('raw');
    await page.getByRole('button', { name: 'Draw again' }).click();
    await poll(() => shown('raw')).not.toEqual(before);
  });

  it('positions: the products of sinusoids over their distance', async () => {
    const { page } = await open('positions');
    await page.getByLabel(/^Width/).fill('1');
    await page.getByLabel('From position').fill('5');
    const { series } = await savedChart(page, page.locator('.why-try .chart'));
    const table = sinusoidalPositions(64, 16, 'interleaved').data;
    const { x, y } = series[0]!.points[20]!;
    expect(x).toBe(15);
    let product = 0;
    for (let i = 0; i < 16; i++) product += Number(table[5 * 16 + i]) * Number(table[20 * 16 + i]);
    expect(y).toBeCloseTo(product / 16, 10);
  });

  it('masks: cells are masked by hand, and rows add up to 1 over the rest', async () => {
    const { page } = await open('masks');
    const weights = async (row: number): Promise<number[]> =>
      (await page.locator('.why-weights tbody tr').nth(row).locator('td').allInnerTexts()).map(Number);
    await page.getByRole('button', { name: 'Causal (decoder)' }).click();
    expect((await weights(0)).slice(0, 5)).toEqual([1, 0, 0, 0, 0]);
    const [a, b] = [Math.exp(1.5), Math.exp(0.8)];
    expect((await weights(1)).slice(0, 2)).toEqual([a, b].map((x) => Number((x / (a + b)).toFixed(3))));
    // by keyboard: the second cell of the second row
    await page.locator('.why-cell[tabindex="0"]').focus();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('Enter');
    expect((await weights(1)).slice(0, 2)).toEqual([1, 0]);
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press(' ');
    expect(await textOf(page.locator('.why-weights tbody tr').nth(1))).toContain('all masked');
  });

  it('can be used by everyone, in both languages, light and dark, on a phone', async () => {
    for (const name of ['scale', 'positions', 'masks', 'heads']) {
      for (const options of [
        { locale: 'en-GB', colorScheme: 'dark', viewport: { width: 1280, height: 900 } },
        { locale: 'zh-CN', colorScheme: 'light', viewport: { width: 375, height: 800 } },
      ] as const) {
        const { page } = await open(name, options);
        expect(await accessibility(page), name).toEqual([]);
        expect(await isTooWide(page), name).toBe(false);
        await page.context().close();
      }
    }
  });
});
