import { QkvError } from '../../../../src/base/errors.ts';
import { attentionMaps, isOfSource } from '../../../../src/inspect/attention.ts';
import { headStatistics } from '../../../../src/inspect/headStatistics.ts';
import { headSteps } from '../../../../src/inspect/headSteps.ts';
import { lens } from '../../../../src/inspect/lens.ts';
import { predictions } from '../../../../src/inspect/predictions.ts';
import type { Reading } from '../../../../src/inspect/reading.ts';
import { residualNorms } from '../../../../src/inspect/residualNorms.ts';
import { loadTunedLens, tunedLensFile } from '../../../../src/inspect/tunedLens.ts';
import type { TokenChoice } from '../../../../src/inspect/wordHead.ts';
import { loadPretrained } from '../../../../src/pretrained/pretrained.ts';
import type { Backend } from '../../../../src/runtime/web/ort.ts';
import { createWebRuntime, type WebRuntime } from '../../../../src/runtime/web/web.ts';
import type { AttentionMap, Choice, Edits, Engine, TextInput } from './contract.ts';
import { explain } from './explain.ts';
import { Jobs } from './jobs.ts';
import { OpenModel } from './openModel.ts';
import { examplesFile, openSource, type Places, readExamples } from './openSource.ts';
import { ortFiles } from './ortFiles.ts';
import type { Wanted } from './wanted.ts';
import { writeText } from './writeText.ts';

/** Models that are open at once: two can be compared. One more closes that which was used longest ago. */
const MOST_MODELS = 2;
/** Maps of at most so many bytes are computed all at once and kept, so that to look at others costs nothing. */
const KEPT_BYTES = 2 ** 25;

