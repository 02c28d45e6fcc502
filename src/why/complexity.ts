import { deriveSeed, normal, RandomStream } from '../base/random.ts';
import { float32, type HostTensor, int32 } from '../base/tensor.ts';
import { prefillGraph, stepGraph } from '../generate/graphs.ts';
import { GenerationSession } from '../generate/session.ts';
import { SlotCache } from '../generate/slotCache.ts';
import type { Graph } from '../graph/graph.ts';
import { bind } from '../graph/rewrite.ts';
import { declarationsOf } from '../models/declarations.ts';
import type { CausalModel } from '../models/model.ts';
import { attention } from '../nn/attention.ts';
import { feedForward } from '../nn/feedForward.ts';
import { normalInit } from '../nn/init.ts';
import { ParameterArena } from '../nn/parameterArena.ts';
import { type ParameterDeclaration, Trace } from '../nn/scope.ts';
import { input } from '../ops/leaf.ts';
import type { Program, Tensors } from '../runtime/runtime.ts';
import type { Both, Chart, Claim, Experiment, ExperimentContext, Findings, Series, Table } from './experiment.ts';
import { figure } from './figures.ts';
import { productFlops } from './graphCost.ts';
import { hostOf } from './hostOf.ts';
import { type Interval, median, type PowerLaw, powerLaw, quartiles } from './statistics.ts';
import { stopIfAsked } from './stopIfAsked.ts';
import { gptModel } from './transformerLearner.ts';

/** What attention costs (Vaswani et al. 2017, Table 1), and what a cache of keys and values saves. */
export const complexity: Experiment = {
  name: 'complexity',
  title: { en: 'What length costs', zh: '长度的代价' },
  run,
};

const blocks = ['attention', 'feedForward'] as const;
type Block = (typeof blocks)[number];
type ByBlock<T> = Readonly<Record<Block, T>>;
const blockName: ByBlock<Both> = {
  attention: { en: 'attention', zh: '注意力' },
  feedForward: { en: 'feed-forward', zh: '前馈' },
};
const CACHED: Both = { en: 'with cache', zh: '有缓存' };
const UNCACHED: Both = { en: 'without', zh: '无缓存' };

interface Setting {
  readonly width: number;
  readonly heads: number;
  readonly lengths: readonly number[];
  /** The exponent is that from here on, where what does not grow counts little. */
  readonly fitFrom: number;
  readonly rounds: number;
  readonly layers: number;
  /** Tokens that are generated, and how many of them one point of the curve is the median of. */
  readonly generated: number;
  readonly binned: number;
}

interface LayerCost {
  readonly length: number;
  /** Milliseconds, of every round. */
  readonly times: ByBlock<readonly number[]>;
  readonly flops: ByBlock<number>;
  /** Bytes that attention takes; absent where nobody can tell, or it is too little to be told. */
  readonly memory: number | undefined;
  /** Scores [H, T, T], 4 bytes a number; the weights take their place. */
  readonly mapBytes: number;
}

interface Generation {
  /** Milliseconds for each token, in order. */
  readonly cached: readonly number[];
  readonly uncached: readonly number[];
  /** The largest difference of the logits of both, relative to the largest logit. */
  readonly difference: number;
  /** Operations of matrix products for a token after n others, at every n. */
  readonly flops: { readonly cached: readonly number[]; readonly uncached: readonly number[] };
}

