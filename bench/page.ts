import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { claimsOf, compileKeyMap } from '../src/checkpoint/keyMap.ts';
import { encodeHeader, type TensorLayout } from '../src/checkpoint/safetensorsHeader.ts';
import { declarationsOf } from '../src/models/declarations.ts';
import { parseModel } from '../src/models/registry.ts';
import { tokenizerFiles } from '../src/tokenizer/tokenizerFiles.ts';
import { trainBpe } from '../src/tokenizer/trainBpe.ts';
import { buildSite } from '../test/web/buildSite.ts';
import { launchChromium } from '../test/web/chromium.ts';
import { servePage } from '../test/web/pageServer.ts';
import { statistics } from './measure.ts';

const TOKENS = 128;
const config = {
  model_type: 'gpt2',
  vocab_size: 97,
  n_positions: 512,
  n_embd: 192,
  n_layer: 12,
  n_head: 12,
};

/** What a person does, as a script of the page that does it. */
const actions: Readonly<Record<string, string>> = {
  next_head_lines_ms: `focused('[role=gridcell][tabindex="0"]'); key('ArrowRight')`,
  point_at_token_ms: `document.querySelectorAll('.token-column button')[20 + Math.floor(Math.random() * 60)]
    .dispatchEvent(new MouseEvent('mouseover', { bubbles: true }))`,
  all_heads_lines_ms: `document.querySelectorAll('.filters input[type=checkbox]')[0].click()`,
  threshold_ms: `const slider = document.querySelector('.filters input[type=range]');
    slider.value = Math.random() / 2; slider.dispatchEvent(new Event('input', { bubbles: true }))`,
  group_words_ms: `document.querySelectorAll('.filters input[type=checkbox]')[1].click()`,
};
const mapActions: Readonly<Record<string, string>> = {
  next_head_map_ms: `focused('[role=gridcell][tabindex="0"]'); key('ArrowRight')`,
  cursor_ms: `focused('.map-box'); key('ArrowRight')`,
};

/**
 * The page in Chromium: from its address to the first picture of the story teller, each time in a fresh profile; and how long what a person does
 * takes until it is drawn, for 12 layers of 12 heads on 128 tokens, waiting for the next two frames included (33 ms where nothing is slow).
 */
export async function benchPage(repetitions: number): Promise<object> {
  const models = randomModel();
  await using built = await buildSite();
  await using server = await servePage({ 'served/': models, '': built.folder }, { isIsolated: true });
  const browser = await launchChromium();
  try {
    const first: number[] = [];
    for (let i = 0; i < repetitions; i++) {
      const context = await browser.newContext();
      const page = await context.newPage();
      const start = performance.now();
      await page.goto(`${server.url}#model=shipped:stories260K&text=Once%20upon%20a%20time%20there%20was%20a%20girl`);
      await page.locator('.lines-box').waitFor();
      first.push(performance.now() - start);
      await context.close();
    }
    const page = await browser.newPage({ viewport: { width: 1440, height: 900 } });
    const text = 'the quick brown fox jumps over a lazy dog and '.repeat(9).slice(0, TOKENS);
    await page.goto(`${server.url}#model=served:random&text=${encodeURIComponent(text)}`);
    await page.locator('.lines-box').waitFor({ timeout: 120_000 });
    await page.waitForTimeout(2000);
    const times: Record<string, object> = { first_picture_ms: statistics(first) };
    for (const [name, action] of Object.entries(actions)) times[name] = await measured(page, action, 3 * repetitions);
    await page.locator('#attention-picture-tab-map').click();
    for (const [name, action] of Object.entries(mapActions))
      times[name] = await measured(page, action, 3 * repetitions);
    return { tokens: TOKENS, layers: config.n_layer, heads: config.n_head, ...times };
  } finally {
    await browser.close();
    await rm(models, { recursive: true });
  }
}

async function measured(page: Page, action: string, repetitions: number): Promise<object> {
  const script = `(async () => {
    const focused = (selector) => document.querySelector(selector).focus();
    const key = (key) => document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true }));
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    await frame();
    const start = performance.now();
    ${action};
    await frame();
    await frame();
    return performance.now() - start;
  })()`;
  const times: number[] = [];
  for (let i = 0; i < repetitions; i++) times.push(await page.evaluate<number>(script));
  return statistics(times);
}

/** A folder as `served/` with a GPT-2 of random weights, large enough that its heads look at something. */
function randomModel(): string {
  const folder = mkdtempSync(join(tmpdir(), 'qkv-bench-page-'));
  const path = join(folder, 'random');
  mkdirSync(path);
  const model = parseModel(config);
  const layouts = claimsOf(compileKeyMap(model.keyMap), declarationsOf(model)).map(
    ({ key, shape }): TensorLayout => ({ name: key, dtype: 'F32', shape }),
  );
  const { head } = encodeHeader(layouts, {});
  const count = layouts.reduce((sum, { shape }) => sum + shape.reduce((a, b) => a * b, 1), 0);
  let state = 1;
  const values = Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0; // Numerical Recipes' generator: any will do
    return (state / 2 ** 32 - 0.5) * 0.4;
  });
  writeFileSync(join(path, 'config.json'), JSON.stringify(config));
  writeFileSync(join(path, 'model.safetensors'), Buffer.concat([head, Buffer.from(values.buffer)]));
  const characters = String.fromCharCode(9, 10, ...Array.from({ length: 95 }, (_, i) => i + 32));
  const json = trainBpe([characters], { kind: 'char' });
  const files = tokenizerFiles(json, { specialTokens: {}, modelMaxLength: config.n_positions });
  for (const [name, content] of Object.entries(files)) writeFileSync(join(path, name), content);
  const list = [{ name: 'random', files: ['config.json', 'model.safetensors', ...Object.keys(files)] }];
  writeFileSync(join(folder, 'index.json'), JSON.stringify(list));
  return folder;
}
