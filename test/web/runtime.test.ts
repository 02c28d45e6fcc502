import { afterAll, beforeAll, expect, it } from 'vitest';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';
import { trainTiny } from '../runtime/trainTiny.ts';
import { type BuiltPage, buildPage } from './buildPage.ts';
import { callSuite } from './callSuite.ts';
import { describeInChromium, launchChromium, openPage, patience, softwareGpu } from './chromium.ts';
import type { Conformance } from './conformance.ts';
import { servePage } from './pageServer.ts';

/** Of float32 results, relative to the largest element of the tensor; the same as of the node runtime. */
const usual = 2e-6;

describeInChromium('the runtime in a page', () => {
  let built: BuiltPage;
  let losses: number[];
  beforeAll(async () => {
    built = await buildPage();
    await using runtime = await createNodeRuntime({ threads: 1, spinning: false });
    losses = await trainTiny(runtime);
  }, patience);
  afterAll(() => built?.[Symbol.asyncDispose]());

  it.each([
    { where: 'worker', isIsolated: true },
    { where: 'worker', isIsolated: false },
    { where: 'page', isIsolated: false },
  ] as const)('agrees with the reference and trains as Node does: %o', async ({ where, isIsolated }) => {
    await using server = await servePage({ '': built.folder }, { isIsolated });
    await using browser = await launchChromium();
    const { page, problems } = await openPage(browser, server.url);
    expect(await callSuite(page, where, 'threads')).toEqual({
      isolated: isIsolated,
      shared: isIsolated,
      workers: where === 'worker',
    });
    const { name, compared, deviating } = await callSuite<Conformance>(page, where, 'conformance', 'wasm', usual, null);
    expect(name).toBe('web (wasm)');
    expect(deviating).toEqual([]);
    expect(compared).toBeGreaterThan(300);
    expect(await callSuite(page, where, 'brokenPromises', 'wasm')).toEqual([]);
    const found = await callSuite<number[]>(page, where, 'trainTiny', 'wasm');
    expect(found.at(-1)!).toBeLessThan(0.75 * found[0]!);
    found.forEach((loss, i) => {
      expect(Math.abs(loss - losses[i]!)).toBeLessThan(1e-4);
    });
    expect(problems).toEqual([]);
    // each thread of ONNX Runtime loads its script anew
    const loads = server.requests.filter((request) => /ort-wasm.*\.mjs$/.test(request)).length;
    const cores = await page.evaluate<number>('navigator.hardwareConcurrency');
    expect(loads > 1).toBe(isIsolated && cores > 1);
  });

  it('refuses what cannot be, in words', async () => {
    await using server = await servePage({ '': built.folder }, { isIsolated: true });
    await using browser = await launchChromium();
    const { page } = await openPage(browser, server.url);
    await callSuite(page, 'worker', 'brokenPromises', 'wasm');
    const [backend, threads, again, gpu] = await callSuite<string[]>(page, 'worker', 'refusals');
    expect(backend).toBe('QkvError: backend: got cuda, expected wasm or webgpu');
    expect(threads).toBe('QkvError: threads: got 0, expected a whole number from 1 on');
    expect(again).toMatch(/^QkvError: web runtime: got {"threads":3.* with which it was first made in this thread$/);
    expect(gpu).toMatch(/^QkvError: WebGPU: got no GPU .* Use the backend 'wasm'$/);
    expect(await callSuite(page, 'page', 'lostFiles')).toMatch(/^QkvError: ONNX Runtime: got .*no-such-folder/);
  });

  it('computes and trains on WebGPU', async ({ skip }) => {
    await using server = await servePage({ '': built.folder }, { isIsolated: false });
    await using browser = await launchChromium(softwareGpu);
    const { page } = await openPage(browser, server.url);
    if (!(await callSuite<boolean>(page, 'worker', 'hasGpu'))) skip('this Chromium has no WebGPU');
    const { name, deviating } = await callSuite<Conformance>(page, 'worker', 'conformance', 'webgpu', 2e-4, 1);
    expect(name).toBe('web (webgpu)');
    expect(deviating).toEqual([]);
    expect(await callSuite(page, 'worker', 'brokenPromises', 'webgpu')).toEqual([]);
    const found = await callSuite<number[]>(page, 'worker', 'trainTiny', 'webgpu');
    found.forEach((loss, i) => {
      expect(Math.abs(loss - losses[i]!)).toBeLessThan(1e-3);
    });
    const { bytes, first, table } = await callSuite<{ bytes: number[]; first: number[]; table: number }>(
      page,
      'worker',
      'keptTable',
    );
    expect(bytes.map((sent) => sent >= table)).toEqual([true, true, true, false, true]);
    // kept, it is what it was when it was kept
    expect(first).toEqual([1, 2, 4, 4, 16]);
    expect(await callSuite(page, 'worker', 'noRoom')).toEqual([
      expect.stringMatching(/^QkvError: WebGPU: got no room for weights \[4\], 16 bytes: .* the backend 'wasm'$/s),
      1,
    ]);
    expect(await callSuite(page, 'worker', 'loseGpu')).toEqual([
      expect.stringMatching(/^QkvError: WebGPU: got a GPU that was lost \(destroyed\): .* Reload the page/s),
      'closed',
    ]);
  });
});
