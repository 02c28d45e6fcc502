import { computed, effect, type ReadonlySignal, type Signal } from '@preact/signals';
import { type Answer, ask, inTurn } from '../../state/answer.ts';
import { indexCodec, numberCodec, oneOfCodec } from '../../state/codecs.ts';
import { act, undoable } from '../../state/history.ts';
import { opened } from '../../state/open.ts';
import { reading, subject } from '../../state/reading.ts';
import { edits, view } from '../../state/scene.ts';
import { shared } from '../../state/shared.ts';
import type {
  AttentionMap,
  Attribution,
  AttributionMethod,
  Choice,
  Lens,
  LensKind,
  Predictions,
  Reading,
  TextInput,
  Token,
} from '../../worker/contract.ts';
import { latest } from '../numbers/latest.ts';
import { idsCodec } from './idsCodec.ts';

/** Tokens of the target in place of the text's: masked ones, or another branch. Null: the text's. */
export const ids: Signal<readonly number[] | null> = undoable(shared('predict.ids', null, idsCodec));

/** Index of the token that is looked at, its length for the one that comes next; null: what is most worth looking at. */
export const place: Signal<number | null> = shared('predict.place', null, indexCodec);

export const modes = ['look', 'mask', 'hide'] as const;
/** What a click on a token does; '': what is usual for the model. */
export const mode: Signal<'' | (typeof modes)[number]> = shared('predict.mode', '', oneOfCodec(['', ...modes]));

/** Of sampling, and of the probabilities that are shown; 0 takes the likeliest, and shows the model's own. */
export const temperature: Signal<number> = shared('predict.temperature', 0, numberCodec(0, 4));
/** 0: all. */
export const topK: Signal<number> = shared('predict.topK', 0, numberCodec(0, 100_000));
export const seed: Signal<number> = shared('predict.seed', 0, numberCodec(0, 0xffff_ffff));
export const count: Signal<number> = shared('predict.count', 20, numberCodec(1, 512));

export const methods = ['none', 'gradient-input', 'integrated-gradients', 'rollout', 'direct-logit'] as const;
export const method: Signal<'none' | AttributionMethod> = shared('predict.method', 'none', oneOfCodec(methods));
/** Id of the token whose choice is explained; null: the one that stands there, else the likeliest. */
export const explained: Signal<number | null> = shared('predict.token', null, indexCodec);

const isShown = computed(() => view.value === 'predict');

export interface Subject {
  readonly model: number;
  readonly input: TextInput;
}

/** The model and what it reads here. */
export const predicted: ReadonlySignal<Subject | null> = computed(() => {
  const asked = subject.value;
  if (asked === null || !isShown.value) return null;
  return ids.value === null ? asked : { model: asked.model, input: { ...asked.input, ids: ids.value } };
});

// another text: its branches are gone
let known: string | null = null;
effect(() => {
  const asked = subject.value;
  if (asked === null) return;
  const now = JSON.stringify(asked);
  if (known !== null && known !== now) {
    ids.value = null;
    place.value = null;
    explained.value = null;
  }
  known = now;
});

export const tokens: ReadonlySignal<Answer<Reading>> = ask<Reading>(() => {
  const asked = predicted.value;
  if (asked === null) return null;
  const { model, input } = asked;
  return (engine, isCurrent) => inTurn('read', model, isCurrent, () => engine.read(model, input));
}).answer;

export const source: ReadonlySignal<readonly Token[]> = computed(() => tokens.value.value?.source ?? []);
export const target: ReadonlySignal<readonly Token[]> = computed(() => tokens.value.value?.target ?? []);

export const isEncoder: ReadonlySignal<boolean> = computed(() => opened.value.card?.kind === 'encoder');
export const isTranslator: ReadonlySignal<boolean> = computed(() => opened.value.card?.kind === 'encoder-decoder');

/** Of an encoder that fills masks a click masks a token. */
export const modeShown: ReadonlySignal<(typeof modes)[number]> = computed(() => {
  const canMask = (opened.value.card?.maskId ?? null) !== null;
  if (mode.value === '' || (mode.value === 'mask' && !canMask)) return canMask ? 'mask' : 'look';
  return mode.value;
});

/** Whether a decoder has said that its text ends here: nothing comes next. */
export const hasEnded: ReadonlySignal<boolean> = computed(() => {
  const last = target.value.at(-1);
  return !isEncoder.value && target.value.length > 1 && (last?.isSpecial ?? false);
});

/** The place that is looked at: a token's index, or the length for the next one. */
export const placeShown: ReadonlySignal<number> = computed(() => {
  const length = target.value.length;
  const last = isEncoder.value || hasEnded.value ? length - 1 : length;
  if (place.value !== null) return Math.max(0, Math.min(place.value, last));
  // of a translation that is whole its first word
  if (isTranslator.value && hasEnded.value) return Math.min(1, last);
  if (!isEncoder.value) return Math.max(0, last);
  const masked = target.value.findIndex(({ id }) => id === opened.value.card?.maskId);
  return masked >= 0 ? masked : Math.min(1, Math.max(0, last));
});

