import { Command } from 'commander';
import { QkvError } from '../../src/base/errors.ts';
import type { PatchedCell } from '../../src/inspect/activationPatching.ts';
import type { Edits } from '../../src/inspect/edits.ts';
import type { Inspection } from '../../src/inspect/inspection.ts';
import type { Reading } from '../../src/inspect/reading.ts';
import type { Score } from '../../src/inspect/score.ts';
import type { TokenChoice } from '../../src/inspect/wordHead.ts';
import { addEditOptions, type EditFlags, editsOf } from './inspectEdits.ts';
import { type OpenInspection, openInspection } from './openInspection.ts';
import { adapterFlag, modelArgument } from './openPretrained.ts';
import { numberText, table } from './table.ts';
import { textsOf } from './texts.ts';
import { oneOf, realNumber, wholeNumber } from './values.ts';

/** What every instrument is given. */
interface Looked {
  readonly opened: OpenInspection;
  readonly inspection: Inspection;
  readonly reading: Reading;
  readonly edits: Edits;
  readonly textOf: (id: number) => string;
}

/** What it gives: numbers for --json, and text for a reader. */
interface Shown {
  readonly json: object;
  readonly text: string;
}

interface CommonFlags extends EditFlags {
  target?: string;
  pair?: string;
  adapter?: string;
  json?: boolean;
}

interface Instrument<Flags> {
  readonly name: string;
  readonly summary: string;
  readonly example: string;
  /** What does not apply to it: edits, or a target, which it makes itself. */
  readonly without?: 'edits' | 'target';
  readonly addOptions?: (command: Command) => Command;
  readonly show: (looked: Looked, flags: Flags) => Promise<Shown>;
}

export function inspectCommand(): Command {
  const command = new Command().addHelpText(
    'after',
    [
      '',
      'Every instrument takes edits (--zero, --mean, --hide, --drop-mlp, --score-factor, --no-causal-mask, --no-positions)',
      'and --json. Positions count from 0; `predictions` shows which token stands where.',
      '',
      'Example:',
      '  qkv inspect predictions runs/tatoeba-en-zh "Where is the station?" --zero decoder.layers.1.crossAttention:0,3',
    ].join('\n'),
  );
  for (const instrument of instruments) command.addCommand(subcommand(instrument));
  return command;
}

function subcommand<Flags>({ name, summary, example, without, addOptions, show }: Instrument<Flags>): Command {
  const command = new Command(name)
    .description(summary)
    .argument('<MODEL>', modelArgument)
    .argument('<TEXT>', 'what the model reads');
  if (without !== 'target') {
    command
      .option('--target <text>', "of a translation (default: the model's own, greedy)")
      .option('--pair <text>', 'the second text of an encoder that knows segments');
  }
  addOptions?.(command);
  if (without !== 'edits') addEditOptions(command);
  return command
    .option(...adapterFlag)
    .option('--json', 'print the numbers as JSON')
    .addHelpText('after', `\nExample:\n  qkv inspect ${name} ${example}`)
    .action(async (path: string, text: string, flags: Flags & CommonFlags) => {
      await using opened = await openInspection(path, flags.adapter);
      const { inspection, textOf } = opened;
      const reading = await opened.read(text, without === 'target' ? noTarget(inspection) : flags);
      const edits = without === 'edits' ? {} : editsOf(flags);
      const shown = await show({ opened, inspection, reading, edits, textOf }, flags);
      const { ids, sourceIds } = reading;
      const json = {
        model: inspection.model.family,
        tokens: ids.map(textOf),
        ...(sourceIds && { sourceTokens: sourceIds.map(textOf) }),
        ...shown.json,
      };
      process.stdout.write(flags.json ? `${JSON.stringify(json, plainArrays)}\n` : shown.text);
    });
}

/** A translation that is begun anew has none. */
function noTarget({ model }: Inspection): { target?: string } {
  return model.kind === 'encoder-decoder' ? { target: '' } : {};
}

/** Typed arrays as lists. */
function plainArrays(_: string, value: unknown): unknown {
  return value instanceof Float32Array ? [...value] : value;
}

