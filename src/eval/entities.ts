import { QkvError } from '../base/errors.ts';
import { checkPaired } from './checkPaired.ts';
import { type AveragedScores, averagedScores, type MatchCounts } from './precisionRecall.ts';
import { checkChoice, checkOptions } from './segments.ts';

/**
 * Which tags make an entity. `conll`, as conlleval.pl: any of B, I, E, S may begin one; I and E of the same type continue
 * one after B and I. `iob2`: B, then I of the same type; another I belongs to none. `iobes` (or BIOES): S alone, or B, I …, E
 * of the same type; what lacks its E is none.
 */
export type EntityScheme = 'conll' | 'iob2' | 'iobes';

export interface EntityOptions {
  /** Default `conll`: seqeval's default mode. The others are its strict mode with that scheme. */
  readonly scheme?: EntityScheme;
}

export interface Entity {
  readonly type: string;
  /** Of its first token. */
  readonly start: number;
  /** After its last token. */
  readonly end: number;
}

export interface EntityScores extends AveragedScores<string> {
  /** Share of the tokens whose tag is right, 0 to 1. */
  readonly accuracy: number;
}

const SCHEMES: { readonly [scheme in EntityScheme]: { prefixes: string; closes: (prefix: string) => boolean } } = {
  conll: { prefixes: 'BIES', closes: () => true },
  iob2: { prefixes: 'BI', closes: () => true },
  iobes: { prefixes: 'BIES', closes: (prefix) => prefix === 'E' || prefix === 'S' },
};

/**
 * Precision, recall and F1 of entities, by type, as seqeval 1.2 counts them (https://github.com/chakki-works/seqeval): one
 * is right when its type, its first and its last token are. The number to report is `micro.f1`. Tags are `O` or a prefix and
 * a type, as in `B-PER`; `predicted[i]` are the tags of sentence i.
 *
 * @throws QkvError `data` on no sentences, unequal numbers of sentences or tags, and a tag that the scheme does not have
 */
export function entityScores(
  predicted: readonly (readonly string[])[],
  actual: readonly (readonly string[])[],
  options: EntityOptions = {},
): EntityScores {
  const where = 'entityScores';
  checkOptions(where, options, ['scheme']);
  const { scheme = 'conll' } = options;
  checkPaired(where, predicted, actual);
  const counts = new Map<string, MatchCounts>();
  const countOf = (type: string): MatchCounts => {
    const count = counts.get(type) ?? { matched: 0, predicted: 0, actual: 0 };
    counts.set(type, count);
    return count;
  };
  let [tokens, right] = [0, 0];
  for (const [i, tags] of predicted.entries()) {
    const truth = actual[i]!;
    if (tags.length !== truth.length) {
      throw new QkvError('data', {
        where: `${where}: actual[${i}]`,
        got: `${truth.length} tags`,
        expected: `${tags.length}, one for each of predicted[${i}]`,
      });
    }
    tokens += tags.length;
    right += tags.filter((tag, t) => tag === truth[t]).length;
    const wanted = new Set<string>();
    for (const entity of entitiesOf(truth, scheme)) {
      wanted.add(JSON.stringify(entity));
      countOf(entity.type).actual++;
    }
    for (const entity of entitiesOf(tags, scheme)) {
      const count = countOf(entity.type);
      count.predicted++;
      if (wanted.has(JSON.stringify(entity))) count.matched++;
    }
  }
  const sorted = new Map([...counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  return { accuracy: tokens === 0 ? 0 : right / tokens, ...averagedScores(sorted) };
}

/** The entities in the tags of one sentence, in their order. @throws QkvError `data` on a tag that the scheme does not have */
export function entitiesOf(tags: readonly string[], scheme: EntityScheme = 'conll'): Entity[] {
  checkChoice('entitiesOf: scheme', scheme, Object.keys(SCHEMES));
  const { prefixes, closes } = SCHEMES[scheme];
  const parsed = tags.map((tag) => parseTag(tag, prefixes));
  const entities: Entity[] = [];
  for (let start = 0, end = 0; start < parsed.length; start = end) {
    const { prefix, type } = parsed[start]!;
    end = start + 1;
    if (prefix === 'O' || (scheme !== 'conll' && prefix !== 'B' && prefix !== 'S')) continue;
    while (end < parsed.length && continues(parsed[end - 1]!, parsed[end]!)) end++;
    if (closes(parsed[end - 1]!.prefix)) entities.push({ type, start, end });
  }
  return entities;
}

interface Tag {
  readonly prefix: string;
  readonly type: string;
}

function continues(before: Tag, tag: Tag): boolean {
  return 'BI'.includes(before.prefix) && 'IE'.includes(tag.prefix) && before.type === tag.type;
}

/** A prefix without a type, as where there is only one, has the type `_`. */
function parseTag(tag: string, prefixes: string): Tag {
  const prefix = tag[0] ?? '';
  const known = tag === 'O' || (prefix !== '' && prefixes.includes(prefix) && (tag.length === 1 || /^.-./su.test(tag)));
  if (!known) {
    const expected = `O, or one of ${[...prefixes].join(', ')} and a type, as in B-PER`;
    throw new QkvError('data', { where: 'entity tag', got: JSON.stringify(tag), expected });
  }
  return { prefix, type: tag.slice(2) || '_' };
}
