import { gradients } from '../autodiff/gradients.ts';
import { deriveSeed, type Key, normal, RandomStream } from '../base/random.ts';
import { float32, int32 } from '../base/tensor.ts';
import { IGNORED_LABEL } from '../data/bucketBatches.ts';
import { findValue } from '../graph/graph.ts';
import type { ParameterArena } from '../nn/parameterArena.ts';
import { input } from '../ops/leaf.ts';
import type { Tensors } from '../runtime/runtime.ts';
import type { Both, Chart, Claim, Experiment, ExperimentContext, Findings, Matrix, Table } from './experiment.ts';
import { figure, percent, type Spread, spreadOf, spreadPoint, spreadText } from './figures.ts';
import { draw, legalShare, type MarkovSource, markovSource, markovTexts } from './markovText.ts';
import { measure } from './measure.ts';
import { type Batch, batchOf, type SmallLoss, smallLoss } from './smallLoss.ts';
import type { SmallConfig } from './smallTransformer.ts';
import { train } from './training.ts';

/** What encoder, decoder and both together see, and what leaks where the causal mask is missing. */
export const masks: Experiment = {
  name: 'masks',
  title: { en: 'Why a decoder has a mask, and an encoder none', zh: '解码器为什么要掩码，编码器为什么不要' },
  run,
};

const SYMBOLS = 10;
/** Stands for a symbol that an encoder has to name, and before the first that a decoder writes. */
const BLANK = SYMBOLS;
const LENGTH = 32;
/** Of the text that an encoder-decoder reads; it writes the rest. */
const READ = 16;

const roles = ['encoder', 'decoder', 'leaking', 'both'] as const;
type Role = (typeof roles)[number];
const nameOf: Readonly<Record<Role, Both>> = {
  encoder: { en: 'encoder', zh: '编码器' },
  decoder: { en: 'decoder', zh: '解码器' },
  leaking: { en: 'decoder without its mask', zh: '去掉掩码的解码器' },
  both: { en: 'encoder-decoder', zh: '编码器-解码器' },
};

function configOf(isCausal: boolean): SmallConfig {
  return {
    vocabSize: SYMBOLS + 1,
    width: 64,
    layers: 2,
    heads: 4,
    hidden: 128,
    positions: 'sinusoidal',
    maxLength: LENGTH,
    isCausal,
  };
}

function lossOf(role: Role): SmallLoss {
  if (role === 'both') return smallLoss(configOf(true), { encoder: configOf(false) });
  return smallLoss(configOf(role === 'decoder'));
}

async function run(context: ExperimentContext): Promise<Findings> {
  const { seed, isQuick = false } = context;
  const source = markovSource(SYMBOLS, deriveSeed(seed, 'source'));
  const found = {} as Record<Role, RoleRun[]>;
  for (const [i, role] of roles.entries()) found[role] = await trainRole(context, role, source, i / roles.length);
  const matrices: Matrix[] = [];
  for (const role of roles) matrices.push(await visibility(context, role, found[role][0]!.arena, source));
  context.onProgress?.(1, 'done');
  return {
    experiment: 'masks',
    seed,
    title: masks.title,
    ...(isQuick && { isQuick }),
    charts: [lossChart(found, source)],
    matrices,
    tables: [roleTable(found, source), generationTable(found)],
    claims: claimsOf(found, source, matrices),
    caveats: [
      {
        en: `The texts are made: ${SYMBOLS} symbols, each followed by one of three others (60%, 30%, 10%), so that the least possible loss is known. Only neighbours matter in them.`,
        zh: `文本是造出来的：${SYMBOLS} 个符号，每个后面只会跟另外三个符号之一（60%、30%、10%），因此最小可能损失是已知的；其中只有相邻符号有关系。`,
      },
      {
        en: `A loss measured on a few texts lies above or below the entropy by chance, by about 0.02 nats here; a mean loss within ${NEAR} nats of the entropy counts as having come to it.`,
        zh: `在有限文本上测得的损失会因抽样在熵值上下波动，这里约 0.02 奈特；平均损失与熵值相差不到 ${NEAR} 奈特即算降到熵值。`,
      },
      {
        en: 'Losses of different roles are of different questions: an encoder names symbols between two that it sees, a decoder the next one.',
        zh: '不同角色的损失回答的是不同的问题：编码器补出左右都可见的符号，解码器预测下一个符号。',
      },
      {
        en: `Two layers of width 64, ${found.encoder.length} seeds; bands are from the least to the largest.`,
        zh: `两层、宽 64，共 ${found.encoder.length} 个种子；色带是最小值到最大值。`,
      },
    ],
  };
}