async function run(context: ExperimentContext): Promise<Findings> {
  const { isQuick = false } = context;
  const setting: Setting = isQuick
    ? { width: 32, heads: 2, lengths: [64, 128, 256], fitFrom: 64, rounds: 2, layers: 1, generated: 24, binned: 4 }
    : {
        width: 128,
        heads: 4,
        lengths: [64, 128, 256, 512, 1024, 2048, 4096],
        fitFrom: 512,
        rounds: 7,
        layers: 4,
        generated: 512,
        binned: 32,
      };
  const costs = await layerCosts(context, setting);
  const generation = await generate(context, setting);
  context.onProgress?.(1, 'done');
  return {
    experiment: 'complexity',
    seed: context.seed,
    title: complexity.title,
    ...(isQuick && { isQuick }),
    charts: [
      timeChart(costs),
      ...memoryCharts(costs),
      tokenChart(setting, generation),
      totalChart(setting, generation),
    ],
    tables: [layerTable(costs), generationTable(setting, generation)],
    claims: claimsOf(setting, costs, generation),
    caveats: caveatsOf(setting),
  };
}

interface BlockTrace {
  readonly declarations: readonly ParameterDeclaration[];
  readonly graph: Graph;
}

/** One block on rows [T, D] of one sequence: `x` → `y`. */
export function blockGraph(
  block: Block,
  { width, heads }: Pick<Setting, 'width' | 'heads'>,
  length: number,
): BlockTrace {
  const trace = new Trace();
  const x = input('x', 'float32', [length, width]);
  const init = normalInit(width ** -0.5);
  const y =
    block === 'attention'
      ? attention(trace.root, { query: { rows: x, batch: 1, length } }, { width, heads, bias: true, dropout: 0, init })
          .rows
      : feedForward(trace.root, x, { width, hidden: 4 * width, activation: 'gelu', bias: true, dropout: 0, init });
  return { declarations: trace.declarations, graph: trace.graph({ y }) };
}

/** Less than this may lie in memory that the process has anyway. */
const VISIBLE_BYTES: number = 8 * 2 ** 20;

function mapBytesOf({ heads }: Setting, length: number): number {
  return 4 * heads * length * length;
}

async function layerCosts(context: ExperimentContext, setting: Setting): Promise<LayerCost[]> {
  const { runtime, seed } = context;
  const { now, peakMemory } = hostOf(context);
  const { lengths, width, rounds } = setting;
  const graphs = lengths.map((length) => ({
    attention: blockGraph('attention', setting, length),
    feedForward: blockGraph('feedForward', setting, length),
  }));
  const feedsOf = ({ declarations }: BlockTrace, length: number): Tensors => {
    const arena = new ParameterArena(declarations);
    arena.initialise(seed);
    const x = float32([length, width], Float32Array.from(normal(deriveSeed(seed, 'x'), length * width)));
    return { ...arena.tensors, x };
  };
  const memory: (number | undefined)[] = [];
  for (const [i, length] of lengths.entries()) {
    stopIfAsked(context);
    context.onProgress?.((0.2 * i) / lengths.length, `memory at length ${length}`);
    const traced = graphs[i]!.attention;
    const feeds = feedsOf(traced, length);
    // a program of its own: what others hold on to does not count
    const work = async (): Promise<void> => {
      using program = await runtime.compile(traced.graph, { label: 'attention' });
      await runtime.run([{ program, feeds }]);
    };
    // the first run brings in code and libraries
    if (i === 0) await work();
    memory.push(mapBytesOf(setting, length) < VISIBLE_BYTES ? undefined : await peakMemory?.(work));
  }
  const times = lengths.map(() => ({ attention: [] as number[], feedForward: [] as number[] }));
  using stack = new DisposableStack();
  const programs: ByBlock<Program>[] = [];
  for (const graph of graphs) {
    programs.push({
      attention: stack.use(await runtime.compile(graph.attention.graph, { label: 'attention' })),
      feedForward: stack.use(await runtime.compile(graph.feedForward.graph, { label: 'feed-forward' })),
    });
  }
  for (let round = 0; round <= rounds; round++) {
    context.onProgress?.(0.2 + (0.3 * round) / (rounds + 1), `attention and feed-forward, round ${round}`);
    for (const [i, length] of lengths.entries()) {
      for (const block of blocks) {
        stopIfAsked(context);
        const feeds = feedsOf(graphs[i]![block], length);
        const start = now();
        await runtime.run([{ program: programs[i]![block], feeds }]);
        // the first round is a warm-up
        if (round > 0) times[i]![block].push(now() - start);
      }
    }
  }
  return lengths.map((length, i) => ({
    length,
    times: times[i]!,
    flops: {
      attention: productFlops(Object.values(graphs[i]!.attention.graph.outputs)),
      feedForward: productFlops(Object.values(graphs[i]!.feedForward.graph.outputs)),
    },
    memory: memory[i],
    mapBytes: mapBytesOf(setting, length),
  }));
}

