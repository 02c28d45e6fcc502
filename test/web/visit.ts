import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import type { Browser, Locator, Page } from 'playwright-core';
import { expect } from 'vitest';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Looks again and again until it is as expected: a page on a busy machine takes its time. */
export const poll = <T>(look: () => T) => expect.poll(look, { timeout: 60_000 });

/** A page at an address, English and 1280 px wide where nothing else is said. What goes wrong in it unseen is in `problems`. */
export async function visit(
  browser: Browser,
  url: string,
  options: Parameters<Browser['newContext']>[0] = {},
): Promise<{ readonly page: Page; readonly problems: readonly string[] }> {
  const problems: string[] = [];
  const context = await browser.newContext({ locale: 'en-GB', viewport: { width: 1280, height: 900 }, ...options });
  context.on('page', (page) => {
    page.setDefaultTimeout(120_000);
    page.on('pageerror', (error) => problems.push(String(error)));
    page.on('console', (message) => {
      if (message.type() === 'error' || /Content.Security.Policy/i.test(message.text())) problems.push(message.text());
    });
  });
  const page = await context.newPage();
  await page.goto(url);
  return { page, problems };
}

interface Violation {
  readonly id: string;
  readonly nodes: readonly { readonly html: string }[];
}

/** What axe finds against WCAG 2.2 AA and its own good practice. */
export async function accessibility(page: Page): Promise<string[]> {
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

/** As a person reads it, without what is hidden. */
export function textOf(locator: Locator): Promise<string> {
  // biome-ignore lint/performance/useDomNodeTextContent: that has what is hidden too
  return locator.innerText();
}

/** Whether the page can be scrolled sideways. */
export function isTooWide(page: Page): Promise<boolean> {
  return page.evaluate<boolean>('document.documentElement.scrollWidth > document.documentElement.clientWidth');
}

export interface SavedChart {
  readonly series: readonly {
    readonly name: string;
    readonly points: readonly {
      readonly x: number;
      readonly y: number;
      readonly low?: number;
      readonly high?: number;
    }[];
  }[];
}

/** The numbers of a chart as a person saves them. */
export async function savedChart(page: Page, chart: Locator): Promise<SavedChart> {
  await chart.getByRole('button', { name: /^(Save|保存)/ }).click();
  const coming = page.waitForEvent('download');
  await chart.getByRole('button', { name: /JSON/ }).click();
  return JSON.parse(readFileSync(await (await coming).path(), 'utf8')) as SavedChart;
}