/**
 * What a role learns from: an encoder names every third symbol, so that it sees both neighbours of each; a decoder the next
 * symbol everywhere; both together read READ symbols and write the others.
 */
export function roleBatch(role: Role, texts: readonly (readonly number[])[], key: Key): Batch {
  if (role === 'encoder') {
    const stream = new RandomStream(key);
    const starts = texts.map(() => stream.below(3));
    const isHidden = (t: number, n: number): boolean => t % 3 === starts[n] && t > 0 && t < LENGTH - 1;
    return batchOf(
      texts.map((text, n) => text.map((symbol, t) => (isHidden(t, n) ? BLANK : symbol))),
      texts.map((text, n) => text.map((symbol, t) => (isHidden(t, n) ? symbol : IGNORED_LABEL))),
    );
  }
  if (role === 'both') {
    const written = texts.map((text) => text.slice(READ));
    return batchOf(
      written.map((text) => [BLANK, ...text.slice(0, -1)]),
      written,
      texts.map((text) => text.slice(0, READ)),
    );
  }
  return batchOf(
    texts,
    texts.map((text) => [...text.slice(1), IGNORED_LABEL]),
  );
}

interface RoleRun {
  readonly arena: ParameterArena;
  /** Of training, means of EVERY steps. */
  readonly losses: readonly number[];
  /** On new texts, read as in training. */
  readonly testLoss: number;
  /** Of decoders: on new texts of which nothing but the past is there, as when they write. */
  readonly honestLoss?: number;
  /** Of decoders: the share of the symbols that they write that may stand there. */
  readonly legal?: number;
  readonly sample?: readonly number[];
}

const EVERY = 10;
/** Nats by which a loss may differ from an entropy and count as having come to it. */
const NEAR = 0.05;

async function trainRole(
  context: ExperimentContext,
  role: Role,
  source: MarkovSource,
  start: number,
): Promise<RoleRun[]> {
  const { seed, isQuick = false } = context;
  const [steps, seeds, batch] = isQuick ? [2 * EVERY, 1, 4] : [500, 3, 16];
  const loss = lossOf(role);
  const runs: RoleRun[] = [];
  for (let n = 0; n < seeds; n++) {
    const textsAt = (site: string, step: number, count: number): Batch => {
      const key = deriveSeed(seed, site, n, step);
      return roleBatch(role, markovTexts(source, { batch: count, length: LENGTH }, key), key);
    };
    const { arena, losses } = await train(context, {
      loss: loss.graph,
      declarations: loss.declarations,
      seed: seed + n,
      steps,
      schedule: { name: 'cosine', peak: 5e-3, warmup: steps / 10, final: 1e-4 },
      batchAt: (step) => textsAt('train', step, batch),
      bindings: { B: batch, T: role === 'both' ? LENGTH - READ : LENGTH, ...(role === 'both' && { S: READ }) },
      onStep: (step) => context.onProgress?.(start + (n + step / steps) / seeds / roles.length, nameOf[role].en),
    });
    const test = textsAt('test', 0, isQuick ? 8 : 256);
    const means = Array.from(
      { length: steps / EVERY },
      (_, i) => spreadOf(losses.slice(i * EVERY, (i + 1) * EVERY)).mean,
    );
    const isDecoder = role === 'decoder' || role === 'leaking';
    runs.push({
      arena,
      losses: means,
      testLoss: await meanLoss(context, loss, arena, test),
      ...(isDecoder && (await asWriter(context, loss, arena, source, deriveSeed(seed, 'write', n)))),
    });
  }
  return runs;
}

async function meanLoss(
  context: ExperimentContext,
  { graph }: SmallLoss,
  arena: ParameterArena,
  batch: Batch,
): Promise<number> {
  const feeds = { ...arena.tensors, ...batch.inputs };
  const { tokenLoss } = await measure(context, graph, ['tokenLoss'], feeds);
  return Array.from(tokenLoss!.data).reduce((a, b) => a + b, 0) / batch.targets;
}