/** Random tokens one after the other through both ways of generating; times depend on no token. */
async function generate(context: ExperimentContext, { width, heads, layers, generated }: Setting): Promise<Generation> {
  const { runtime, seed } = context;
  const { now } = hostOf(context);
  const model = gptModel({ vocabSize: 64, width, layers, heads, maxLength: generated });
  const arena = new ParameterArena(declarationsOf(model));
  arena.initialise(seed);
  using session = new GenerationSession(runtime, model, arena.tensors);
  const stream = new RandomStream(deriveSeed(seed, 'tokens'));
  const ids = Int32Array.from({ length: generated }, () => stream.below(64));
  const wanted = { kind: 'logits' } as const;
  const cache = new SlotCache(model.cache, 1);
  const cached: number[] = [];
  const uncached: number[] = [];
  let difference = 0;
  for (let n = 0; n < generated; n++) {
    stopIfAsked(context);
    if (n % 32 === 0) context.onProgress?.(0.5 + (0.5 * n) / generated, `token ${n} of ${generated}`);
    let start = now();
    cache.reserve(1);
    const visible = Int32Array.from({ length: cache.capacity + 1 }, (_, slot) =>
      Number(slot < n || slot === cache.capacity),
    );
    const step = await session.run(
      { kind: 'step', wanted },
      { ids: one(ids[n]!), positions: one(n), visible: int32([1, 1, visible.length], visible), ...cache.tensors },
    );
    cache.append(step, 1);
    cached.push(now() - start);
    start = now();
    const shape = [1, n + 1];
    const whole = await session.run(
      { kind: 'prefill', wanted },
      {
        ids: int32(shape, ids.subarray(0, n + 1)),
        mask: int32(shape, new Int32Array(n + 1).fill(1)),
        positions: int32(
          shape,
          Int32Array.from({ length: n + 1 }, (_, i) => i),
        ),
      },
    );
    uncached.push(now() - start);
    difference = Math.max(difference, relativeDifference(step['logits']!, whole['logits']!));
  }
  return { cached, uncached, difference, flops: tokenFlops(model, generated) };
}

function one(value: number): HostTensor {
  return int32([1, 1], [value]);
}

function relativeDifference(a: HostTensor, b: HostTensor): number {
  let [difference, largest] = [0, 0];
  for (let i = 0; i < a.data.length; i++) {
    difference = Math.max(difference, Math.abs(a.data[i]! - b.data[i]!));
    largest = Math.max(largest, Math.abs(b.data[i]!));
  }
  return difference / largest;
}

/** Counted at a few lengths; products of matrices are quadratic in it at most, so three say what all are. */
function tokenFlops(model: CausalModel, count: number): Generation['flops'] {
  const wanted = { kind: 'logits' } as const;
  const prefill = prefillGraph(model, wanted);
  const step = stepGraph(model, wanted);
  const values = (graph: Graph): number => productFlops(Object.values(graph.outputs));
  const uncached = quadratic((n) => values(bind(prefill, { B: 1, T: n + 1 })));
  const cached = quadratic((n) => values(bind(step, { B: 1, G: 1, past: n })));
  const each = Array.from({ length: count }, (_, n) => n);
  return { cached: each.map(cached), uncached: each.map(uncached) };
}

