import { once } from 'node:events';
import { appendFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { serveSite } from '../../apps/cli/page/serveSite.ts';
import type { Site } from '../../apps/cli/page/site.ts';
import { TrainingWatch } from '../../apps/cli/watch/trainingWatch.ts';
import { WatchLog } from '../../apps/cli/watch/watchLog.ts';
import { type WatchEvent, type WatchedStep, watchEvents } from '../../apps/web/src/watch/events.ts';
import { WatchedAttention } from '../../apps/web/src/watch/watchedAttention.ts';
import { GenerationSession } from '../../src/generate/session.ts';
import { captureAttention } from '../../src/inspect/attention.ts';
import { openModel } from '../../src/pretrained/openModel.node.ts';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';
import { createReferenceRuntime } from '../../src/runtime/reference/reference.ts';
import { trainRecipe } from '../../src/train/trainRecipe.node.ts';
import { TinyRecipe, type TinyTask } from '../train/tinyRecipe.ts';
import { look } from './lookServer.ts';
import { hasStack, qkv } from './qkv.ts';
import { trainWatched } from './trainWatched.ts';

interface Heard {
  readonly id: string | undefined;
  readonly event: WatchEvent;
}

/** Reads server-sent events until `isOver`, the end of the run when left out, or until the server ends them. */
async function listen(
  url: string,
  { from, isOver = ({ kind }) => kind === 'end' }: { from?: string; isOver?: (event: WatchEvent) => boolean } = {},
): Promise<Heard[]> {
  const stop = new AbortController();
  const response = await fetch(url, {
    signal: stop.signal,
    headers: from === undefined ? {} : { 'Last-Event-ID': from },
  });
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  const heard: Heard[] = [];
  let text = '';
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    const messages = text.split('\n\n');
    text = messages.pop()!;
    for (const message of messages) {
      const data = /^data: (.*)$/m.exec(message)?.[1];
      if (data === undefined) continue;
      const event = JSON.parse(data) as WatchEvent;
      heard.push({ id: /^id: (.*)$/m.exec(message)?.[1], event });
      if (!isOver(event)) continue;
      stop.abort();
      return heard;
    }
  }
  return heard;
}

let tiny: TinyRecipe;
beforeAll(() => {
  tiny = new TinyRecipe();
});
afterAll(() => tiny[Symbol.dispose]());