/** The engine on `qkv/web`, in this thread. */
export function createEngine(places: Places, asked: Backend): Engine {
  const jobs = new Jobs();
  const models = new Map<number, OpenModel>();
  /** Models whose generation was told to end. */
  const stopped = new Set<number>();
  let next = 1;
  let made: Promise<WebRuntime> | undefined;
  let refusal: string | null = null;
  const make = (backend: Backend): Promise<WebRuntime> =>
    createWebRuntime({ backend, wasmPaths: ortFiles(places.baseUrl, backend) });
  const runtime = (): Promise<WebRuntime> => {
    made ??= make(asked).catch((error: unknown) => {
      if (asked === 'wasm') throw error;
      refusal = error instanceof Error ? error.message : String(error);
      return make('wasm');
    });
    return made;
  };

  const find = (number: number): OpenModel => {
    const model = models.get(number);
    if (!model) {
      const expected = 'one that is open: a third model closes the first';
      throw new QkvError('usage', { where: `model ${number}`, got: 'one that was closed', expected });
    }
    models.delete(number);
    models.set(number, model); // the last in the order of use
    return model;
  };
  /** A job on a model, in place of an unfinished one of the same name. */
  const on = <T>(number: number, name: string, work: (model: OpenModel, wanted: Wanted) => Promise<T>): Promise<T> =>
    jobs.run(`${name} ${number}`, (wanted) => work(find(number), wanted));
  const read = <T>(
    number: number,
    name: string,
    input: TextInput,
    work: (model: OpenModel, reading: Reading, wanted: Wanted) => Promise<T>,
  ): Promise<T> => on(number, name, async (model, wanted) => work(model, await model.readingOf(input, wanted), wanted));

  return {
    async info() {
      const { backend, threads } = await runtime();
      return { backend, refusal, threads, isCrossOriginIsolated: globalThis.crossOriginIsolated };
    },

    async open(source, onProgress) {
      const number = next++;
      // what comes from afar keeps nobody waiting: only then is it a job
      const storage = await openSource(source, places, onProgress);
      const files = await storage.list();
      const examples = files.includes(examplesFile) ? await readExamples(storage) : [];
      const tunedLens = files.includes(tunedLensFile) ? await loadTunedLens(storage, tunedLensFile) : undefined;
      const pretrained = await loadPretrained(storage);
      onProgress({ what: 'compiling' });
      const name = source.kind === 'hub' ? source.id : source.name;
      const given = await runtime();
      return jobs.run(`open ${number}`, async () => {
        const model = new OpenModel(given, pretrained, { model: number, name, examples }, tunedLens);
        models.set(number, model);
        for (const [old, unused] of [...models].slice(0, -MOST_MODELS)) {
          models.delete(old);
          unused[Symbol.dispose]();
        }
        return model.card;
      });
    },

    close: (number) =>
      jobs.run(`close ${number}`, async () => {
        models.get(number)?.[Symbol.dispose]();
        models.delete(number);
      }),

    read: (number, input) => read(number, 'read', input, async (model, reading) => model.shownReading(input, reading)),

    attention: (number, input, edits, paths) =>
      read(number, 'attention', input, (model, reading) => mapsOf(model, reading, edits, paths)),

    steps: (number, input, edits, { path, head, position }) =>
      read(number, 'steps', input, async ({ inspection }, reading) => {
        const { place, ...steps } = await headSteps(inspection, reading, { path, head, position, edits });
        const { kind, layer, heads } = place;
        return { ...steps, place: { path, kind, layer, heads } };
      }),

    predictions: (number, input, edits, { top, temperature }) =>
      read(number, 'predictions', input, async (model, reading, wanted) => {
        const targets = await model.targetsOf(input, wanted);
        const options = { edits, top, temperature, ...(targets && { targets }) };
        const found = await predictions(model.inspection, reading, options);
        const choices = found.choices.map((row) => row.map((choice) => named(model, choice)));
        return { positions: found.positions, choices, loss: found.loss };
      }),

    lens: (number, input, edits, { top, kind = 'logit' }) =>
      read(number, 'lens', input, async (model, reading) => {
        const tuned = kind === 'tuned' ? model.tunedLens : undefined;
        if (kind === 'tuned' && !tuned) {
          const expected = `${tunedLensFile} beside its weights`;
          throw new QkvError('usage', { where: 'tuned lens', got: 'a model without one', expected });
        }
        const { layers, positions, choices, entropy } = await lens(model.inspection, reading, { edits, top, tuned });
        const byLayer = choices.map((rows) => rows.map((row) => row.map((choice) => named(model, choice))));
        return { kind, layers, positions, choices: byLayer, entropy };
      }),

    statistics: (number, input, edits) =>
      read(number, 'statistics', input, async ({ inspection }, reading) => {
        const found = await headStatistics(inspection, reading, edits);
        return found.map(({ place: { path, kind, layer, heads }, ...rest }) => ({
          ...rest,
          place: { path, kind, layer, heads },
        }));
      }),

    norms: (number, input, edits) =>
      read(number, 'norms', input, async ({ inspection }, reading) => {
        const found = await residualNorms(inspection, reading, edits);
        return found.map(({ stack, norms }) => ({ name: stack, norms }));
      }),

    attribution: (number, input, edits, at) =>
      read(number, 'attribution', input, ({ inspection }, reading) => explain(inspection, reading, edits, at)),

    generate: (number, input, edits, request, onToken) =>
      on(number, 'generate', async (model, wanted) => {
        stopped.delete(number);
        const isStopped = (): boolean => stopped.has(number);
        const { ids, text } = await writeText(model, input, edits, request, onToken, { ...wanted, isStopped });
        return { text, tokens: model.tokensOf(ids) };
      }),

    // no job: it must not wait for what it ends
    stop: async (number) => {
      stopped.add(number);
    },
  };
}

function named({ tokensOf }: OpenModel, { id, ...scores }: TokenChoice): Choice {
  return { token: tokensOf([id])[0]!, ...scores };
}

async function mapsOf(
  model: OpenModel,
  reading: Reading,
  edits: Edits,
  paths: readonly string[] | undefined,
): Promise<AttentionMap[]> {
  const { inspection, places } = model;
  const longest = Math.max(reading.ids.length, reading.sourceIds?.length ?? 0);
  const bytes = places.reduce((sum, { heads }) => sum + 4 * heads * longest ** 2, 0);
  const key = JSON.stringify([reading, edits]);
  if (model.lastMaps?.key !== key && bytes <= KEPT_BYTES) {
    model.lastMaps = { key, maps: await attentionMaps(inspection, reading, { edits }) };
  }
  const kept = model.lastMaps?.key === key ? model.lastMaps.maps : undefined;
  const isAsked = (path: string): boolean => paths?.includes(path) ?? true;
  const maps =
    kept?.filter(({ path }) => isAsked(path)) ?? (await attentionMaps(inspection, reading, { edits, paths }));
  return maps.map((map) => {
    const { path, kind, layer, heads } = map;
    const queries = isOfSource(inspection.model, map) ? 'source' : 'target';
    const weights = map.weights.data as Float32Array;
    return {
      place: { path, kind, layer, heads },
      queries,
      keys: kind === 'cross' ? 'source' : queries,
      // what is sent leaves this thread
      weights: kept ? weights.slice() : weights,
    };
  });
}