/** The quadratic function through three values, by Lagrange. */
function quadratic(of: (n: number) => number): (n: number) => number {
  const [a, b, c] = [of(1), of(2), of(3)];
  return (n) => (a * (n - 2) * (n - 3)) / 2 - b * (n - 1) * (n - 3) + (c * (n - 1) * (n - 2)) / 2;
}

const LENGTH: Both = { en: 'length', zh: '长度' };

function timeChart(costs: readonly LayerCost[]): Chart {
  return {
    name: 'time',
    title: { en: 'One layer, forward: time over length', zh: '一层的前向计算：时间随长度的变化' },
    x: { label: LENGTH, scale: 'log', ticks: costs.map(({ length }) => length) },
    y: { label: { en: 'milliseconds', zh: '毫秒' }, scale: 'log' },
    series: [
      ...blocks.map(
        (block): Series => ({
          name: blockName[block],
          points: costs.map(({ length, times }) => {
            const { median: y, low, high } = quartiles(times[block]);
            return { x: length, y, low, high };
          }),
        }),
      ),
      guide(costs, median(costs.at(-1)!.times.attention), 2),
    ],
  };
}

/** A line of the slope that is expected, through the last point. */
function guide(costs: readonly LayerCost[], last: number, exponent: number): Series {
  const end = costs.at(-1)!.length;
  return {
    name: { en: `∝ length^${exponent}`, zh: `∝ 长度^${exponent}` },
    points: costs.slice(-4).map(({ length }) => ({ x: length, y: last * (length / end) ** exponent })),
    isReference: true,
  };
}

function memoryCharts(costs: readonly LayerCost[]): Chart[] {
  const measured = costs.filter(({ memory }) => memory);
  if (measured.length < 2) return [];
  return [
    {
      name: 'memory',
      title: { en: 'Attention, forward: memory over length', zh: '注意力的前向计算：内存随长度的变化' },
      x: { label: LENGTH, scale: 'log', ticks: costs.map(({ length }) => length) },
      y: { label: { en: 'MiB', zh: 'MiB' }, scale: 'log' },
      series: [
        {
          name: { en: 'measured', zh: '实测' },
          points: measured.map(({ length, memory }) => ({ x: length, y: memory! / 2 ** 20 })),
        },
        {
          name: { en: 'scores alone', zh: '仅分数' },
          points: costs.map(({ length, mapBytes }) => ({ x: length, y: mapBytes / 2 ** 20 })),
          isReference: true,
        },
      ],
    },
  ];
}

interface Binned {
  readonly x: number;
  readonly y: number;
}

/** The median of every `binned` tokens, at the middle of them. */
function bins(times: readonly number[], binned: number): Binned[] {
  return Array.from({ length: Math.floor(times.length / binned) }, (_, i) => ({
    x: (i + 0.5) * binned,
    y: median(times.slice(i * binned, (i + 1) * binned)),
  }));
}

function tokenChart({ binned }: Setting, { cached, uncached }: Generation): Chart {
  return {
    name: 'token',
    title: { en: 'Generating: time for one token', zh: '生成：每个词元的时间' },
    x: { label: { en: 'tokens before it', zh: '之前的词元数' }, scale: 'linear' },
    y: { label: { en: 'milliseconds', zh: '毫秒' }, scale: 'linear' },
    series: [
      { name: UNCACHED, points: bins(uncached, binned) },
      { name: CACHED, points: bins(cached, binned) },
    ],
  };
}

function totalChart({ generated }: Setting, { flops }: Generation): Chart {
  const every = Math.max(1, Math.floor(generated / 32));
  const totals = (values: readonly number[]): Binned[] =>
    cumulative(values).flatMap((y, n) => ((n + 1) % every === 0 ? [{ x: n + 1, y: y / 1e9 }] : []));
  return {
    name: 'total',
    title: { en: 'Generating: operations for all tokens so far', zh: '生成：到目前为止全部词元的运算量' },
    x: { label: { en: 'tokens', zh: '词元数' }, scale: 'log' },
    y: { label: { en: 'GFLOP in matrix products', zh: '矩阵乘法，十亿次运算' }, scale: 'log' },
    series: [
      { name: UNCACHED, points: totals(flops.uncached) },
      { name: CACHED, points: totals(flops.cached) },
    ],
  };
}

