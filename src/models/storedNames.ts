import { QkvError } from '../base/errors.ts';
import { claimsOf, compileKeyMap, type DeclaredParam } from '../checkpoint/keyMap.ts';
import type { Model } from './model.ts';

/** A parameter under its two names. */
export interface NamedParameter {
  /** Ours: `layers.0.attention.q.weight`. */
  readonly path: string;
  /** The family's checkpoint key: `model.layers.0.self_attn.q_proj.weight`; of several parameters where they are stored as one. */
  readonly key: string;
}

export function namedParameters({ keyMap }: Model, params: Iterable<DeclaredParam>): NamedParameter[] {
  return claimsOf(compileKeyMap(keyMap), params).flatMap(({ key, params: own }) =>
    own.map(({ path }) => ({ path, key })),
  );
}

/** `a.b.weight` → `a.b` */
export function moduleOf(name: string): string {
  return name.slice(0, Math.max(0, name.lastIndexOf('.')));
}

/** A pattern of names: `*` stands for anything, `{a,b}` for either; everything else for itself. */
export function namePattern(pattern: string): RegExp {
  const source = pattern.replace(/[.*+?^$()|[\]\\{},]/g, (sign) => {
    switch (sign) {
      case '*':
        return '.*';
      case '{':
        return '(?:';
      case '}':
        return ')';
      case ',':
        return '|';
      default:
        return `\\${sign}`;
    }
  });
  try {
    return new RegExp(`^(?:${source})$`);
  } catch (cause) {
    throw new QkvError('recipe', {
      where: `pattern ${pattern}`,
      got: 'braces that do not match',
      expected: 'a name in which * stands for anything and {a,b} for either',
      cause,
    });
  }
}

/** A pattern that no name matches, with the names that are most like it. */
export function noMatch(where: string, pattern: string, names: Iterable<string>): QkvError {
  const near = [...new Set(names)]
    .map((name) => ({ name, likeness: likeness(pattern, name) }))
    .sort((a, b) => b.likeness - a.likeness || (a.name < b.name ? -1 : 1))
    .slice(0, 6);
  return new QkvError('recipe', {
    where,
    got: `${JSON.stringify(pattern)}, which matches nothing`,
    expected: `a pattern of names such as ${near.map(({ name }) => name).join(', ')}`,
  });
}

/** Share of the letter pairs that two names have in common (Dice's coefficient). */
function likeness(a: string, b: string): number {
  const pairs = (text: string): string[] =>
    Array.from({ length: Math.max(0, text.length - 1) }, (_, i) => text.slice(i, i + 2));
  const [x, y] = [pairs(a), new Set(pairs(b))];
  return (2 * x.filter((pair) => y.has(pair)).length) / Math.max(1, x.length + y.size);
}
