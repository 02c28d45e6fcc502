import { createNodeRuntime } from '../src/runtime/node/node.ts';
import { machine, peakRssMib, statistics, timed } from './measure.ts';
import { prepare, workloads } from './training.ts';

/** `npm run bench -- T1`: one JSON line on stdout for each workload named; `--profile PREFIX` writes kernel times. */
const args = process.argv.slice(2);
const at = args.indexOf('--profile');
const profile = at >= 0 ? args.splice(at, 2)[1] : undefined;
const laneArg = args.indexOf('--lanes');
const lanes = laneArg >= 0 ? Number(args.splice(laneArg, 2)[1]) : 2;
const names = args.length > 0 ? args : Object.keys(workloads);

for (const name of names) {
  const make = workloads[name];
  if (!make) {
    console.error(`bench: got ${name}, expected one of ${Object.keys(workloads).join(', ')}`);
    process.exit(2);
  }
  const workload = make();
  await using runtime = await createNodeRuntime({ lanes, ...(profile === undefined ? {} : { profile }) });
  const step = await prepare(runtime, workload);
  let loss = Number.NaN;
  const seconds = await timed(workload.repetitions, 1, async () => {
    for (let i = 0; i < workload.steps; i++) loss = await step();
  });
  const perStep = seconds.map((s) => s / workload.steps);
  const result = {
    bench: name,
    tokens_per_s: statistics(perStep.map((s) => workload.tokens / s)),
    ms_per_step: statistics(
      perStep.map((s) => s * 1000),
      2,
    ),
    peak_rss_mib: peakRssMib(),
    last_loss: loss,
    ...machine(),
    when: new Date().toISOString(),
  };
  console.log(JSON.stringify(result));
}
