import type { Page } from 'playwright-core';

/** Calls a function of a suite in the page, in its worker, or on the page's engine, once the page has it; arguments and result are JSON. */
export async function callSuite<T>(
  page: Page,
  where: 'page' | 'worker' | 'engine' | 'storage',
  name: string,
  ...args: unknown[]
): Promise<T> {
  await page.waitForFunction('globalThis.suites !== undefined');
  return page.evaluate(`suites.${where}.${name}(...${JSON.stringify(args)})`);
}