function cumulative(values: readonly number[]): number[] {
  let sum = 0;
  return values.map((value) => (sum += value));
}

function layerTable(costs: readonly LayerCost[]): Table {
  const hasMemory = costs.some(({ memory }) => memory);
  const rounded = (value: number): number => Number(value.toPrecision(3));
  return {
    name: 'layer',
    title: { en: 'One layer, forward, one sequence', zh: '一层的前向计算，一条序列' },
    columns: [
      LENGTH,
      { en: 'attention, ms', zh: '注意力，毫秒' },
      { en: 'feed-forward, ms', zh: '前馈，毫秒' },
      { en: 'attention, MFLOP', zh: '注意力，百万次运算' },
      { en: 'feed-forward, MFLOP', zh: '前馈，百万次运算' },
      ...(hasMemory ? [{ en: 'attention, MiB', zh: '注意力，MiB' }] : []),
      { en: 'scores, MiB', zh: '分数，MiB' },
    ],
    rows: costs.map(({ length, times, flops, memory, mapBytes }) => [
      length,
      rounded(median(times.attention)),
      rounded(median(times.feedForward)),
      rounded(flops.attention / 1e6),
      rounded(flops.feedForward / 1e6),
      ...(hasMemory ? [memory === undefined ? '' : rounded(memory / 2 ** 20)] : []),
      rounded(mapBytes / 2 ** 20),
    ]),
  };
}

function generationTable({ binned }: Setting, { cached, uncached, flops }: Generation): Table {
  const [a, b] = [bins(cached, binned), bins(uncached, binned)];
  const totals = { cached: cumulative(cached), uncached: cumulative(uncached) };
  const work = { cached: cumulative(flops.cached), uncached: cumulative(flops.uncached) };
  const rounded = (value: number): number => Number(value.toPrecision(3));
  const rows = a.flatMap((point, i) =>
    (i + 1) & i ? [] : [{ end: (i + 1) * binned, with: point.y, without: b[i]!.y }],
  );
  return {
    name: 'generation',
    title: { en: 'Generating with a cache of keys and values and without', zh: '有键值缓存与无键值缓存的生成' },
    columns: [
      { en: 'tokens', zh: '词元数' },
      { en: 'with cache, ms for the last', zh: '有缓存，最后一个的毫秒数' },
      { en: 'without, ms for the last', zh: '无缓存，最后一个的毫秒数' },
      { en: 'with cache, ms in all', zh: '有缓存，合计毫秒' },
      { en: 'without, ms in all', zh: '无缓存，合计毫秒' },
      { en: 'with cache, GFLOP in all', zh: '有缓存，合计十亿次运算' },
      { en: 'without, GFLOP in all', zh: '无缓存，合计十亿次运算' },
    ],
    rows: rows.map(({ end, with: one, without }) => [
      end,
      rounded(one),
      rounded(without),
      rounded(totals.cached[end - 1]!),
      rounded(totals.uncached[end - 1]!),
      rounded(work.cached[end - 1]! / 1e9),
      rounded(work.uncached[end - 1]! / 1e9),
    ]),
  };
}

function exponentText({ mean, low, high }: Interval): string {
  return `${mean.toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`;
}

