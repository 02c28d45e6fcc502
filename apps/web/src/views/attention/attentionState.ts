import { computed, effect, type ReadonlySignal, type Signal, signal } from '@preact/signals';
import { type Answer, ask, inTurn } from '../../state/answer.ts';
import { flagCodec, oneOfCodec, textCodec } from '../../state/codecs.ts';
import { debounced } from '../../state/debounced.ts';
import { opened, openFrom } from '../../state/open.ts';
import { inputFor, reading as mainReading, subject as mainSubject } from '../../state/reading.ts';
import { edits, head, placePath } from '../../state/scene.ts';
import { shared } from '../../state/shared.ts';
import { sourceCodec } from '../../state/sourceCodec.ts';
import type {
  AttentionMap,
  Edits,
  HeadStatistics,
  ModelCard,
  ModelSource,
  Place,
  Reading,
  TextInput,
} from '../../worker/contract.ts';
import type { Sentences, ShownPart } from './shown.ts';

export const pictures = ['lines', 'map'] as const;
export const picture: Signal<(typeof pictures)[number]> = shared('attention.picture', 'lines', oneOfCodec(pictures));
export const allHeads: Signal<boolean> = shared('attention.all', false, flagCodec);
const words: Signal<boolean> = shared('attention.words', false, flagCodec);
const specials: Signal<boolean> = shared('attention.specials', true, flagCodec);

/** Of a pair of texts: who looks at whom. */
export const sentenceChoices: readonly Sentences[] = ['all', 'aa', 'ab', 'ba', 'bb'];
export const sentences: Signal<Sentences> = shared('attention.sentences', 'all', oneOfCodec(sentenceChoices));

export { specials as showsSpecials, words as groupsWords };

/** What the strongest colour stands for: each map's largest weight, or 1. */
export const scales = ['own', 'one'] as const;
export const scale: Signal<(typeof scales)[number]> = shared('attention.scale', 'own', oneOfCodec(scales));

export const comparisons = ['off', 'edits', 'text', 'model'] as const;
export const comparison: Signal<(typeof comparisons)[number]> = shared(
  'attention.compare',
  'off',
  oneOfCodec(comparisons),
);
export const otherText: Signal<string> = shared('attention.text', '', textCodec);
export const otherSource: Signal<ModelSource | null> = shared('attention.model', null, sourceCodec);

export const arrangement: ReadonlySignal<ShownPart> = computed(() => ({
  words: words.value,
  specials: specials.value,
  sentences: sentences.value,
}));

/** What a click on a head does. */
export const clickSilences: Signal<boolean> = signal(false);

/** A model with a text: what is known of it. */
export interface Side {
  readonly card: ModelCard;
  readonly input: TextInput;
  readonly reading: Reading;
  readonly maps: readonly AttentionMap[];
  /** Under which the maps were computed. */
  readonly edits: Edits;
  /** The model and text of the whole page, which a person edits; not what they are compared with. */
  readonly isMain: boolean;
}

/** The attention that is chosen; of a translator the cross-attention of the last layer at first, else that of the first layer. */
export function chosenPlace(card: ModelCard): Place {
  const chosen = card.places.find((place) => place.path === placePath.value);
  return chosen ?? card.places.findLast((place) => place.kind === 'cross') ?? card.places[0]!;
}

/** The place of another model that is most like this one: its kind if it has it, the layer if there are so many. */
export function likePlace(card: ModelCard, { kind, layer }: Place): Place {
  const sameKind = card.places.filter((place) => place.kind === kind);
  const found = sameKind.length > 0 ? sameKind : card.places;
  return found.find((place) => place.layer === layer) ?? found.at(-1)!;
}

export function chosenHead(place: Place): number {
  return Math.min(head.value, place.heads - 1);
}

interface Asked {
  readonly card: ModelCard;
  readonly input: TextInput;
  readonly edits: Edits;
  readonly kind: Place['kind'];
}

