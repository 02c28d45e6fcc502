import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { createNodeRuntime, type NodeRuntimeOptions } from '../src/runtime/node/node.ts';
import type { Runtime } from '../src/runtime/runtime.ts';
import { benchCorpus } from './corpus.ts';
import { benchEmbedding } from './embedding.ts';
import { benchFirstStep } from './firstStep.ts';
import { benchBeamSearch, benchDecoding } from './generation.ts';
import { benchInspection } from './inspection.ts';
import { benchInstall } from './install.ts';
import { benchLoad } from './load.ts';
import { machine, peakRssMib, rssMib, statistics, timed } from './measure.ts';
import { benchPage } from './page.ts';
import { benchPoems } from './poems.ts';
import { prepare, workloads } from './training.ts';

/*
 * npm run bench -- T1 [T2 …]       one JSON line on stdout for each
 *   --lanes N                      engine threads side by side, instead of the workload's own number
 *   --profile PREFIX               ONNX Runtime writes the time of every kernel into files of this prefix
 * npm run bench -- I1 --model FOLDER --data FILE   sentence embeddings of all-MiniLM-L6-v2 over SST-2's dev.tsv
 *   --threads N                    of each lane; --repetitions N (5)
 * npm run bench -- I2 --model FOLDER   SmolLM2-135M in float32: prefill of 64 tokens, 128 greedy ones
 * npm run bench -- I3              beam search: 64 sentences of 24 tokens, 4 beams, 32 new tokens
 * npm run bench -- memory          growth of memory over 5,000 steps of T1
 * npm run bench -- first-step      from the start of `qkv train shakespeare` to its first step
 * npm run bench -- load            growth of memory while a model is loaded
 *   --model PATH                   a model of yours, in place of zeros of SmolLM2-135M's shape
 * npm run bench -- corpus          memory that a large text file takes while a tiny model is trained on it
 *   --size MIB                     of the text (2048); --task language-model or masked-language-model
 *   --objective NAME               of the latter: none, next-sentence or sentence-order
 *   --data FILE                    the text that is repeated (tiny Shakespeare)
 * npm run bench -- page            the page in Chromium: first picture, and what a person does (--repetitions N)
 * npm run bench -- poems --model runs/poetry-gpt   how many sampled poems have the lines of their form
 * npm run bench -- inspection      what edits as inputs cost, and how long one waits after toggling a head
 * npm run bench -- install         what npm ci takes and weighs
 */
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    lanes: { type: 'string' },
    threads: { type: 'string' },
    repetitions: { type: 'string', default: '5' },
    profile: { type: 'string' },
    model: { type: 'string' },
    data: { type: 'string' },
    size: { type: 'string', default: '2048' },
    task: { type: 'string', default: 'language-model' },
    objective: { type: 'string', default: 'none' },
  },
});

const others: Readonly<Record<string, () => Promise<object>>> = {
  I1: benchSentences,
  I2: () =>
    onRuntime((runtime) =>
      benchDecoding(runtime, modelFolder('I2 needs --model FOLDER, with SmolLM2-135M in the Hugging Face layout')),
    ),
  I3: () => onRuntime(benchBeamSearch, { lanes: availableParallelism(), threads: 1 }),
  memory: benchMemory,
  'first-step': benchFirstStep,
  load: () => benchLoad(values.model),
  corpus: () =>
    benchCorpus(values.task, Number(values.size), values.data ?? 'data/tinyshakespeare/input.txt', values.objective),
  page: () => benchPage(Number(values.repetitions)),
  poems: () => onRuntime((runtime) => benchPoems(runtime, modelFolder('poems needs --model FOLDER, of poetry-gpt'))),
  inspection: () => onRuntime(benchInspection),
  install: benchInstall,
};

async function benchTraining(name: string): Promise<object> {
  const workload = workloads[name]!();
  const lanes = values.lanes === undefined ? workload.lanes : Number(values.lanes);
  await using runtime = await createNodeRuntime({ lanes, ...(values.profile && { profile: values.profile }) });
  const step = await prepare(runtime, workload);
  let loss = Number.NaN;
  const seconds = await timed(workload.repetitions, 1, async () => {
    for (let i = 0; i < workload.steps; i++) loss = await step();
  });
  const perStep = seconds.map((s) => s / workload.steps);
  return {
    tokens_per_s: statistics(perStep.map((s) => workload.tokens / s)),
    ms_per_step: statistics(
      perStep.map((s) => s * 1000),
      2,
    ),
    peak_rss_mib: peakRssMib(),
    lanes,
    last_loss: loss,
  };
}

async function benchSentences(): Promise<object> {
  const { model, data } = values;
  if (model === undefined || data === undefined) throw new Error('I1 needs --model FOLDER and --data FILE');
  const lanes = Number(values.lanes ?? availableParallelism());
  const threads = Number(values.threads ?? Math.max(1, Math.floor(availableParallelism() / lanes)));
  await using runtime = await createNodeRuntime({ lanes, threads, ...(values.profile && { profile: values.profile }) });
  return { ...(await benchEmbedding(runtime, { model, data, repetitions: Number(values.repetitions) })), threads };
}

/** A measurement on the runtime as users make it. */
async function onRuntime(
  work: (runtime: Runtime) => Promise<object>,
  options: NodeRuntimeOptions = {},
): Promise<object> {
  await using runtime = await createNodeRuntime({ ...options, ...(values.profile && { profile: values.profile }) });
  return await work(runtime);
}

function modelFolder(need: string): string {
  if (values.model !== undefined) return values.model;
  console.error(`bench: ${need}`);
  process.exit(2);
}

async function benchMemory(): Promise<object> {
  const workload = workloads['T1']!();
  await using runtime = await createNodeRuntime({ lanes: workload.lanes });
  const step = await prepare(runtime, workload);
  const rss: Record<number, number> = {};
  for (let i = 1; i <= 5000; i++) {
    await step();
    if (i % 500 === 0) rss[i] = rssMib();
  }
  return { rss_mib: rss, growth_after_500: Number((rss[5000]! / rss[500]! - 1).toFixed(4)) };
}

const names = positionals.length > 0 ? positionals : Object.keys(workloads);
for (const name of names) {
  const run = Object.hasOwn(workloads, name) ? () => benchTraining(name) : others[name];
  if (!run) {
    console.error(
      `bench: got ${name}, expected some of ${[...Object.keys(workloads), ...Object.keys(others)].join(', ')}`,
    );
    process.exit(2);
  }
  console.log(JSON.stringify({ bench: name, ...(await run()), ...machine(), when: new Date().toISOString() }));
}