function claimsOf(
  { fitFrom, generated, width }: Setting,
  costs: readonly LayerCost[],
  generation: Generation,
): Claim[] {
  const long = costs.filter(({ length }) => length >= fitFrom);
  const exponentOf = (of: (cost: LayerCost) => number): PowerLaw =>
    powerLaw(long.map((cost) => ({ x: cost.length, y: of(cost) })));
  const time = {
    attention: exponentOf(({ times }) => median(times.attention)),
    feedForward: exponentOf(({ times }) => median(times.feedForward)),
  };
  const flops = {
    attention: exponentOf((cost) => cost.flops.attention),
    feedForward: exponentOf((cost) => cost.flops.feedForward),
  };
  // from where on attention always takes longer
  const before = costs.findLastIndex(({ times }) => median(times.attention) <= median(times.feedForward));
  const crossing = costs[before + 1]?.length;
  const claims: Claim[] = [
    {
      text: {
        en: 'The time of attention grows with the square of the length once the sequence is long; that of the feed-forward layer in proportion to it',
        zh: '序列够长以后，注意力的时间按长度的平方增长，前馈层按长度成正比增长',
      },
      evidence: {
        en: `Exponents from length ${fitFrom} on, with 95 % intervals: attention ${exponentText(time.attention.exponent)}, feed-forward ${exponentText(time.feedForward.exponent)}; counted in operations ${flops.attention.exponent.mean.toFixed(2)} and ${flops.feedForward.exponent.mean.toFixed(2)} (attention’s projections are linear and still count).`,
        zh: `长度 ${fitFrom} 以上拟合的指数及 95 % 区间：注意力 ${exponentText(time.attention.exponent)}，前馈 ${exponentText(time.feedForward.exponent)}；按运算量数则为 ${flops.attention.exponent.mean.toFixed(2)} 与 ${flops.feedForward.exponent.mean.toFixed(2)}（注意力里的投影是线性的，仍占一部分）。`,
      },
      holds: Math.abs(time.attention.exponent.mean - 2) < 0.35 && Math.abs(time.feedForward.exponent.mean - 1) < 0.2,
    },
    {
      text: {
        en: `At this width, ${width}, attention is cheaper than the feed-forward layer while sequences are short, and dearer when they are long`,
        zh: `在宽度为 ${width} 的这一层里，序列短时注意力比前馈层便宜，序列长时则更贵`,
      },
      evidence: {
        en: `Attention takes longer from length ${crossing ?? '—'} on; at ${costs.at(-1)!.length} it takes ${figure(median(costs.at(-1)!.times.attention) / median(costs.at(-1)!.times.feedForward))} times as long.`,
        zh: `从长度 ${crossing ?? '—'} 起注意力更慢；长度 ${costs.at(-1)!.length} 时是前馈层的 ${figure(median(costs.at(-1)!.times.attention) / median(costs.at(-1)!.times.feedForward))} 倍。`,
      },
      holds: crossing !== undefined && crossing > costs[0]!.length,
    },
  ];
  const measured = long.filter(({ memory }) => memory);
  if (measured.length >= 3) {
    const memory = powerLaw(measured.map((cost) => ({ x: cost.length, y: cost.memory! })));
    const { memory: last, mapBytes, length } = measured.at(-1)!;
    claims.push({
      text: {
        en: 'The memory of attention grows with the square as well: scores are length × length for every head',
        zh: '注意力的内存也按平方增长：每个头的分数都是“长度 × 长度”',
      },
      evidence: {
        en: `Exponent ${exponentText(memory.exponent)}; at length ${length} ${figure(last! / 2 ** 20)} MiB, of which scores, whose place the weights then take, are ${figure(mapBytes / 2 ** 20)}.`,
        zh: `指数 ${exponentText(memory.exponent)}；长度 ${length} 时为 ${figure(last! / 2 ** 20)} MiB，其中分数占 ${figure(mapBytes / 2 ** 20)} MiB（权重随后占用同一块内存）。`,
      },
      holds: Math.abs(memory.exponent.mean - 2) < 0.35,
    });
  }
  return [...claims, ...cacheClaims(generated, generation)];
}

