import { QkvError } from '../../../../src/base/errors.ts';
import { generate } from '../../../../src/generate/generate.ts';
import type { GenerateOptions } from '../../../../src/generate/options.ts';
import { GenerationSession } from '../../../../src/generate/session.ts';
import { findValue } from '../../../../src/graph/graph.ts';
import { type LayerAttention, placesOf } from '../../../../src/inspect/attention.ts';
import { Inspection } from '../../../../src/inspect/inspection.ts';
import { checkReading, type Reading, readingOf } from '../../../../src/inspect/reading.ts';
import type { TunedLens } from '../../../../src/inspect/tunedLens.ts';
import { encodeTexts } from '../../../../src/pretrained/encodeTexts.ts';
import { maskOf } from '../../../../src/pretrained/fillMask.ts';
import { forMode, generationDefaults } from '../../../../src/pretrained/generationDefaults.ts';
import type { Pretrained } from '../../../../src/pretrained/pretrained.ts';
import type { Runtime } from '../../../../src/runtime/runtime.ts';
import { type ReadableToken, tokenReader } from '../../../../src/tokenizer/readableTokens.ts';
import type { Tokenizer } from '../../../../src/tokenizer/tokenizer.ts';
import { commonExamples } from './commonExamples.ts';
import type { ModelCard, Place, Reading as ShownReading, TextInput } from './contract.ts';
import type { Wanted } from './wanted.ts';

/** Translations that are kept: what is looked at in one way after the other is translated once. */
const KEPT = 8;

/** A model in the worker, with all that its calls share. */
export class OpenModel implements Disposable {
  readonly card: ModelCard;
  readonly tokenizer: Tokenizer;
  readonly inspection: Inspection;
  readonly tokensOf: (ids: readonly number[]) => ReadableToken[];
  readonly places: readonly Place[];
  readonly tunedLens: TunedLens | undefined;
  /** How it generates when nothing else is said. */
  readonly defaults: GenerateOptions;
  /** The maps of the last reading, where they are not too large to keep. */
  lastMaps: { readonly key: string; readonly maps: readonly LayerAttention[] } | undefined;
  readonly #runtime: Runtime;
  readonly #kept: Disposable | undefined;
  readonly #pretrained: Pretrained;
  #session: GenerationSession | undefined;
  readonly #translations = new Map<string, readonly number[]>();

  /** @throws QkvError `tokenizer` for a model without one */
  constructor(
    runtime: Runtime,
    pretrained: Pretrained,
    facts: Pick<ModelCard, 'model' | 'name' | 'examples'>,
    tunedLens?: TunedLens,
  ) {
    const { model, arena, tokenizer, generationConfig, location } = pretrained;
    if (!tokenizer) {
      throw new QkvError('tokenizer', {
        where: location,
        got: 'no tokenizer.json',
        expected: 'one beside config.json, to turn text into tokens',
      });
    }
    this.#runtime = runtime;
    this.#pretrained = pretrained;
    this.tokenizer = tokenizer;
    this.tunedLens = tunedLens;
    this.tokensOf = tokenReader(tokenizer);
    this.defaults = model.kind === 'encoder' ? {} : generationDefaults(model, generationConfig);
    this.inspection = new Inspection({ runtime, model, parameters: arena.tensors });
    this.#kept = runtime.keep?.(Object.values(arena.tensors));
    const { pass } = this.inspection;
    const places = placesOf(pass);
    this.places = places.map(({ path, kind, layer, heads }) => ({ path, kind, layer, heads }));
    const layer = places[0]!.path.replace(/\.\w+$/, '');
    const card = {
      ...facts,
      family: model.family,
      kind: model.kind,
      parameters: arena.size,
      width: findValue(pass.graph, `${layer}.residualPost`).shape.at(-1) as number,
      headSize: places[0]!.headSize,
      vocabSize: model.vocabSize,
      maxLength: model.maxLength,
      places: this.places,
      hasTunedLens: tunedLens !== undefined,
      ...this.#mask(),
    };
    this.card = facts.examples.length > 0 ? card : { ...card, examples: commonExamples(card, tokenizer) };
  }

  /** For texts that are written without edits. @throws QkvError `usage` for an encoder */
  get session(): GenerationSession {
    const { model, arena } = this.#pretrained;
    this.#session ??= new GenerationSession(this.#runtime, model, arena.tensors);
    return this.#session;
  }