/** Maps of all layers of the kind that is looked at. */
function askMaps(asked: ReadonlySignal<Asked | null>): ReadonlySignal<Answer<readonly AttentionMap[]>> {
  return ask<readonly AttentionMap[]>(() => {
    const now = asked.value;
    if (now === null) return null;
    const { card, input, kind } = now;
    const paths = card.places.filter((place) => place.kind === kind).map((place) => place.path);
    return (engine, isCurrent) =>
      inTurn('attention', card.model, isCurrent, () => engine.attention(card.model, input, now.edits, paths));
  }).answer;
}

/** The newest tokens and maps that belong together; what was there before stays until there are such. */
function settle(
  asked: ReadonlySignal<Asked | null>,
  reading: ReadonlySignal<Answer<Reading>>,
  maps: ReadonlySignal<Answer<readonly AttentionMap[]>>,
  isMain: boolean,
): ReadonlySignal<Side | null> {
  const side = signal<Side | null>(null);
  effect(() => {
    const now = asked.value;
    const [tokens, found] = [reading.value, maps.value];
    if (now === null || side.peek()?.card.model !== now.card.model) side.value = null;
    if (now === null || tokens.isBusy || found.isBusy || tokens.value === null || found.value === null) return;
    const fits = found.value.every(({ place, queries, keys, weights }) => {
      return weights.length === place.heads * tokens.value![queries].length * tokens.value![keys].length;
    });
    if (!fits) return;
    side.value = {
      card: now.card,
      input: now.input,
      reading: tokens.value,
      maps: found.value,
      edits: now.edits,
      isMain,
    };
  });
  return side;
}

const mainKind = computed(() => (opened.value.card === null ? null : chosenPlace(opened.value.card).kind));

const mainAsked = computed<Asked | null>(() => {
  const card = opened.value.card;
  const now = mainSubject.value;
  if (card === null || now === null || mainKind.value === null) return null;
  return { card, input: now.input, edits: edits.value, kind: mainKind.value };
});
export const mainMaps: ReadonlySignal<Answer<readonly AttentionMap[]>> = askMaps(mainAsked);
export const mainSide: ReadonlySignal<Side | null> = settle(mainAsked, mainReading, mainMaps, true);

/** What each head of the model does with this text, on the whole. */
export const mainStatistics: ReadonlySignal<Answer<readonly HeadStatistics[]>> = ask<readonly HeadStatistics[]>(() => {
  const side = mainSide.value; // not before its maps are there, which are to be seen first
  if (side === null) return null;
  const { card, input } = side;
  return (engine, isCurrent) =>
    inTurn('statistics', card.model, isCurrent, () => engine.statistics(card.model, input, side.edits));
}).answer;

const wantedOther = computed(() => (comparison.value === 'model' ? otherSource.value : null));
export const otherOpened = openFrom(wantedOther);
const settledOtherText = debounced(otherText, 250);

const otherAsked = computed<Asked | null>(() => {
  const now = mainAsked.value;
  if (now === null || comparison.value === 'off') return null;
  if (comparison.value === 'edits') return { ...now, edits: {} };
  if (comparison.value === 'text') {
    if (settledOtherText.value.trim() === '') return null;
    const { hidden: _, ...rest } = now.edits; // a position means another token in another text
    // of a pair the other text takes the first one's place
    const { pair } = now.input;
    const input = { text: settledOtherText.value, ...(pair !== undefined && { pair }) };
    return { ...now, input, edits: rest };
  }
  const card = otherOpened.value.card;
  if (card === null) return null;
  return { card, input: inputFor(card, now.input), edits: {}, kind: likePlace(card, chosenPlace(now.card)).kind };
});
const otherReading = ask<Reading>(() => {
  const now = otherAsked.value;
  if (now === null) return null;
  return (engine, isCurrent) => inTurn('read', now.card.model, isCurrent, () => engine.read(now.card.model, now.input));
}).answer;
export const otherMaps: ReadonlySignal<Answer<readonly AttentionMap[]>> = askMaps(otherAsked);
export const otherSide: ReadonlySignal<Side | null> = settle(otherAsked, otherReading, otherMaps, false);
