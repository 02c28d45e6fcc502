import { gradients } from '../autodiff/gradients.ts';
import { deriveSeed, RandomStream } from '../base/random.ts';
import { bind } from '../graph/rewrite.ts';
import type { Value } from '../graph/value.ts';
import type { Trace } from '../nn/scope.ts';
import { scalarConstant } from '../ops/leaf.ts';
import { gptParameters, lstmLike, lstmParameters } from './architectures.ts';
import type { Both, Chart, Claim, Experiment, ExperimentContext, Findings, Table } from './experiment.ts';
import { figure } from './figures.ts';
import { productFlops, sequentialOperators } from './graphCost.ts';
import { hostOf } from './hostOf.ts';
import { LstmLearner, traceChunk } from './lstmLearner.ts';
import type { LstmConfig } from './lstmModel.ts';
import type { LabelledSequences } from './sequenceLearner.ts';
import { median, powerLaw, quartiles } from './statistics.ts';
import { stopIfAsked } from './stopIfAsked.ts';
import { type GptConfig, TransformerLearner, traceGpt } from './transformerLearner.ts';

/** Why there is no recurrence: what has to wait for what (Vaswani et al. 2017, section 4 and Table 1). */
export const parallel: Experiment = {
  name: 'parallel',
  title: { en: 'All positions at once, or one after the other', zh: '所有位置同时算，还是一个接一个' },
  run,
};

const TRANSFORMER: Both = { en: 'Transformer', zh: 'Transformer' };
const LSTM: Both = { en: 'LSTM', zh: 'LSTM' };

interface Setting {
  readonly gpt: GptConfig;
  readonly lstm: LstmConfig;
  readonly lengths: readonly number[];
  /** Tokens of a step, whatever the length: the shorter the sequences, the more of them. */
  readonly tokens: number;
  readonly rounds: number;
}

/** Of one length: microseconds a token, of every round, and what is counted in the graph of a step. */
export interface LengthResult {
  readonly length: number;
  readonly times: ByModel<readonly number[]>;
  readonly sequential: ByModel<number>;
  /** Operations of matrix products a token, forward and backward. */
  readonly flops: ByModel<number>;
}

type ByModel<T> = { readonly transformer: T; readonly lstm: T };

async function run(context: ExperimentContext): Promise<Findings> {
  const setting = settingOf(context);
  const counts = setting.lengths.map((length) => count(setting, length));
  const times = await measureTimes(context, setting);
  const results = setting.lengths.map((length, i) => ({ length, times: times[i]!, ...counts[i]! }));
  context.onProgress?.(1, 'done');
  return {
    experiment: 'parallel',
    seed: context.seed,
    title: parallel.title,
    ...(context.isQuick && { isQuick: true }),
    charts: [timeChart(setting, results), operatorChart(results)],
    tables: [resultTable(results)],
    claims: claimsOf(results),
    caveats: caveatsOf(setting),
  };
}

function settingOf({ isQuick = false }: ExperimentContext): Setting {
  const lengths = isQuick ? [16, 32, 64] : [32, 64, 128, 256, 512, 1024];
  const size = isQuick ? { width: 32, heads: 2 } : { width: 128, heads: 4 };
  const gpt = { vocabSize: 64, layers: 2, ...size, maxLength: lengths.at(-1)! };
  return {
    gpt,
    lstm: lstmLike(gpt, { forgetShift: 0 }),
    lengths,
    tokens: isQuick ? 128 : 2048,
    rounds: isQuick ? 2 : 9,
  };
}

/** One training step at each length in turn, Transformer then LSTM, round after round: what disturbs one disturbs all alike. */
async function measureTimes(context: ExperimentContext, setting: Setting): Promise<ByModel<number[]>[]> {
  const { runtime, seed } = context;
  const { now } = hostOf(context);
  const { gpt, lstm, lengths, tokens, rounds } = setting;
  using stack = new DisposableStack();
  const learners = [];
  for (const [i, length] of lengths.entries()) {
    stopIfAsked(context);
    context.onProgress?.((0.4 * i) / lengths.length, `preparing length ${length}`);
    const sizes = { batch: tokens / length, length, seed };
    const transformer = stack.use(await TransformerLearner.create(runtime, gpt, sizes));
    learners.push({ transformer, lstm: stack.use(await LstmLearner.create(runtime, lstm, sizes)) });
  }
  const times = lengths.map(() => ({ transformer: [] as number[], lstm: [] as number[] }));
  const stream = new RandomStream(deriveSeed(seed, 'tokens'));
  const ids = Int32Array.from({ length: tokens }, () => stream.below(gpt.vocabSize));
  const sequences: LabelledSequences = { ids, labels: ids };
  // the first round is a warm-up
  for (let round = 0; round <= rounds; round++) {
    context.onProgress?.(0.4 + (0.6 * round) / (rounds + 1), `round ${round}`);
    for (const [i, pair] of learners.entries()) {
      for (const kind of ['transformer', 'lstm'] as const) {
        stopIfAsked(context);
        const start = now();
        await pair[kind].step(sequences, 1e-4);
        if (round > 0) times[i]![kind].push((1000 * (now() - start)) / tokens);
      }
    }
  }
  return times;
}

