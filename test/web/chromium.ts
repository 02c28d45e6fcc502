import { existsSync } from 'node:fs';
import { type Browser, chromium, type Page } from 'playwright-core';
import { describe } from 'vitest';

const usual = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
];

/** The browser of these tests: that of the environment variable CHROMIUM, or one at a usual place. */
export const chromiumPath: string | undefined = process.env['CHROMIUM'] ?? usual.find((path) => existsSync(path));

/** For tests, and hooks that bundle a page and start a browser, in ms: a machine may have other work. */
export const patience = 240_000;

/** `describe` where there is a Chromium; elsewhere its tests are skipped, and the name says why. */
export function describeInChromium(name: string, tests: () => void): void {
  if (chromiumPath === undefined) describe.skip(`${name} (skipped: no Chromium; CHROMIUM=PATH names one)`, tests);
  else describe(name, { timeout: patience }, tests);
}

/** WebGPU in software, which Chromium brings along: slow, and there on every machine. */
export const softwareGpu: readonly string[] = [
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--enable-features=Vulkan',
  '--use-vulkan=swiftshader',
];

export function launchChromium(args: readonly string[] = []): Promise<Browser> {
  return chromium.launch({ executablePath: chromiumPath!, args: ['--no-sandbox', ...args] });
}

/**
 * A page at an address, in a profile of its own (storage included). Whatever the page throws unseen, or writes to the console as
 * an error, is in `problems`.
 */
export async function openPage(browser: Browser, url: string): Promise<{ page: Page; problems: string[] }> {
  const page = await (await browser.newContext()).newPage();
  const problems: string[] = [];
  page.on('pageerror', (error) => problems.push(String(error)));
  page.on('console', (message) => {
    if (message.type() === 'error') problems.push(message.text());
  });
  await page.goto(url);
  return { page, problems };
}