  /**
   * What the model reads: of a text, of an encoder-decoder model with its target, the one given or its own greedy translation, or
   * the ids that are given in place of those.
   *
   * @throws QkvError `usage` for texts that are empty or too long, and parts that the model has no use for
   */
  async readingOf(input: TextInput, wanted: Wanted): Promise<Reading> {
    refuseParts(this.#pretrained.model.kind, input);
    const reading = await this.#reading(input, wanted);
    checkReading(this.#pretrained.model, reading);
    return reading;
  }

  async #reading(input: TextInput, wanted: Wanted): Promise<Reading> {
    const { model } = this.#pretrained;
    const { ids } = input;
    if (ids === undefined || model.kind === 'encoder') {
      const own = await this.#ownReading(input, wanted);
      if (ids === undefined) return own;
      return own.segments?.length === ids.length ? { ids, segments: own.segments } : { ids };
    }
    if (model.kind === 'causal') return { ids };
    return { ids, sourceIds: this.#idsOf('text', input.text, model.maxLength) };
  }

  /** The tokens whose losses are wanted: of masked ones in an encoder's text those that the text has there. */
  async targetsOf(input: TextInput, wanted: Wanted): Promise<readonly number[] | undefined> {
    if (this.inspection.model.kind !== 'encoder' || input.ids === undefined) return undefined;
    const own = await this.#ownReading(input, wanted);
    return own.ids.length === input.ids.length ? own.ids : undefined;
  }

  async #ownReading(input: TextInput, wanted: Wanted): Promise<Reading> {
    const { model } = this.#pretrained;
    if (model.kind === 'encoder') {
      const pairs = [input.pair === undefined ? input.text : ([input.text, input.pair] as const)];
      const [text] = encodeTexts(model, this.tokenizer.encode, pairs, { nameOf: () => 'text' });
      const { ids, segments } = text!;
      return model.segments > 1 ? { ids, segments: segments! } : { ids };
    }
    const ids = this.#idsOf('text', input.text, model.maxLength);
    if (model.kind === 'causal') return readingOf(model, null, ids);
    const own = input.target === undefined;
    const target = own ? await this.#translate(ids, wanted) : this.#idsOf('target', input.target!, model.maxLength - 1);
    return readingOf(model, ids, target);
  }

  /** What a person sees of a reading. */
  shownReading(input: TextInput, { ids, sourceIds }: Reading): ShownReading {
    const [first, ...rest] = this.tokensOf(ids);
    // what a translation begins with is no part of it, whatever the tokenizer calls it
    const start = sourceIds ? { ...first!, word: -1, isSpecial: true } : first!;
    return {
      source: this.tokensOf(sourceIds ?? []),
      target: [start, ...rest],
      pairStart: this.#pairStart(input),
    };
  }

  /** Not by segments, which not every model that reads pairs tells apart. */
  #pairStart({ text, pair }: TextInput): number | null {
    if (pair === undefined) return null;
    const start = this.tokenizer.encodeWithOffsets(text, { pair }).sequences.indexOf(1);
    return start < 0 ? null : start;
  }

  /** The target of a reading as text, without the start token; undefined of a model that reads one text. */
  targetOf({ ids, sourceIds }: Reading): string | undefined {
    return sourceIds && this.tokenizer.decode(ids.slice(1), { skipSpecialTokens: true });
  }

  [Symbol.dispose](): void {
    this.#session?.[Symbol.dispose]();
    this.inspection[Symbol.dispose]();
    this.#kept?.[Symbol.dispose]();
  }

  #idsOf(where: string, text: string, most: number): readonly number[] {
    const { ids } = this.tokenizer.encode(text);
    if (ids.length > 0 && ids.length <= most) return ids;
    throw new QkvError('usage', { where, got: `${ids.length} tokens`, expected: `from 1 to ${most}` });
  }

  async #translate(source: readonly number[], signal: Wanted): Promise<readonly number[]> {
    const key = source.join();
    const known = this.#translations.get(key);
    if (known) return known;
    // The start token takes a position of its own, so the last token of the longest translation has none.
    const most = Math.max(1, this.#pretrained.model.maxLength - 1);
    const maxNewTokens = Math.min(this.defaults.maxNewTokens ?? most, most);
    const options = forMode({ ...this.defaults, sample: false, numBeams: 1, maxNewTokens, signal });
    const [results] = await generate(this.session, [source], options);
    const { ids } = results![0]!;
    this.#translations.set(key, ids);
    if (this.#translations.size > KEPT) this.#translations.delete(this.#translations.keys().next().value!);
    return ids;
  }

  #mask(): Pick<ModelCard, 'maskToken' | 'maskId'> {
    const { model } = this.#pretrained;
    const none = { maskToken: null, maskId: null };
    if (model.kind !== 'encoder' || !['masked-lm', 'pretraining'].includes(model.head.name)) return none;
    const maskId = maskOf(this.tokenizer);
    return { maskToken: this.tokenizer.idToToken(maskId) ?? null, maskId };
  }
}

function refuseParts(kind: ModelCard['kind'], { target, pair }: TextInput): void {
  const got = target !== undefined && kind !== 'encoder-decoder' ? 'target' : undefined;
  const unused = got ?? (pair !== undefined && kind !== 'encoder' ? 'pair' : undefined);
  if (unused === undefined) return;
  const readers = unused === 'target' ? 'a model that translates' : 'an encoder';
  throw new QkvError('usage', { where: unused, got: 'a text', expected: `none: only ${readers} reads one` });
}