/** Where the model says what stands at an index: there, of an encoder, else at the token before it. */
export function predictedFrom(index: number): number {
  return isEncoder.value ? index : index - 1;
}

export interface Compared<T> {
  readonly now: T;
  /** Null where nothing is changed. */
  readonly before: T | null;
}

const TOP = 10;
const uneditedPredictions = latest<Predictions>();

export const predictions: ReadonlySignal<Answer<Compared<Predictions>>> = ask<Compared<Predictions>>(() => {
  const asked = predicted.value;
  if (asked === null) return null;
  const options = { top: TOP, temperature: temperature.value === 0 ? 1 : temperature.value };
  const changed = edits.value;
  return async (engine) => {
    const plain = await uneditedPredictions(JSON.stringify([asked, options]), () =>
      engine.predictions(asked.model, asked.input, {}, options),
    );
    if (Object.keys(changed).length === 0) return { now: plain, before: null };
    return { now: await engine.predictions(asked.model, asked.input, changed, options), before: plain };
  };
}).answer;

/** The likeliest tokens for an index of the target; empty where nothing is said of it. */
export function choicesFor(from: Predictions, index: number): readonly Choice[] {
  return from.choices[from.positions.indexOf(predictedFrom(index))] ?? [];
}

export function lossOf(from: Predictions, index: number): number | null {
  return from.loss[from.positions.indexOf(predictedFrom(index))] ?? null;
}

/** The token that attribution explains. */
export const explainedToken: ReadonlySignal<Token | null> = computed(() => {
  const at = placeShown.value;
  const all = predictions.value.value === null ? [] : choicesFor(predictions.value.value.now, at);
  const standing = target.value[at];
  const chosen = all.find(({ token }) => token.id === explained.value)?.token;
  if (chosen) return chosen;
  const isMask = standing?.id === opened.value.card?.maskId;
  return standing && !isMask ? standing : (all[0]?.token ?? null);
});

export const attribution: ReadonlySignal<Answer<Attribution>> = ask<Attribution>(() => {
  const asked = predicted.value;
  const token = explainedToken.value;
  const position = predictedFrom(placeShown.value);
  const by = method.value;
  if (asked === null || token === null || position < 0 || by === 'none') return null;
  const changed = edits.value;
  return (engine) => engine.attribution(asked.model, asked.input, changed, { method: by, position, token: token.id });
}).answer;

export const lensKinds = ['logit', 'tuned'] as const;
/** Which lens; where the model has no tuned one it is the logit lens. */
export const lensKind: Signal<LensKind> = shared('predict.lensKind', 'logit', oneOfCodec(lensKinds));

export const lens: ReadonlySignal<Answer<Lens>> = ask<Lens>(() => {
  const asked = predicted.value;
  if (asked === null || target.value.length === 0) return null;
  const changed = edits.value;
  const kind = opened.value.card?.hasTunedLens ? lensKind.value : 'logit';
  return (engine) => engine.lens(asked.model, asked.input, changed, { top: TOP, kind });
}).answer;

/** The cross-attention of a translator; null of other models. */
export const cross: ReadonlySignal<Answer<readonly AttentionMap[]>> = ask<readonly AttentionMap[]>(() => {
  const asked = predicted.value;
  const paths = opened.value.card?.places.filter(({ kind }) => kind === 'cross').map(({ path }) => path) ?? [];
  if (asked === null || !isTranslator.value || target.value.length === 0) return null;
  const changed = edits.value;
  const { model, input } = asked;
  return (engine, isCurrent) =>
    inTurn('attention', model, isCurrent, () => engine.attention(model, input, changed, paths));
}).answer;

/** Looks at another place. */
export function look(index: number): void {
  place.value = index;
  explained.value = null;
}

/** Masks a token of an encoder's text, or puts back what the text has there. */
export function toggleMask(index: number): void {
  const maskId = opened.peek().card?.maskId ?? null;
  const own = reading.peek().value?.target ?? [];
  const now = target.peek().map(({ id }) => id);
  if (maskId === null || now[index] === undefined || target.peek()[index]!.isSpecial === (now[index] !== maskId))
    return;
  const next = now.with(index, now[index] === maskId ? (own[index]?.id ?? maskId) : maskId);
  act(() => {
    ids.value = next.length === own.length && next.every((id, i) => id === own[i]!.id) ? null : next;
    look(index);
  });
}

/** Puts a token at an index: in a text that an encoder reads only there, else what came after it is gone. */
export function take(index: number, token: Token): void {
  const now = target.peek().map(({ id }) => id);
  act(() => {
    ids.value = isEncoder.peek() ? now.with(index, token.id) : [...now.slice(0, index), token.id];
    look(isEncoder.peek() ? index : index + 1);
  });
}

export function restore(): void {
  act(() => {
    ids.value = null;
    place.value = null;
    explained.value = null;
  });
}
