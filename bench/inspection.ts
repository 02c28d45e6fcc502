import { int32 } from '../src/base/tensor.ts';
import { attentionMaps } from '../src/inspect/attention.ts';
import type { Edits } from '../src/inspect/edits.ts';
import { headSteps } from '../src/inspect/headSteps.ts';
import { Inspection } from '../src/inspect/inspection.ts';
import { tracePass } from '../src/inspect/pass.ts';
import { predictions } from '../src/inspect/predictions.ts';
import { declarationsOf } from '../src/models/declarations.ts';
import { parseModel } from '../src/models/registry.ts';
import { ParameterArena } from '../src/nn/parameterArena.ts';
import { ModelPrograms } from '../src/runtime/modelPrograms.ts';
import type { Runtime } from '../src/runtime/runtime.ts';
import { cpuTimed, peakRssMib, statistics } from './measure.ts';

const TOKENS = 128;

/**
 * What looking inside costs, on a model of 12 layers, 12 heads and GPT-2's width: a pass with every edit as an input against
 * one without any, in turn, and what a person waits for: the first time (with its compilation) and after toggling a head.
 */
export async function benchInspection(runtime: Runtime): Promise<object> {
  const model = parseModel({
    model_type: 'gpt2',
    n_layer: 12,
    n_head: 12,
    n_embd: 768,
    n_positions: 512,
    vocab_size: 16384,
  });
  const arena = new ParameterArena(declarationsOf(model));
  arena.initialise(1);
  const ids = Array.from({ length: TOKENS }, (_, i) => (i * 7919) % model.vocabSize);
  const reading = { ids };
  using inspection = new Inspection({ runtime, model, parameters: arena.tensors });
  using plain = new ModelPrograms(runtime, arena.tensors);
  const inputs = {
    ids: int32([1, TOKENS], ids),
    visible: int32(
      [1, TOKENS, TOKENS],
      Int32Array.from({ length: TOKENS ** 2 }, (_, i) => Number(i % TOKENS <= Math.floor(i / TOKENS))),
    ),
  };
  const trace = () => {
    const { graph } = tracePass(model, { givenPositions: false });
    return { outputs: { rows: graph.outputs['rows']! }, names: new Map() };
  };
  const task = { label: 'rows', outputs: ({ graph }: Inspection['pass']) => ({ rows: graph.outputs['rows']! }) };
  const runPlain = () => plain.run('rows', trace, inputs);
  const runHooked = (edits: Edits) => inspection.run(task, [{ reading, edits }]);
  const times: Record<'plain' | 'hooked', number[]> = { plain: [], hooked: [] };
  await cpuTimed(1, 2, runPlain);
  await cpuTimed(1, 2, () => runHooked({}));
  for (let i = 0; i < 15; i++) {
    for (const { cpu } of await cpuTimed(1, 0, runPlain)) times.plain.push(cpu * 1000);
    for (const { cpu } of await cpuTimed(1, 0, () => runHooked({}))) times.hooked.push(cpu * 1000);
  }
  const toggled = (i: number): Edits => ({ heads: [{ path: `layers.${i % 12}.attention`, head: i % 7, how: 'zero' }] });
  let toggles = 0;
  const waits = async (work: (edits: Edits) => Promise<unknown>) => {
    const [first] = await cpuTimed(1, 0, () => work({}));
    const after = await cpuTimed(9, 1, () => work(toggled(toggles++)));
    return {
      first_cpu_ms: Math.round(first!.cpu * 1000),
      toggle_cpu_ms: statistics(after.map(({ cpu }) => cpu * 1000)),
    };
  };
  return {
    what: '12 layers, 12 heads, width 768, 128 tokens',
    plain_cpu_ms: statistics(times.plain),
    hooked_cpu_ms: statistics(times.hooked),
    ratio: Number((statistics(times.hooked).median / statistics(times.plain).median).toFixed(3)),
    predictions: await waits((edits) => predictions(inspection, reading, { edits })),
    attention_of_all: await waits((edits) => attentionMaps(inspection, reading, { edits })),
    steps: await waits((edits) =>
      headSteps(inspection, reading, { path: 'layers.3.attention', head: 2, position: 99, edits }),
    ),
    peak_rss_mib: peakRssMib(),
  };
}