/** Counted in the graph of a whole training step but the update: the loss and all gradients, no chunks. */
export function count({ gpt, lstm, tokens }: Setting, length: number): Pick<LengthResult, 'sequential' | 'flops'> {
  const batch = tokens / length;
  const traced = traceGpt({ ...gpt, maxLength: Math.max(gpt.maxLength, length) });
  const whole = traceChunk(lstm, batch, length);
  const transformer = bind(stepGraph(traced.trace, traced.graph.outputs['loss']!), { B: batch, T: length });
  const values = {
    transformer: Object.values(transformer.outputs),
    lstm: Object.values(stepGraph(whole.trace, whole.loss).outputs),
  };
  return {
    sequential: { transformer: sequentialOperators(values.transformer), lstm: sequentialOperators(values.lstm) },
    flops: { transformer: productFlops(values.transformer) / tokens, lstm: productFlops(values.lstm) / tokens },
  };
}

function stepGraph(trace: Trace, loss: Value): ReturnType<Trace['graph']> {
  const parameters = [...trace.parameters.values()].map(({ value }) => value);
  const all = gradients([{ value: loss, seed: scalarConstant(1) }], parameters);
  return trace.graph({ loss, ...Object.fromEntries(all.map((value, i) => [`${i}`, value])) });
}

function timeChart({ tokens }: Setting, results: readonly LengthResult[]): Chart {
  const points = (kind: keyof ByModel<unknown>): Chart['series'][number]['points'] =>
    results.map(({ length, times }) => {
      const { median: y, low, high } = quartiles(times[kind]);
      return { x: length, y, low, high };
    });
  return {
    name: 'time',
    title: {
      en: `Time of a training step of ${tokens} tokens`,
      zh: `训练一步（${tokens} 个词元）所用时间`,
    },
    x: { label: { en: 'sequence length', zh: '序列长度' }, scale: 'log', ticks: results.map(({ length }) => length) },
    y: { label: { en: 'microseconds a token', zh: '每个词元的微秒数' }, scale: 'log' },
    series: [
      { name: TRANSFORMER, points: points('transformer') },
      { name: LSTM, points: points('lstm') },
    ],
  };
}

function operatorChart(results: readonly LengthResult[]): Chart {
  const points = (kind: keyof ByModel<unknown>): Chart['series'][number]['points'] =>
    results.map(({ length, sequential }) => ({ x: length, y: sequential[kind] }));
  return {
    name: 'operators',
    title: { en: 'Operators that wait for one another in a step', zh: '一步训练中必须依次执行的运算' },
    x: { label: { en: 'sequence length', zh: '序列长度' }, scale: 'log', ticks: results.map(({ length }) => length) },
    y: { label: { en: 'operators on the longest chain', zh: '最长依赖链上的运算数' }, scale: 'log' },
    series: [
      { name: TRANSFORMER, points: points('transformer') },
      { name: LSTM, points: points('lstm') },
    ],
  };
}

function resultTable(results: readonly LengthResult[]): Table {
  return {
    name: 'lengths',
    title: { en: 'A training step by sequence length', zh: '不同序列长度下的一步训练' },
    columns: [
      { en: 'length', zh: '长度' },
      { en: 'Transformer, µs a token', zh: 'Transformer，微秒/词元' },
      { en: 'LSTM, µs a token', zh: 'LSTM，微秒/词元' },
      { en: 'LSTM / Transformer', zh: 'LSTM ÷ Transformer' },
      { en: 'Transformer, sequential operators', zh: 'Transformer，依次执行的运算' },
      { en: 'LSTM, sequential operators', zh: 'LSTM，依次执行的运算' },
      { en: 'Transformer, kFLOP a token', zh: 'Transformer，千次运算/词元' },
      { en: 'LSTM, kFLOP a token', zh: 'LSTM，千次运算/词元' },
    ],
    rows: results.map(({ length, times, sequential, flops }) => [
      length,
      Number(median(times.transformer).toPrecision(3)),
      Number(median(times.lstm).toPrecision(3)),
      Number(ratioOf(times).toPrecision(3)),
      sequential.transformer,
      sequential.lstm,
      Math.round(flops.transformer / 1000),
      Math.round(flops.lstm / 1000),
    ]),
  };
}

function ratioOf({ transformer, lstm }: LengthResult['times']): number {
  return median(lstm) / median(transformer);
}