// ------------------------------------------------------------------ shared options

const withTop = (command: Command): Command =>
  command.option('--top <n>', 'tokens for each position', wholeNumber('--top', { min: 1 }), 5);
const positionFlag = [
  '--position <n>',
  'where (default: the last position)',
  wholeNumber('--position', { min: 0 }),
] as const;

interface ScoreFlags {
  position?: number;
  token?: string;
  against?: string;
}

const withScore = (command: Command): Command =>
  command
    .option(...positionFlag)
    .option('--token <token>', 'a text of one token, or #ID (default: the likeliest there)')
    .option('--against <token>', 'look at the difference to the logit of this one');

async function scoreFrom({ inspection, reading, edits, opened }: Looked, flags: ScoreFlags): Promise<Score> {
  const { predictions } = await import('../../src/inspect/predictions.ts');
  const position = flags.position ?? reading.ids.length - 1;
  const likeliest = async (): Promise<number> => {
    const { choices } = await predictions(inspection, reading, { edits, top: 1, positions: [position] });
    return choices[0]![0]!.id;
  };
  const token = flags.token === undefined ? await likeliest() : tokenOf(opened, '--token', flags.token);
  return {
    position,
    token,
    ...(flags.against !== undefined && { against: tokenOf(opened, '--against', flags.against) }),
  };
}