/** A decoder at its work: from left to right, with nothing after the last symbol. */
async function asWriter(
  context: ExperimentContext,
  loss: SmallLoss,
  arena: ParameterArena,
  source: MarkovSource,
  key: Key,
): Promise<{ honestLoss: number; legal: number; sample: readonly number[] }> {
  const count = context.isQuick ? 8 : 64;
  const texts = markovTexts(source, { batch: 4 * count, length: LENGTH }, key);
  const prompt = 4;
  const lengths = [4, 8, 12, 16, 20, 24, 28];
  const honest: number[] = [];
  for (const length of lengths) {
    const labels = texts.map((text) =>
      text.slice(0, length).map((_, t) => (t === length - 1 ? text[length]! : IGNORED_LABEL)),
    );
    honest.push(
      await meanLoss(
        context,
        loss,
        arena,
        batchOf(
          texts.map((text) => text.slice(0, length)),
          labels,
        ),
      ),
    );
  }
  const written = texts.slice(0, count).map((text) => text.slice(0, prompt));
  const stream = new RandomStream(deriveSeed(key, 'draws'));
  for (let length = prompt; length < LENGTH; length++) {
    const inputIds = int32([count, length], written.flat());
    const { logits } = await measure(context, loss.graph, ['logits'], { ...arena.tensors, inputIds });
    const width = SYMBOLS + 1;
    for (const [n, text] of written.entries()) {
      const at = (n * length + length - 1) * width;
      // the blank is no symbol of the language
      const scores = Array.from(logits!.data.subarray(at, at + SYMBOLS));
      const most = Math.max(...scores);
      const powers = scores.map((score) => Math.exp(score - most));
      const sum = powers.reduce((a, b) => a + b, 0);
      text.push(
        draw(
          powers.map((power) => power / sum),
          stream.uniform(),
        ),
      );
    }
  }
  return { honestLoss: spreadOf(honest).mean, legal: legalShare(source, written, prompt), sample: written[0]! };
}

/** Positions that the pictures of visibility show. */
const SHOWN = 8;

/**
 * How far each output depends on each input: ‖∂(r·logits_t)/∂e_s‖ for a random r, e_s the embedding with its position, of
 * a trained model on one text. Row t of the batch asks for output t.
 */
async function visibility(
  context: ExperimentContext,
  role: Role,
  arena: ParameterArena,
  source: MarkovSource,
): Promise<Matrix> {
  const { graph } = lossOf(role);
  const logits = findValue(graph, 'logits');
  const own = findValue(graph, 'embedding');
  const read = role === 'both' ? [findValue(graph, 'encoder.embedding')] : [];
  const found = gradients([{ value: logits, seed: input('r', 'float32', logits.shape) }], [...read, own]);
  const outputs = Object.fromEntries(found.map((value, i) => [String(i), value]));
  const [text] = markovTexts(source, { batch: 1, length: 2 * SHOWN }, deriveSeed(context.seed, 'shown')) as [number[]];
  const ids = role === 'both' ? [BLANK, ...text.slice(SHOWN, -1)] : text.slice(0, SHOWN);
  const repeated = (list: readonly number[]): number[] => Array.from({ length: SHOWN }, () => list).flat();
  const width = SYMBOLS + 1;
  const r = normal(deriveSeed(context.seed, 'r'), width);
  const asked = new Float32Array(SHOWN * SHOWN * width);
  for (let t = 0; t < SHOWN; t++) asked.set(r, (t * SHOWN + t) * width);
  const feeds: Tensors = {
    ...arena.tensors,
    inputIds: int32([SHOWN, SHOWN], repeated(ids)),
    ...(role === 'both' && { sourceIds: int32([SHOWN, SHOWN], repeated(text.slice(0, SHOWN))) }),
    r: float32([SHOWN, SHOWN, 1, width], asked),
  };
  const results = await measure(context, { outputs, names: new Map() }, Object.keys(outputs), feeds);
  const parts = Object.values(results).map(({ data }) => rowNorms(data, SHOWN * SHOWN));
  const name = role === 'both' ? nameOf.both : nameOf[role];
  const columns = role === 'both' ? [...places('x', SHOWN), ...places('y', SHOWN)] : places('x', SHOWN);
  return {
    name: role,
    title: name,
    rows: { label: { en: 'output', zh: '输出' }, names: places(role === 'both' ? 'y' : 'x', SHOWN) },
    columns: {
      label:
        role === 'both'
          ? { en: 'input: x the source, y its own text so far', zh: '输入：x 为源文，y 为已写的文本' }
          : { en: 'input; numbers are norms of gradients', zh: '输入；数字是梯度的范数' },
      names: columns,
    },
    values: Array.from({ length: SHOWN }, (_, t) => parts.flatMap((part) => part.slice(t * SHOWN, (t + 1) * SHOWN))),
  };
}