export function claimsOf(results: readonly LengthResult[]): Claim[] {
  const [first, last] = [results[0]!, results.at(-1)!];
  const growth = (kind: keyof ByModel<unknown>): number => median(last.times[kind]) / median(first.times[kind]);
  const depth = powerLaw(results.map(({ length, sequential }) => ({ x: length, y: sequential.lstm }))).exponent.mean;
  const constant = results.every(({ sequential }) => sequential.transformer === first.sequential.transformer);
  const ratios = results.map(({ times }) => ratioOf(times));
  const [least, most] = [Math.min(...ratios), Math.max(...ratios)];
  const flops = { first: first.flops.transformer / first.flops.lstm, last: last.flops.transformer / last.flops.lstm };
  return [
    {
      text: {
        en: 'The number of operators that must follow one another does not depend on the length in a Transformer, and grows in proportion to it in an LSTM',
        zh: 'Transformer 中必须依次执行的运算数与序列长度无关；LSTM 的则与长度成正比',
      },
      evidence: {
        en: `Counted in the graphs of a step, from ${first.length} to ${last.length} positions: Transformer ${first.sequential.transformer} and ${last.sequential.transformer}; LSTM ${first.sequential.lstm} and ${last.sequential.lstm}, ∝ length^${depth.toFixed(2)}.`,
        zh: `按一步训练的计算图数得，长度从 ${first.length} 到 ${last.length}：Transformer 为 ${first.sequential.transformer} 和 ${last.sequential.transformer}；LSTM 为 ${first.sequential.lstm} 和 ${last.sequential.lstm}，∝ 长度^${depth.toFixed(2)}。`,
      },
      holds: constant && Math.abs(depth - 1) < 0.1,
    },
    {
      text: {
        en: 'With as many tokens in a step, an LSTM takes longer the longer the sequences are, by more than attention’s quadratic part costs a Transformer',
        zh: '每步词元数相同时，序列越长 LSTM 越慢，而且比注意力的平方项拖慢 Transformer 更多',
      },
      evidence: {
        en: `Time a token at length ${last.length} over that at ${first.length}: LSTM × ${figure(growth('lstm'))}, Transformer × ${figure(growth('transformer'))}.`,
        zh: `长度 ${last.length} 与 ${first.length} 相比，每词元用时：LSTM 变为 ${figure(growth('lstm'))} 倍，Transformer 变为 ${figure(growth('transformer'))} 倍。`,
      },
      holds: growth('lstm') > growth('transformer'),
    },
    {
      text: {
        en: 'A step of the Transformer is faster than that of an LSTM with as many parameters, at every length',
        zh: '参数量相同时，在每个长度上 Transformer 的一步训练都比 LSTM 快',
      },
      evidence: {
        en: `LSTM over Transformer: ${figure(least)} to ${figure(most)} times the time, although the Transformer computes ${figure(flops.first)} to ${figure(flops.last)} times as much in matrix products.`,
        zh: `LSTM 用时是 Transformer 的 ${figure(least)} 到 ${figure(most)} 倍，而 Transformer 的矩阵乘法运算量反而是 LSTM 的 ${figure(flops.first)} 到 ${figure(flops.last)} 倍。`,
      },
      holds: least > 1,
    },
  ];
}

function caveatsOf({ gpt, lstm, lengths, tokens, rounds }: Setting): Both[] {
  const [ours, theirs] = [gptParameters(gpt), lstmParameters(lstm)];
  return [
    {
      en: `${gpt.layers} layers each: Transformer of width ${gpt.width} (${ours} parameters), LSTM of width ${lstm.width} (${theirs}), word and output tables aside. Medians of ${rounds} rounds that alternate; bands are quartiles.`,
      zh: `各 ${gpt.layers} 层：Transformer 宽 ${gpt.width}（${ours} 个参数），LSTM 宽 ${lstm.width}（${theirs} 个），都不含词表和输出层。数值是交替运行 ${rounds} 轮的中位数，色带为四分位数。`,
    },
    {
      en: `Two cores have little room for parallel work: here the LSTM pays for thousands of small operators and for products with few rows (at length ${lengths.at(-1)} a step has ${tokens / lengths.at(-1)!} sequences), not for idle units. On a GPU, whose thousands of units stand idle during a small operator, a larger gap is to be expected; it was not measured.`,
      zh: `两个核心谈不上多少并行：这里 LSTM 慢在几千个小运算和行数很少的矩阵乘法（长度为 ${lengths.at(-1)} 时一步只有 ${tokens / lengths.at(-1)!} 条序列），而不是慢在硬件闲置。GPU 有几千个计算单元，做小运算时大多闲着，差距应当更大；这一点没有实测。`,
    },
    {
      en: 'The LSTM runs as operators of a general engine, in chunks of 16 steps that are computed twice to save memory, a third more work than counted. A kernel written for it, such as cuDNN’s, is several times faster, but its steps wait for one another all the same.',
      zh: '这里的 LSTM 由通用引擎的算子拼成，按 16 步一段运行，为省内存每段前向多算一遍，比表中所数的多约三分之一。专门的内核（如 cuDNN）会快好几倍，但时间步之间照样要依次等待。',
    },
    {
      en: 'Generating is sequential in both: the Transformer’s advantage is in training, and in reading a prompt.',
      zh: '生成时两者都得一个词元接一个词元地算；Transformer 的优势在训练和读入提示。',
    },
  ];
}
