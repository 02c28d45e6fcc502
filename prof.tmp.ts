import { loadRecipe } from './src/recipe/loadRecipe.node.ts';
import { readPairs, makeTokenizer } from './src/train/recipeData.node.ts';
import { translationTask } from './src/train/translationTask.ts';
import { createNodeRuntime } from './src/runtime/node/node.ts';
import { ParameterArena } from './src/nn/parameterArena.ts';
import { traceLoss } from './src/train/objectives.ts';
import { TrainStep } from './src/train/trainStep.ts';
import { deriveSeed } from './src/base/random.ts';
const sets = process.argv.slice(4);
const recipe = loadRecipe('recipes/tatoeba-en-zh.yaml', sets) as any;
const lanes = Number(process.argv[2]);
const runtime = await createNodeRuntime({ lanes, threads: 1, spinning: false, ...(process.argv[3] === 'p' ? { profile: '/tmp/prof/x' } : {}) });
const parts = await readPairs(recipe);
const files = await makeTokenizer(recipe, () => parts.train.flatMap((p) => [p.source, p.target]));
const task = translationTask(recipe, parts, files, undefined);
const arena = new ParameterArena(task.declarations); arena.initialise(1);
const { graph } = traceLoss(task.model, { training: true, smoothing: 0.1, padded: true });
const step = await TrainStep.create(runtime, graph, arena, { optimizer: { name: 'adamw', beta1: 0.9, beta2: 0.98, eps: 1e-9, weightDecay: 0.01 }, clipNorm: 1 });
let pos = { epoch: 0, batchIndex: 0 };
const cpu0 = () => { const c = process.cpuUsage(); return (c.user + c.system) / 1000; }; let c0 = 0;
const times: number[] = []; let tokens = 0, targets=0, padded=0; const rows:string[]=[];
for (let i = 0; i < 40; i++) {
  const m = task.batchAt(pos); pos = task.after(pos);
  if (i === 5) c0 = cpu0();
  const t = performance.now();
  await step.run({ micros: [m.inputs], targetTokens: m.targetTokens, learningRate: 1e-4, dropoutSeeds: [deriveSeed(1, 'd', i)] });
  if (i >= 5) { times.push(performance.now() - t); tokens += m.tokens; targets += m.targetTokens; padded += m.inputs.inputIds!.data.length + m.inputs.labels!.data.length; rows.push(`${m.inputs.inputIds!.shape}/${m.inputs.labels!.shape[1]}:${(performance.now()-t).toFixed(0)}`); }
}
times.sort((a, b) => a - b);
console.log('cpu ms per step', ((cpu0() - c0) / 35).toFixed(0));
console.log('median', times[17]!.toFixed(0), 'min', times[0]!.toFixed(0), 'sum tokens/s', (tokens / times.reduce((a, b) => a + b, 0) * 1000).toFixed(0), 'tokens/batch', tokens / 35, 'targets', targets / 35, 'padded', padded / 35, arena.size, rows.slice(0,8).join(' '));
await runtime[Symbol.asyncDispose]();