function places(letter: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${letter}${i}`);
}

/** Norms of `rows` equal parts. */
export function rowNorms(data: ArrayLike<number>, rows: number): number[] {
  const width = data.length / rows;
  return Array.from({ length: rows }, (_, row) => {
    let sum = 0;
    for (let i = row * width; i < (row + 1) * width; i++) sum += data[i]! ** 2;
    return Math.sqrt(sum);
  });
}

function lossChart(found: Readonly<Record<Role, readonly RoleRun[]>>, source: MarkovSource): Chart {
  const steps = found.encoder[0]!.losses.length * EVERY;
  const level = (name: Both, y: number) => ({
    name,
    points: [
      { x: EVERY, y },
      { x: steps, y },
    ],
    isReference: true,
  });
  return {
    name: 'loss',
    title: { en: 'Training loss, and the least that is possible', zh: '训练损失与可能的最小值' },
    x: { label: { en: 'steps', zh: '步数' }, scale: 'linear' },
    y: { label: { en: 'nats a symbol', zh: '每个符号的奈特数' }, scale: 'linear' },
    series: [
      level({ en: 'H(x | left)', zh: 'H(x | 左)' }, source.leftEntropy),
      level({ en: 'H(x | left, right)', zh: 'H(x | 左, 右)' }, source.bothEntropy),
      ...roles.map((role) => ({
        name: nameOf[role],
        points: found[role][0]!.losses.map((_, i) =>
          spreadPoint((i + 1) * EVERY, spreadOf(found[role].map(({ losses }) => losses[i]!))),
        ),
      })),
    ],
  };
}

function roleTable(
  found: Readonly<Record<Role, readonly RoleRun[]>>,
  { leftEntropy, bothEntropy }: MarkovSource,
): Table {
  const asked: Readonly<Record<Role, Both>> = {
    encoder: { en: 'a symbol between two that it sees', zh: '左右都可见的符号' },
    decoder: { en: 'the next symbol', zh: '下一个符号' },
    leaking: { en: 'the next symbol, which it sees', zh: '下一个符号（它看得见）' },
    both: { en: 'the next symbol, after reading the first half', zh: '读完前半后的下一个符号' },
  };
  return {
    name: 'roles',
    title: { en: 'Loss on new texts, nats a symbol', zh: '新文本上的损失（每个符号的奈特数）' },
    columns: [
      { en: 'model', zh: '模型' },
      { en: 'what it is asked for', zh: '要回答什么' },
      { en: 'loss', zh: '损失' },
      { en: 'least possible', zh: '可能的最小值' },
    ],
    rows: roles.map((role) => [
      nameOf[role],
      asked[role],
      spreadText(spreadOf(found[role].map(({ testLoss }) => testLoss))),
      role === 'encoder' ? bothEntropy : leftEntropy,
    ]),
  };
}

function generationTable(found: Readonly<Record<Role, readonly RoleRun[]>>): Table {
  const letters = (ids: readonly number[]): string => ids.map((id) => 'abcdefghijkl'[id]).join('');
  return {
    name: 'generation',
    title: { en: 'Writing from left to right, four symbols given', zh: '给定四个符号，从左到右续写' },
    columns: [
      { en: 'model', zh: '模型' },
      { en: 'loss when nothing comes after', zh: '后面什么都没有时的损失' },
      { en: 'symbols that may stand there', zh: '合法符号的比例' },
      { en: 'written', zh: '写出的文本' },
    ],
    rows: (['decoder', 'leaking'] as const).map((role) => [
      nameOf[role],
      spreadText(spreadOf(found[role].map(({ honestLoss }) => honestLoss!))),
      spreadText(spreadOf(found[role].map(({ legal }) => legal!)), percent),
      letters(found[role][0]!.sample!),
    ]),
  };
}

/** Whether an output depends on an input exactly where `sees` says. */
function seesExactly(matrix: Matrix, sees: (output: number, input: number) => boolean): boolean {
  return matrix.values.every((row, t) => row.every((value, s) => value > 0 === sees(t, s)));
}

function claimsOf(
  found: Readonly<Record<Role, readonly RoleRun[]>>,
  { leftEntropy, bothEntropy }: MarkovSource,
  matrices: readonly Matrix[],
): Claim[] {
  const of = (role: Role): Spread => spreadOf(found[role].map(({ testLoss }) => testLoss));
  const honest = (role: 'decoder' | 'leaking'): Spread => spreadOf(found[role].map(({ honestLoss }) => honestLoss!));
  const legal = (role: 'decoder' | 'leaking'): Spread => spreadOf(found[role].map((one) => one.legal!));
  const [encoder, decoder, leaking, both] = matrices as [Matrix, Matrix, Matrix, Matrix];
  const zeros = (matrix: Matrix): number => matrix.values.flat().filter((value) => value === 0).length;
  const isAt = (loss: Spread, entropy: number): boolean => Math.abs(loss.mean - entropy) < NEAR;
  const chance = 3 / SYMBOLS;
  return [
    {
      text: {
        en: 'An encoder sees everything; a decoder nothing that comes later; both together all of the source, and of their own text nothing that comes later',
        zh: '编码器看得见一切；解码器看不见后文；两者合起来看得见整个源文，而看不见自己文本的后文',
      },
      evidence: {
        en: `Gradients that are exactly 0, of ${SHOWN} × ${SHOWN} (both: ${SHOWN} × ${2 * SHOWN}): encoder ${zeros(encoder)}, decoder ${zeros(decoder)}, decoder without its mask ${zeros(leaking)}, encoder-decoder ${zeros(both)}; those above the diagonal are ${(SHOWN * (SHOWN - 1)) / 2}.`,
        zh: `恰为 0 的梯度（共 ${SHOWN} × ${SHOWN} 个，编码器-解码器为 ${SHOWN} × ${2 * SHOWN}）：编码器 ${zeros(encoder)}，解码器 ${zeros(decoder)}，去掉掩码的解码器 ${zeros(leaking)}，编码器-解码器 ${zeros(both)}；对角线以上共 ${(SHOWN * (SHOWN - 1)) / 2} 个。`,
      },
      holds:
        seesExactly(encoder, () => true) &&
        seesExactly(decoder, (t, s) => s <= t) &&
        seesExactly(leaking, () => true) &&
        seesExactly(both, (t, s) => s < SHOWN || s - SHOWN <= t),
    },
    {
      text: {
        en: 'A decoder comes to the entropy of the next symbol, and not below',
        zh: '解码器的损失降到下一个符号的熵，而不会更低',
      },
      evidence: {
        en: `Loss ${spreadText(of('decoder'))}, H(x | left) = ${figure(leftEntropy)}.`,
        zh: `损失 ${spreadText(of('decoder'))}，H(x | 左) = ${figure(leftEntropy)}。`,
      },
      holds: isAt(of('decoder'), leftEntropy) && of('decoder').low > leftEntropy - NEAR,
    },
    {
      text: {
        en: 'An encoder knows more of a symbol, since it sees what follows: it comes to the lower entropy given both neighbours',
        zh: '编码器看得见后文，知道得更多：损失降到左右都已知时更低的熵',
      },
      evidence: {
        en: `Loss ${spreadText(of('encoder'))}, H(x | left, right) = ${figure(bothEntropy)}.`,
        zh: `损失 ${spreadText(of('encoder'))}，H(x | 左, 右) = ${figure(bothEntropy)}。`,
      },
      holds: isAt(of('encoder'), bothEntropy) && of('encoder').high < of('decoder').low,
    },
    {
      text: {
        en: 'Both together know of what they write as much as a decoder',
        zh: '编码器-解码器对所写内容知道得与解码器一样多',
      },
      evidence: {
        en: `Loss ${spreadText(of('both'))} against ${spreadText(of('decoder'))}.`,
        zh: `损失 ${spreadText(of('both'))}，解码器 ${spreadText(of('decoder'))}。`,
      },
      holds: isAt(of('both'), leftEntropy),
    },
    {
      text: {
        en: 'Without the causal mask the loss is too good to be true: below what any reader from left to right can have',
        zh: '没有因果掩码，损失好得不真实：低于任何从左到右的读者所能达到的下限',
      },
      evidence: {
        en: `Loss on new texts ${spreadText(of('leaking'))}, the least possible ${figure(leftEntropy)}.`,
        zh: `新文本上的损失 ${spreadText(of('leaking'))}，可能的最小值 ${figure(leftEntropy)}。`,
      },
      holds: of('leaking').high < 0.5 * leftEntropy,
    },
    {
      text: {
        en: 'It has learned to copy, not to predict: where nothing comes after, it knows less than the honest decoder, and writes nonsense',
        zh: '它学会的是抄，而不是预测：后面没有内容时，它不如正常的解码器，写出来的也是胡话',
      },
      evidence: {
        en: `Loss when nothing comes after: ${spreadText(honest('leaking'))} against ${spreadText(honest('decoder'))}; symbols that may stand where it writes them: ${spreadText(legal('leaking'), percent)} against ${spreadText(legal('decoder'), percent)} (${percent(chance)} by chance).`,
        zh: `后面没有内容时的损失：${spreadText(honest('leaking'))}，正常解码器 ${spreadText(honest('decoder'))}；合法符号的比例：${spreadText(legal('leaking'), percent)}，正常解码器 ${spreadText(legal('decoder'), percent)}（瞎猜为 ${percent(chance)}）。`,
      },
      holds: honest('leaking').low > 2 * honest('decoder').high && legal('leaking').high < legal('decoder').low - 0.3,
    },
  ];
}