/** Trains with --watch, and does something as soon as the address is known. */
async function watched<T>(
  task: TinyTask,
  args: readonly string[],
  look: (url: string) => Promise<T>,
): Promise<{ code: number | null; found: T }> {
  const { address, closed } = await trainWatched([tiny.file(task), ...args]);
  const found = await look(address.replace(/#.*/, ''));
  return { code: await closed, found };
}

/** What is validated and saved is the average then, which changes places with the weights. */
const ema = ['--set', 'train.ema.decay=0.9'] as const;

function bytes(...path: string[]): Buffer {
  return readFileSync(join(...path));
}

describe('qkv train --watch', { timeout: 240_000 }, () => {
  it('tells of the run from its beginning to its end, and changes nothing of it', async () => {
    const [seen, alone] = [join(tiny.folder, 'seen'), join(tiny.folder, 'alone')];
    const [run, other] = await Promise.all([
      watched('translation', [...ema, '--set', `output=${seen}`], (url) => listen(`${url}watch/events`)),
      qkv(['train', tiny.file('translation'), ...ema, '--set', `output=${alone}`]),
    ]);
    expect(run.code).toBe(0);
    expect(other).toMatchObject({ code: 0 });
    const steps = ['step-000024', 'step-000020'].filter((name) => existsSync(join(alone, name)));
    expect(steps).toContain('step-000024');
    for (const name of steps) {
      for (const file of ['model.safetensors', 'optimizer.safetensors']) {
        expect(bytes(seen, name, file).equals(bytes(alone, name, file)), `${name}/${file}`).toBe(true);
      }
    }
    const timeless = (output: string) =>
      tiny.metrics(output).map((line) => ({ ...line, seconds: 0, tokensPerSecond: 0 }));
    expect(timeless(seen)).toEqual(timeless(alone));

    const events = run.found.map(({ event }) => event);
    expect(events[0]).toMatchObject({
      kind: 'run',
      name: 'tiny',
      task: 'translation',
      family: 'marian',
      step: 0,
      steps: 24,
    });
    expect(events.at(-1)).toEqual({ kind: 'end', reason: 'steps', step: 24 });
    const kept = run.found.filter(({ id }) => id !== undefined).map(({ event }) => event);
    // each line of metrics.jsonl has been told, in its order
    const lines: object[] = [];
    for (const event of kept) {
      if (event.kind === 'validation' || event.kind === 'test') lines.push({ ...event, kind: undefined });
      if (event.kind !== 'step') continue;
      const { kind: _, isLogged, steps, secondsLeft, ...line } = event;
      expect({ isLogged, steps }).toEqual({ isLogged: true, steps: 24 });
      expect(secondsLeft).toBeGreaterThanOrEqual(0);
      lines.push(line);
    }
    expect(JSON.parse(JSON.stringify(lines))).toEqual(tiny.metrics(seen));
    const step = kept.find((event) => event.kind === 'step') as WatchedStep;
    for (const key of ['loss', 'learningRate', 'gradientNorm', 'tokensPerSecond', 'tokens'] as const) {
      expect(step[key]).toBeGreaterThan(0);
    }
    expect(kept.find((event) => event.kind === 'validation')?.samples).not.toEqual([]);
    const looked = kept.flatMap((event) => (event.kind === 'attention' ? [event.step] : []));
    expect(looked).toEqual([0, 5, 8, 10, 15, 16, 20, 24]);
  });

  it('has the attention of the weights as they were', async () => {
    const output = join(tiny.folder, 'frames');
    const args = [
      ...ema,
      '--set',
      `output=${output}`,
      '--set',
      'train.steps=200',
      '--set',
      'train.keep=200',
      '--watch-text',
      'Tom is here.',
      '--watch-target',
      '湯姆在這裡。',
    ];
    const { found } = await watched('translation', args, async (url) => {
      const heard = await listen(`${url}watch/events`, {
        isOver: (event) => event.kind === 'saved' && event.step >= 10,
      });
      const frame = async (step: number) =>
        new Float32Array(await (await fetch(`${url}watch/attention/${step}`)).arrayBuffer());
      const [first, tenth] = [await frame(0), await frame(10)];
      expect((await fetch(`${url}watch/attention/3`)).status).toBe(404);
      return { run: heard[0]!.event, first, tenth, snapshot: await openModel(join(output, 'step-000010')) };
    });
    const { run, first, tenth, snapshot } = found;
    if (run.kind !== 'run' || run.text === undefined) throw new Error('no text');
    expect(run.text.source.map(({ text }) => text).join('')).toMatch(/^ ?Tom is here\./);
    expect(run.text.maps.map(({ path }) => path)).toEqual([
      'encoder.layers.0.attention',
      'decoder.layers.0.attention',
      'decoder.layers.0.crossAttention',
    ]);
    expect(first).not.toEqual(tenth);
    const { model, arena, tokenizer } = snapshot;
    await using runtime = createReferenceRuntime();
    using session = new GenerationSession(runtime, model, arena.tensors);
    const layers = await captureAttention(
      session,
      tokenizer!.encode('Tom is here.').ids,
      tokenizer!.encode('湯姆在這裡。').ids,
    );
    for (const [i, { path, shape, offset }] of run.text.maps.entries()) {
      const { name, weights } = layers[i]!;
      expect([`${path}.weights`, shape]).toEqual([name, weights.shape]);
      const data = weights.data as Float32Array;
      for (const [j, weight] of data.entries()) expect(tenth[offset + j]!).toBeCloseTo(weight, 5);
    }
  });

  it('goes on when the browser goes away, and tells a resumed run from its beginning', async () => {
    const output = join(tiny.folder, 'resumed');
    const first = await watched('language-model', ['--set', `output=${output}`, '--set', 'train.steps=6'], (url) =>
      listen(`${url}watch/events`, { isOver: ({ kind }) => kind === 'run' }),
    );
    expect(first.code).toBe(0);
    const second = await watched(
      'language-model',
      ['--set', `output=${output}`, '--set', 'train.steps=12', '--resume'],
      (url) => listen(`${url}watch/events`),
    );
    expect(second).toMatchObject({ code: 0 });
    const events = second.found.map(({ event }) => event);
    expect(events[0]).toMatchObject({ kind: 'run', step: 6, steps: 12 });
    expect(events.flatMap((event) => (event.kind === 'step' && event.isLogged ? [event.step] : []))).toEqual([
      1, 2, 4, 6, 8, 10, 12,
    ]);
    expect(events.flatMap((event) => (event.kind === 'attention' ? [event.step] : []))).toEqual([6, 10, 12]);
  });

  it.each(['masked-language-model', 'denoising', 'language-model'] as const)(
    'shows the attention of %s',
    async (task) => {
      const run = await watched(
        task,
        ['--set', `output=${join(tiny.folder, task)}`, '--set', 'train.steps=2'],
        async (url) => listen(`${url}watch/events`),
      );
      expect(run.code).toBe(0);
      expect(run.found.map(({ event }) => event).filter(({ kind }) => kind === 'notice')).toEqual([]);
      const [first] = run.found;
      expect(first!.event).toMatchObject({ kind: 'run', task });
      if (first!.event.kind !== 'run') return;
      const { source, target, maps } = first!.event.text!;
      const kinds = new Set(maps.map(({ kind }) => kind));
      expect([...kinds].sort()).toEqual(
        {
          'masked-language-model': ['encoder'],
          denoising: ['cross', 'decoder', 'encoder'],
          'language-model': ['decoder'],
        }[task],
      );
      for (const { kind, shape } of maps) {
        const sides =
          kinds.size > 1
            ? { encoder: [source, source], decoder: [target, target], cross: [target, source] }
            : undefined;
        const [queries, keys] = sides?.[kind] ?? [target, target];
        expect(shape.slice(1)).toEqual([queries!.length, keys!.length]);
      }
    },
  );

  it('tells how a run ended that failed', async () => {
    const run = await watched(
      'translation',
      [
        '--set',
        `output=${join(tiny.folder, 'bad')}`,
        '--set',
        'train.schedule.peak=1e30',
        '--set',
        'train.clipNorm=null',
      ],
      (url) => listen(`${url}watch/events`),
    );
    expect(run.code).not.toBe(0);
    expect(run.found.at(-1)?.event).toMatchObject({ kind: 'end', reason: 'failed' });
  });

  it.each([
    ['a text without --watch', ['--watch-text', 'x'], '--watch'],
    ['a port without --watch', ['--port', '0'], '--watch'],
    ['a text without its target', ['--watch', '--watch-text', 'x'], '--watch-target'],
  ] as const)('refuses %s', async (_, args, words) => {
    const finished = await qkv(['train', tiny.file('translation'), ...args]);
    expect(finished).toMatchObject({ code: 2, stdout: '' });
    expect(finished.stderr).toContain(words);
    expect(hasStack(finished)).toBe(false);
  });
});

describe('what watching may cost', { timeout: 120_000 }, () => {
  /** Trains in this process; gives what a listener hears who comes at the end, and the site. */
  async function train(
    attention: WatchedAttention,
    maxFrameBytes?: number,
  ): Promise<{ events: WatchEvent[]; site: Site }> {
    const site: Site = new Map();
    const watch = new TrainingWatch(
      site,
      'translation',
      attention,
      maxFrameBytes === undefined ? {} : { maxFrameBytes },
    );
    await using runtime = await createNodeRuntime({ threads: 1 });
    const recipe = tiny.load('translation', 'train.saveEvery=1');
    const run = await trainRecipe(runtime, recipe, {
      overwrite: true,
      onEvent: (event) => watch.onEvent(event),
      onWeights: (live) => watch.onWeights(live),
    });
    expect(run).toMatchObject({ reason: 'steps', step: 24 });
    await watch.end(run.reason);
    await using server = await serveSite(site, { host: '127.0.0.1', port: 0 });
    return { events: (await listen(`${server.url}${watchEvents}`)).map(({ event }) => event), site };
  }
  const stepsOf = (site: Site) =>
    [...site.keys()].flatMap((address) => /^watch\/attention\/(\d+)$/.exec(address)?.[1] ?? []).map(Number);

  it('keeps the first and the newest frames, and tells of no other', async () => {
    const whole = await train(new WatchedAttention());
    expect(stepsOf(whole.site)).toEqual(Array.from({ length: 25 }, (_, step) => step));
    const frame = whole.site.get('watch/attention/0');
    const bytes = frame?.kind === 'bytes' ? frame.body().length : 0;
    const { events, site } = await train(new WatchedAttention(), 8 * bytes);
    const kept = stepsOf(site);
    expect(kept.length).toBeLessThanOrEqual(8);
    expect(kept.length).toBeGreaterThanOrEqual(4);
    expect([kept[0], kept.at(-1)]).toEqual([0, 24]);
    expect(events.flatMap((event) => (event.kind === 'attention' ? [event.step] : []))).toEqual(kept);
  });

  it('is no reason for a run to end', async () => {
    const { events, site } = await train(new WatchedAttention({ text: 'a text without a target' }));
    expect(events[0]).toMatchObject({ kind: 'run', steps: 24 });
    expect(events[0]).not.toHaveProperty('text');
    expect(stepsOf(site)).toEqual([]);
    const notices = events.filter(({ kind }) => kind === 'notice');
    expect(
      notices.filter((event) => 'text' in event && /attention is not shown/.test(String(event.text))),
    ).toHaveLength(1);
  });
});

describe('qkv look --watch', { timeout: 120_000 }, () => {
  it('follows the metrics that another process writes', async () => {
    const output = join(tiny.folder, 'followed');
    await qkv(['train', tiny.file('language-model'), '--set', `output=${output}`, '--set', 'train.steps=4']);
    await using server = await look([output, '--watch', '--port', '0']);
    const { origin, hash } = new URL(server.line);
    expect(hash).toBe('#view=train&model=served%3Afollowed');
    const file = join(output, 'metrics.jsonl');
    const lines = () => readFileSync(file, 'utf8').trimEnd().split('\n');
    const last = JSON.parse(lines()[0]!) as object;
    const until = (step: number) =>
      listen(`${origin}/watch/events`, { isOver: (event) => event.kind === 'step' && event.step === step });
    const told = until(100);
    // half a line, in the middle of a character, and later the other half
    const bytes = Buffer.from(`${JSON.stringify({ ...last, step: 100, losses: { 词: 1 } })}\n`);
    const cut = bytes.indexOf('词') + 1;
    appendFileSync(file, bytes.subarray(0, cut));
    await setTimeout(1200);
    appendFileSync(file, bytes.subarray(cut));
    const events = (await told).map(({ event }) => event);
    expect(events[0]).toMatchObject({ kind: 'run', name: 'tiny', task: 'language-model', steps: 4 });
    expect(events.at(-1)).toMatchObject({ step: 100, losses: { 词: 1 } });
    const metrics = events.slice(1).map(({ kind: _, ...event }) => ({ ...event, isLogged: undefined }));
    expect(JSON.parse(JSON.stringify(metrics))).toEqual(lines().map((text) => JSON.parse(text) as object));
    // a run that goes on from an earlier step begins anew
    writeFileSync(file, `${lines()[0]}\n`);
    await setTimeout(1200);
    appendFileSync(file, `${JSON.stringify({ ...last, step: 7 })}\n`);
    const again = (await until(7)).map(({ event }) => event);
    expect(again.map((event) => (event.kind === 'step' ? event.step : event.kind))).toEqual(['run', 1, 7]);
    expect(await server.stop()).toMatchObject({ code: 0 });
  });

  it('refuses what is no run', async () => {
    const finished = await qkv(['look', 'fixtures/models/stories260K', '--watch']);
    expect(finished).toMatchObject({ code: 1, stdout: '' });
    expect(finished.stderr).toContain('recipe.yaml');
  });
});

describe('the log of a watched run', () => {
  const step = (number: number): WatchEvent => ({
    kind: 'step',
    isLogged: true,
    step: number,
    loss: 1,
    learningRate: 1,
    gradientNorm: 1,
    tokens: 1,
    tokensPerSecond: 1,
    seconds: 1,
  });
  const run: WatchEvent = { kind: 'run', name: 'r', folder: 'f', task: 't', step: 0, steps: 9 };

  it('gives one who comes back what came meanwhile, and another beginning whole', async () => {
    const log = new WatchLog();
    await using server = createServer((request, response) => log.open(request, response)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    log.add(run);
    log.add(step(1));
    const until = (number: number) => ({
      isOver: (event: WatchEvent) => event.kind === 'step' && event.step === number,
    });
    const before = await listen(url, until(1));
    expect(before.map(({ event }) => event)).toEqual([run, step(1)]);
    log.add(step(2));
    const from = before.at(-1)!.id!;
    expect((await listen(url, { from, ...until(2) })).map(({ event }) => event)).toEqual([step(2)]);
    for (const other of ['other-1', '0', 'x'.repeat(10_000), `${from}9999999999999999`]) {
      expect((await listen(url, { from: other, ...until(2) })).map(({ event }) => event)).toEqual([
        run,
        step(1),
        step(2),
      ]);
    }
    log.add(run);
    log.add(step(3));
    expect((await listen(url, { from, ...until(3) })).map(({ event }) => event)).toEqual([run, step(3)]);
    await log.end();
    expect((await listen(url)).map(({ event }) => event)).toEqual([run, step(3)]);
  });

  it('keeps a long run short, its ends and all that is no step', () => {
    const log = new WatchLog({ maxSteps: 100 });
    log.add(run);
    for (let i = 1; i <= 1000; i++) {
      log.add(step(i));
      if (i % 100 === 0) log.add({ kind: 'saved', step: i, snapshot: 's' });
    }
    const steps = log.events.flatMap((event) => (event.kind === 'step' ? [event.step] : []));
    expect(steps.length).toBeLessThanOrEqual(100);
    expect(steps.length).toBeGreaterThanOrEqual(50);
    expect([steps[0], steps.at(-1)]).toEqual([1, 1000]);
    expect(log.events.filter(({ kind }) => kind === 'saved')).toHaveLength(10);
    expect(log.events[0]).toEqual(run);
  });
});