function cacheClaims(generated: number, { cached, uncached, difference, flops }: Generation): Claim[] {
  const total = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
  const quarter = Math.floor(generated / 4);
  const growth = (values: readonly number[]): number =>
    median(values.slice(-quarter)) / median(values.slice(0, quarter));
  const exponent = (values: readonly number[]): number => {
    const totals = cumulative(values);
    const halves = [totals[Math.floor(generated / 2) - 1]!, totals[generated - 1]!] as const;
    return Math.log2(halves[1] / halves[0]);
  };
  return [
    {
      text: {
        en: 'Keys and values of earlier positions never change in a decoder: kept, they give the same result for far less work',
        zh: '在解码器里，前面位置的键和值不会再变：存下来，结果相同，计算量却少得多',
      },
      evidence: {
        en: `${generated} tokens: ${figure(total(uncached) / total(cached))} times faster in all (${figure(total(cached))} against ${figure(total(uncached))} ms), with ${figure(total(flops.uncached) / total(flops.cached))} times fewer operations. The logits differ by at most ${difference.toExponential(1)} of the largest.`,
        zh: `生成 ${generated} 个词元：合计快 ${figure(total(uncached) / total(cached))} 倍（${figure(total(cached))} 对 ${figure(total(uncached))} 毫秒），运算量少 ${figure(total(flops.uncached) / total(flops.cached))} 倍。两者的 logits 最多相差最大值的 ${difference.toExponential(1)}。`,
      },
      holds: difference < 1e-4 && total(cached) < total(uncached),
    },
    {
      text: {
        en: 'Without it the time for a token grows with all that came before; with it hardly at these lengths',
        zh: '没有缓存，每个词元的时间随已有长度增长；有了缓存，在这样的长度上几乎不变',
      },
      evidence: {
        en: `Last quarter over first: without × ${figure(growth(uncached))}, with × ${figure(growth(cached))}. Operations for n tokens in all, when n doubles to ${generated}: ∝ n^${exponent(flops.uncached).toFixed(2)} without, n^${exponent(flops.cached).toFixed(2)} with.`,
        zh: `最后四分之一与最初四分之一之比：无缓存 ${figure(growth(uncached))} 倍，有缓存 ${figure(growth(cached))} 倍。n 翻倍到 ${generated} 时，n 个词元的总运算量：无缓存 ∝ n^${exponent(flops.uncached).toFixed(2)}，有缓存 ∝ n^${exponent(flops.cached).toFixed(2)}。`,
      },
      holds: growth(uncached) > 2 * growth(cached),
    },
  ];
}

function caveatsOf({ width, heads, layers, rounds }: Setting): Both[] {
  return [
    {
      en: `One layer of width ${width} with ${heads} heads and no mask, one engine thread, float32; medians of ${rounds} rounds that alternate over all lengths, bands are quartiles.`,
      zh: `一层，宽 ${width}，${heads} 个头，无掩码，单个引擎线程，float32；各长度交替运行 ${rounds} 轮取中位数，色带为四分位数。`,
    },
    {
      en: 'Scores are written out here, and training keeps the weights of every layer as well. Kernels that go through them in blocks and never store them (Dao et al. 2022) need memory in proportion to the length; their work stays quadratic. This library has none.',
      zh: '这里把分数完整写进内存，训练时每一层的权重也要保留。分块计算、不保存它们的内核（Dao 等，2022）所需内存与长度成正比，但运算量仍是平方级。本库没有这样的内核。',
    },
    {
      en: 'A larger width moves the crossing: projections and feed-forward grow with its square, the products of queries and keys in proportion to it.',
      zh: '宽度越大，交叉点越靠后：投影和前馈的运算量按宽度的平方增长，查询与键的乘积只与宽度成正比。',
    },
    {
      en: `Generating: ${layers} layers of that width, untrained weights, random tokens; times depend on neither. The smallest time for a token here is the engine’s overhead, which hides much of what the cache saves while texts are short.`,
      zh: `生成：${layers} 层，宽度相同，权重未经训练，词元随机，这些都不影响时间。单个词元的最短时间受引擎固定开销限制，文本短时缓存省下的时间大多被它盖住。`,
    },
  ];
}
