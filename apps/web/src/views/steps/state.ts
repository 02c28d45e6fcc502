import { computed, type ReadonlySignal, type Signal } from '@preact/signals';
import { type Answer, ask } from '../../state/answer.ts';
import { numberCodec, oneOfCodec } from '../../state/codecs.ts';
import { act, undoable } from '../../state/history.ts';
import { opened } from '../../state/open.ts';
import { reading, subject } from '../../state/reading.ts';
import { edits, head, placePath, query, view } from '../../state/scene.ts';
import { shared } from '../../state/shared.ts';
import type { Choice, Edits, Engine, HeadSteps, Place, Token } from '../../worker/contract.ts';
import { latest } from '../numbers/latest.ts';
import { STAGES, type StageName, stagesOf } from './stages.ts';

const chosenStage: Signal<StageName> = shared('steps.stage', 'query', oneOfCodec(STAGES));
export const show: Signal<'all' | 'one'> = shared('steps.show', 'all', oneOfCodec(['all', 'one']));
/** Divides the logits before their softmax. */
export const temperature: Signal<number> = undoable(shared('steps.temperature', 1, numberCodec(0.05, 10)));

/** A slider's steps are one step of undo. */
export function setTemperature(value: number): void {
  act(() => {
    temperature.value = value;
  }, 'steps.temperature');
}

export const place: ReadonlySignal<Place | null> = computed(() => {
  const places = opened.value.card?.places ?? [];
  return places.find(({ path }) => path === placePath.value) ?? places[0] ?? null;
});

export const headShown: ReadonlySignal<number> = computed(() => Math.min(head.value, (place.value?.heads ?? 1) - 1));

/** The side that the queries are of, and that of the keys. */
export const sides: ReadonlySignal<{ readonly queries: 'source' | 'target'; readonly keys: 'source' | 'target' }> =
  computed(() => {
    const hasSource = opened.value.card?.kind === 'encoder-decoder';
    const kind = place.value?.kind;
    return {
      queries: hasSource && kind === 'encoder' ? 'source' : 'target',
      keys: hasSource && kind !== 'decoder' ? 'source' : 'target',
    };
  });

export const queryTokens: ReadonlySignal<readonly Token[]> = computed(
  () => reading.value.value?.[sides.value.queries] ?? [],
);
export const keyTokens: ReadonlySignal<readonly Token[]> = computed(
  () => reading.value.value?.[sides.value.keys] ?? [],
);

/** Where the query stands: what a person chose, else the last token, which has all others to look at. */
export const position: ReadonlySignal<number> = computed(() => {
  const last = Math.max(0, queryTokens.value.length - 1);
  return query.value === null ? last : Math.min(query.value, last);
});

/** What is on the page, at once: numbers of one call never stand beside those of another. */
export interface StepsAnswer {
  readonly steps: HeadSteps;
  /** Null where this token predicts nothing. */
  readonly choices: readonly Choice[] | null;
  /** Without the edits and at temperature 1; null where nothing is changed. */
  readonly before: { readonly steps: HeadSteps; readonly choices: readonly Choice[] | null } | null;
}

const TOP = 10;
const unedited = latest<{ readonly steps: HeadSteps; readonly choices: readonly Choice[] | null }>();

/** Whether the tokens of the chosen place say what comes next, or stands there. */
export const predicts: ReadonlySignal<boolean> = computed(() => sides.value.queries === 'target');

export const answer: ReadonlySignal<Answer<StepsAnswer>> = ask<StepsAnswer>(() => {
  const asked = subject.value;
  const at = place.value;
  const tokens = queryTokens.value.length;
  if (view.value !== 'steps' || asked === null || at === null || tokens === 0) return null;
  const [changed, tau, isPredicting] = [edits.value, temperature.value, predicts.value];
  const where = { path: at.path, head: headShown.value, position: position.value };
  const get = async (engine: Engine, with_: Edits, at: number) => ({
    steps: await engine.steps(asked.model, asked.input, with_, where),
    choices: isPredicting ? await predicted(engine, asked, with_, where.position, at) : null,
  });
  return async (engine) => {
    const plain = await unedited(JSON.stringify([asked, where]), () => get(engine, {}, 1));
    const isChanged = Object.keys(changed).length > 0 || tau !== 1;
    return isChanged ? { ...(await get(engine, changed, tau)), before: plain } : { ...plain, before: null };
  };
}).answer;

/** The stages of the layer that is looked at, in their order. */
export const stages: ReadonlySignal<readonly StageName[]> = computed(() => {
  const shown = answer.value.value;
  return shown === null ? [] : stagesOf(shown.steps);
});

/** The stage that is looked at; of one that this layer does not have, its first. */
export const stage: ReadonlySignal<StageName> = computed(() => {
  const chosen = chosenStage.value;
  return stages.value.includes(chosen) ? chosen : (stages.value[0] ?? chosen);
});

export function setStage(name: StageName): void {
  chosenStage.value = name;
}

async function predicted(
  engine: Engine,
  { model, input }: NonNullable<typeof subject.value>,
  with_: Edits,
  position: number,
  tau: number,
): Promise<readonly Choice[] | null> {
  const { positions, choices } = await engine.predictions(model, input, with_, { top: TOP, temperature: tau });
  return choices[positions.indexOf(position)] ?? null;
}