function tokenOf({ tokenizer }: OpenInspection, flag: string, text: string): number {
  if (/^#\d+$/.test(text)) return Number(text.slice(1));
  const known = tokenizer.tokenToId(text);
  if (known !== undefined) return known;
  const { ids } = tokenizer.encode(text, { addSpecialTokens: false });
  if (ids.length === 1) return ids[0]!;
  throw new QkvError('usage', {
    where: flag,
    got: `${JSON.stringify(text)}, which is ${ids.length} tokens`,
    expected: 'a text of one token, or #ID',
  });
}

function choicesText(choices: readonly TokenChoice[], textOf: Looked['textOf']): string {
  return choices.map(({ id, probability }) => `${legible(textOf(id))} ${probability.toFixed(3)}`).join('  ');
}

function withTexts(choices: readonly TokenChoice[], textOf: Looked['textOf']): object[] {
  return choices.map((choice) => ({ ...choice, token: textOf(choice.id) }));
}

/** A token on one line, its spaces seen. */
function legible(text: string): string {
  const escaped = JSON.stringify(text).slice(1, -1);
  return /^\s|\s$|^$/.test(text) ? `"${escaped}"` : escaped;
}

const scoreText = ({ position, token, against }: Score, textOf: Looked['textOf']): string =>
  `logit of ${legible(textOf(token))}${against === undefined ? '' : ` less that of ${legible(textOf(against))}`} at position ${position}`;

const methods = ['gradient-input', 'integrated-gradients', 'rollout'] as const;
const units = ['whole', 'position', 'head', 'head-position'] as const;

/** Rows of numbers, one for each token of each side. */
function sidesText(
  { reading, textOf }: Looked,
  found: { readonly source: ArrayLike<number>; readonly target: ArrayLike<number> },
): string {
  const rows = (ids: readonly number[], values: ArrayLike<number>): string[][] =>
    ids.map((id, i) => [`${i}`, legible(textOf(id)), numberText(values[i] ?? 0)]);
  const heading = ['position', 'token', 'attribution'];
  const source =
    found.source.length > 0 ? `source\n${table(heading, rows(reading.sourceIds!, found.source))}\ntarget\n` : '';
  return `${source}${table(heading, rows(reading.ids, found.target))}`;
}

/** Shares of the score that patches restore: by position or by head as a grid, else one behind the other. */
function cellsText({ reading, textOf }: Looked, cells: readonly PatchedCell[], by: (typeof units)[number]): string {
  if (by === 'whole' || by === 'head-position') {
    const rows = cells.map(({ name, head, position, restored }) => [
      name,
      `${head ?? ''}`,
      `${position ?? ''}`,
      restored.toFixed(3),
    ]);
    return `restored\n${table(['value', 'head', 'position', 'restored'], rows)}`;
  }
  const grids = Map.groupBy(cells, ({ name }) => name);
  const longest = Math.max(...[...grids.values()].map((row) => row.length));
  const isSource = cells.every(({ name }) => name.startsWith('encoder.'));
  const ids = isSource ? reading.sourceIds! : reading.ids;
  const heading = Array.from({ length: longest }, (_, i) =>
    by === 'head' ? `head ${i}` : ids[i] === undefined ? `${i}` : legible(textOf(ids[i])),
  );
  const rows = [...grids].map(([name, row]) => [name, ...row.map(({ restored }) => restored.toFixed(3))]);
  return `restored\n${table(['value', ...heading], rows)}`;
}

async function rolloutOf(looked: Looked, flags: ScoreFlags): Promise<Shown> {
  if (flags.token !== undefined || flags.against !== undefined) {
    const where = flags.token === undefined ? '--against' : '--token';
    throw new QkvError('usage', { where, got: 'the method rollout', expected: 'a method that asks for a token' });
  }
  const { attentionRollout } = await import('../../src/inspect/rollout.ts');
  const { inspection, reading, edits } = looked;
  const position = flags.position ?? reading.ids.length - 1;
  const { checkedPositions } = await import('../../src/inspect/predictions.ts');
  checkedPositions(reading, [position]);
  const rollout = await attentionRollout(inspection, reading, edits);
  const matrix = (rollout.decoder ?? rollout.encoder)!;
  const length = reading.ids.length;
  const width = matrix.length / length;
  const row = matrix.slice(position * width, (position + 1) * width);
  const found = { target: row.slice(0, length), source: row.slice(length) };
  return {
    json: { method: 'rollout', position, ...found },
    text: `what is in position ${position} after the last layer, by attention\n${sidesText(looked, found)}`,
  };
}

async function fileIn(path: string) {
  const [{ dirname, basename }, { nodeStorage }] = await Promise.all([
    import('node:path'),
    import('../../src/checkpoint/storage.node.ts'),
  ]);
  return { storage: nodeStorage(dirname(path)), file: basename(path) };
}

async function loadLens(path: string) {
  const { loadTunedLens } = await import('../../src/inspect/tunedLens.ts');
  const { storage, file } = await fileIn(path);
  return loadTunedLens(storage, file);
}

// ------------------------------------------------------------------ instruments

function instrument<Flags>(one: Instrument<Flags>): Instrument<never> {
  return one as unknown as Instrument<never>;
}

const instruments: readonly Instrument<never>[] = [
  instrument<{ top: number; temperature?: number }>({
    name: 'predictions',
    summary: 'the likeliest tokens at every position, and the loss of those that came',
    example: 'runs/shakespeare "To be, or not" --top 3',
    addOptions: (command) =>
      withTop(command).option('--temperature <t>', 'of the probabilities', realNumber('--temperature', { above: 0 })),
    async show({ inspection, reading, edits, textOf }, { top, temperature = 1 }) {
      const { predictions } = await import('../../src/inspect/predictions.ts');
      const found = await predictions(inspection, reading, { edits, top, temperature });
      const rows = found.positions.map((position, i) => {
        const loss = found.loss[i]!;
        return [
          `${position}`,
          legible(textOf(reading.ids[position]!)),
          loss === null ? '' : numberText(loss),
          numberText(found.entropy[i]!),
          choicesText(found.choices[i]!, textOf),
        ];
      });
      return {
        json: { ...found, choices: found.choices.map((choices) => withTexts(choices, textOf)) },
        text: table(['position', 'token', 'loss', 'entropy', 'says'], rows),
      };
    },
  }),
  instrument({
    name: 'loss',
    summary: 'the loss of every token: −log P, nats',
    example: 'runs/shakespeare "To be, or not to be"',
    async show({ inspection, reading, edits, textOf }) {
      const { targetsOf, tokenLosses } = await import('../../src/inspect/predictions.ts');
      const found = await tokenLosses(inspection, reading, edits);
      const targets = targetsOf(inspection.model, reading);
      const rows = found.loss.flatMap((loss, i) =>
        loss === null ? [] : [[`${i}`, legible(textOf(targets[i]!)), numberText(loss)]],
      );
      const text = table(['position', 'token', 'loss'], [...rows, ['', 'mean', numberText(found.mean)]]);
      return { json: found, text };
    },
  }),
  instrument<{ path?: string }>({
    name: 'attention',
    summary: 'the attention maps',
    example: 'runs/tatoeba-en-zh "I like music." --path decoder.layers.1.crossAttention',
    addOptions: (command) => command.option('--path <path>', 'of one attention (default: all)'),
    async show({ inspection, reading, edits, textOf }, { path }) {
      const { attentionMaps, headWeights } = await import('../../src/inspect/attention.ts');
      const paths = path === undefined ? undefined : [path];
      const maps = await attentionMaps(inspection, reading, { edits, paths });
      const text = maps.flatMap((map) =>
        Array.from({ length: map.heads }, (_, head) => {
          const weights = headWeights(map, head);
          const keys = map.keyIds.length;
          const rows = map.queryIds.map((id, t) => [
            `${t}`,
            legible(textOf(id)),
            ...[...weights.subarray(t * keys, (t + 1) * keys)].map((weight) => weight.toFixed(2)),
          ]);
          const heading = ['', '', ...map.keyIds.map((id) => legible(textOf(id)))];
          return `${map.path}, head ${head}\n${table(heading, rows)}`;
        }),
      );
      const json = maps.map(({ path: at, kind, layer, heads, weights }) => ({
        path: at,
        kind,
        layer,
        heads,
        shape: weights.shape,
        weights: weights.data,
      }));
      return { json: { attention: json }, text: text.join('\n') };
    },
  }),
  instrument<{ path?: string; head: number; position?: number }>({
    name: 'steps',
    summary: "one token's way through one head and its layer: q, k, v, scores, softmax, context, W^O, residual stream",
    example: 'runs/shakespeare "To be, or not to be" --path layers.0.attention --head 2 --position 5',
    addOptions: (command) =>
      command
        .option('--path <path>', 'of the attention (default: the last)')
        .option('--head <n>', 'counted from 0', wholeNumber('--head', { min: 0 }), 0)
        .option(...positionFlag),
    async show({ inspection, reading, edits, textOf }, flags) {
      const [{ headSteps }, { placesOf }] = await Promise.all([
        import('../../src/inspect/headSteps.ts'),
        import('../../src/inspect/attention.ts'),
      ]);
      const path = flags.path ?? placesOf(inspection.pass).at(-1)!.path;
      const isSource = inspection.model.kind === 'encoder-decoder' && path.startsWith('encoder.');
      const queries = isSource ? reading.sourceIds! : reading.ids;
      const position = flags.position ?? queries.length - 1;
      const steps = await headSteps(inspection, reading, { path, head: flags.head, position, edits });
      const keys = path.endsWith('crossAttention') ? reading.sourceIds! : queries;
      const rows = keys.map((id, s) => [
        `${s}`,
        legible(textOf(id)),
        ...[steps.products, steps.scaled, steps.masked, steps.weights].map((values) => numberText(values[s]!)),
      ]);
      const parts = ['before', 'out', 'sum', 'after'] as const;
      const vectors = [
        ...(['query', 'context'] as const).map((name) => [name, steps[name]] as const),
        ...steps.sublayers.flatMap((one) => parts.map((part) => [`${one.name}.${part}`, one[part]] as const)),
      ].map(([name, vector]) => {
        const values = [...vector];
        const first = values.slice(0, 6).map(numberText).join(' ');
        return [
          name,
          `${values.length}`,
          numberText(Math.hypot(...values)),
          `${first}${values.length > 6 ? ' …' : ''}`,
        ];
      });
      const title = `${path}, head ${flags.head}, position ${position} (${legible(textOf(queries[position]!))}); d_k ${steps.headSize}, scale ${numberText(steps.scale)}`;
      return {
        json: steps,
        text: `${title}\n${table(['key', 'token', 'q·k', 'scaled', 'masked', 'weight'], rows)}\n${table(['vector', 'size', 'length', 'values'], vectors)}`,
      };
    },
  }),
  instrument<{ top: number; position?: number; tuned?: string }>({
    name: 'lens',
    summary: 'what the model would say after each layer',
    example: 'runs/shakespeare "To be, or not to" --top 3',
    addOptions: (command) =>
      withTop(command)
        .option(...positionFlag)
        .option('--tuned <file>', 'the tuned lens of this file, as `tune-lens` writes it'),
    async show({ inspection, reading, edits, textOf }, { top, position = reading.ids.length - 1, tuned }) {
      const { lens } = await import('../../src/inspect/lens.ts');
      const positions = [position];
      const loaded = tuned === undefined ? undefined : await loadLens(tuned);
      const found = await lens(inspection, reading, { edits, top, positions, tuned: loaded });
      const rows = found.layers.map((name, i) => [
        name,
        numberText(found.entropy[i]![0]!),
        choicesText(found.choices[i]![0]!, textOf),
      ]);
      return {
        json: { ...found, choices: found.choices.map((layer) => layer.map((choices) => withTexts(choices, textOf))) },
        text: `position ${position} (${legible(textOf(reading.ids[position]!))})\n${table(['after', 'entropy', 'says'], rows)}`,
      };
    },
  }),
  instrument<{ out: string; steps: number; file?: string; learningRate?: number }>({
    name: 'tune-lens',
    summary: 'learns a tuned lens from TEXT and the lines of a file, and writes it as safetensors',
    example: 'runs/shakespeare "To be, or not to be" --file lines.txt --steps 1000 --out lens.safetensors',
    without: 'edits',
    addOptions: (command) =>
      command
        .option('--file <file>', 'further texts, one a line')
        .requiredOption('--out <file>', 'where it goes')
        .option('--steps <n>', 'texts, over and over', wholeNumber('--steps', { min: 1 }), 100)
        .option('--learning-rate <x>', 'of Adam (default: 0.001)', realNumber('--learning-rate', { above: 0 })),
    async show({ opened, inspection, reading }, { out, steps, file: lines, learningRate }) {
      const { saveTunedLens, trainTunedLens } = await import('../../src/inspect/tunedLens.ts');
      const readings = [reading];
      let number = 0;
      for await (const text of lines === undefined ? [] : textsOf({ texts: [], file: lines })) {
        number++;
        if (text) readings.push(await opened.read(text, { where: `${lines}:${number}` }));
        if (readings.length === steps) break; // no more are learned from
      }
      const divergences: number[] = [];
      const lens = await trainTunedLens(inspection, readings, {
        steps,
        ...(learningRate !== undefined && { learningRate }),
        onStep: (_, divergence) => void divergences.push(divergence),
      });
      const { storage, file } = await fileIn(out);
      await saveTunedLens(storage, file, lens);
      const [first, last] = [divergences[0]!, divergences.at(-1)!];
      return {
        json: { out, divergences },
        text: `${out}: KL(model ‖ lens) from ${numberText(first)} to ${numberText(last)} nats a token\n`,
      };
    },
  }),
  instrument({
    name: 'statistics',
    summary: 'how each head looks: entropy, distance, previous token, first, self, induction, duplicate',
    example: 'runs/shakespeare "To be, or not to be"',
    async show({ inspection, reading, edits }) {
      const { headStatistics } = await import('../../src/inspect/headStatistics.ts');
      const found = await headStatistics(inspection, reading, edits);
      const names = ['entropy', 'distance', 'previous', 'first', 'self', 'induction', 'duplicate'] as const;
      const rows = found.map((one) => [one.place.path, `${one.head}`, ...names.map((name) => one[name].toFixed(3))]);
      return {
        json: { heads: found.map(({ place, ...rest }) => ({ path: place.path, ...rest })) },
        text: table(['attention', 'head', ...names], rows),
      };
    },
  }),
  instrument({
    name: 'norms',
    summary: 'the length of the residual stream at every position, after every layer',
    example: 'runs/shakespeare "To be, or not to be"',
    async show({ inspection, reading, edits, textOf }) {
      const { residualNorms } = await import('../../src/inspect/residualNorms.ts');
      const found = await residualNorms(inspection, reading, edits);
      const text = found.map(({ stack, layers, length, norms }) => {
        const isSource = stack === 'encoder' && reading.sourceIds !== undefined;
        const ids = isSource ? reading.sourceIds! : reading.ids;
        const rows = layers.map((name, i) => [
          name,
          ...[...norms.subarray(i * length, (i + 1) * length)].map((norm) => norm.toFixed(2)),
        ]);
        return table(['after', ...ids.map((id) => legible(textOf(id)))], rows);
      });
      return { json: { stacks: found }, text: text.join('\n') };
    },
  }),
  instrument<ScoreFlags & { method: (typeof methods)[number]; steps?: number }>({
    name: 'attribution',
    summary: 'how much each token is behind the choice of a token',
    example: 'runs/shakespeare "To be, or not to" --method integrated-gradients',
    addOptions: (command) =>
      withScore(command)
        .option('--method <method>', methods.join(', '), oneOf('--method', methods), 'gradient-input')
        .option('--steps <n>', 'points of integrated gradients (default: 50)', wholeNumber('--steps', { min: 1 })),
    async show(looked, { method, steps, ...flags }) {
      if (steps !== undefined && method !== 'integrated-gradients') {
        throw new QkvError('usage', {
          where: '--steps',
          got: `the method ${method}`,
          expected: 'integrated-gradients',
        });
      }
      if (method === 'rollout') return await rolloutOf(looked, flags);
      const { inspection, reading, edits, textOf } = looked;
      const { gradientTimesInput, integratedGradients } = await import('../../src/inspect/attribution.ts');
      const score = await scoreFrom(looked, flags);
      if (method === 'gradient-input') {
        const found = await gradientTimesInput(inspection, reading, score, { edits });
        const title = `${scoreText(score, textOf)}: ${numberText(found.score)}`;
        return { json: { method, at: score, ...found }, text: `${title}\n${sidesText(looked, found)}` };
      }
      const found = await integratedGradients(inspection, reading, score, {
        edits,
        ...(steps !== undefined && { steps }),
      });
      const rest = `at embeddings of zero ${numberText(found.baseline)}, not accounted for ${numberText(found.gap)}`;
      return {
        json: { method, at: score, ...found },
        text: `${scoreText(score, textOf)}: ${numberText(found.score)}; ${rest}\n${sidesText(looked, found)}`,
      };
    },
  }),
  instrument<ScoreFlags>({
    name: 'direct-logit',
    summary: 'what each head and each MLP adds to a logit by itself',
    example: 'runs/shakespeare "To be, or not to"',
    addOptions: withScore,
    async show(looked, flags) {
      const { directLogitAttribution } = await import('../../src/inspect/directLogit.ts');
      const score = await scoreFrom(looked, flags);
      const found = await directLogitAttribution(looked.inspection, looked.reading, score, { edits: looked.edits });
      const rows = found.parts.map(({ name, head, value }) => [
        name,
        head === null ? '' : `${head}`,
        numberText(value),
      ]);
      const title = `${scoreText(score, looked.textOf)}: ${numberText(found.score)}`;
      return { json: { at: score, ...found }, text: `${title}\n${table(['part', 'head', 'adds'], rows)}` };
    },
  }),
  instrument<ScoreFlags & { clean: string; cleanTarget?: string; names: string[]; by: (typeof units)[number] }>({
    name: 'patching',
    summary:
      'puts values of the text --clean, one by one, into the reading of TEXT, and looks what that does to a logit',
    example:
      'runs/shakespeare "KING RICHARD II:" --clean "KING EDWARD IV:" --names "layers.*.residualPre" --by position',
    addOptions: (command) =>
      withScore(command)
        .requiredOption('--clean <text>', 'of as many tokens as TEXT')
        .option('--clean-target <text>', 'of a translation (default: that of TEXT)')
        .option('--names <pattern...>', 'which values', ['**.residualPre'])
        .option('--by <unit>', units.join(', '), oneOf('--by', units), 'position'),
    async show(looked, { clean: cleanText, cleanTarget, names, by, ...flags }) {
      const { inspection, reading, edits, textOf, opened } = looked;
      const { activationPatching } = await import('../../src/inspect/activationPatching.ts');
      const other = await opened.read(cleanText, {
        ...noTarget(inspection),
        ...(cleanTarget !== undefined && { target: cleanTarget }),
      });
      const clean = cleanTarget === undefined && reading.sourceIds ? { ...other, ids: reading.ids } : other;
      // the token that the clean text is for
      const score = await scoreFrom({ ...looked, reading: clean }, flags);
      const found = await activationPatching(inspection, clean, reading, {
        names,
        by: by === 'head-position' ? 'head and position' : by,
        score,
        edits,
      });
      const title = `${scoreText(score, textOf)}: clean ${numberText(found.clean)}, TEXT ${numberText(found.corrupt)}`;
      return {
        json: { at: score, ...found },
        text: `${title}\n${cellsText(looked, found.cells, by)}`,
      };
    },
  }),
  instrument<{ names?: string[] }>({
    name: 'values',
    summary: 'any named values, by name or pattern; without --names, the names that there are',
    example: 'runs/shakespeare "To be" --names "layers.*.residualPost" --json',
    addOptions: (command) => command.option('--names <pattern...>', 'e.g. "layers.*.attention.query", "**.mlpOut"'),
    async show({ inspection, reading, edits }, { names = [] }) {
      const { capture, valueNames } = await import('../../src/inspect/capture.ts');
      const known = valueNames(inspection);
      if (names.length === 0 && Object.keys(edits).length > 0) {
        throw new QkvError('usage', { where: 'qkv inspect values', got: 'edits alone', expected: '--names as well' });
      }
      if (names.length === 0) return { json: { names: known }, text: `${known.join('\n')}\n` };
      const found = [...(await capture(inspection, reading, names, { edits }))];
      const rows = found.map(([name, { shape, data }]) => {
        const first = [...data.slice(0, 6)].map(numberText).join(' ');
        return [name, `[${shape.join(', ')}]`, `${first}${data.length > 6 ? ' …' : ''}`];
      });
      const values = found.map(([name, { shape, data }]) => ({ name, shape, data: [...data] }));
      return { json: { values }, text: table(['name', 'shape', 'values'], rows) };
    },
  }),
  instrument<{ maxNewTokens: number; temperature?: number; topK?: number; seed?: number }>({
    name: 'continue',
    summary: 'continues the text, or translates it anew, under the edits',
    example: 'runs/tatoeba-en-zh "I like music." --zero decoder.layers.1.crossAttention',
    without: 'target',
    addOptions: (command) =>
      command
        .option('--max-new-tokens <n>', 'at most', wholeNumber('--max-new-tokens', { min: 1 }), 40)
        .option('--temperature <t>', '0: always the likeliest (default)', realNumber('--temperature', { min: 0 }))
        .option('--top-k <n>', 'draw from these', wholeNumber('--top-k', { min: 1 }))
        .option('--seed <n>', 'of what is drawn', wholeNumber('--seed', { min: 0 })),
    async show({ inspection, reading, edits, opened, textOf }, flags) {
      const { continueEdited } = await import('../../src/inspect/continueEdited.ts');
      const idle = (['topK', 'seed'] as const).find((name) => flags[name] !== undefined);
      if (idle && !flags.temperature) {
        const where = idle === 'topK' ? '--top-k' : '--seed';
        throw new QkvError('usage', {
          where,
          got: 'no temperature',
          expected: '--temperature above 0: nothing is drawn',
        });
      }
      // a translation begins anew; its start token is the first
      const begun = reading.sourceIds ? { ...reading, ids: reading.ids.slice(0, 1) } : reading;
      const ids = await Array.fromAsync(continueEdited(inspection, begun, { edits, ...flags }));
      const text = opened.tokenizer.decode([...(reading.sourceIds ? [] : reading.ids), ...ids], {
        skipSpecialTokens: true,
      });
      return { json: { text, ids, newTokens: ids.map(textOf) }, text: `${text}\n` };
    },
  }),
];
