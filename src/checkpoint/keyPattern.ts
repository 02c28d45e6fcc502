import { QkvError } from '../base/errors.ts';

/** The numbers that a pattern's placeholders stood for, e.g. `{ i: '3' }`. */
export type Indexes = Readonly<Record<string, string>>;

/**
 * A name with placeholders for indexes: `transformer.h.{i}.ln_1.weight`. A placeholder stands for an integer without
 * leading zeros, everything else for itself, and a name matches only as a whole.
 */
export interface KeyPattern {
  readonly source: string;
  readonly placeholders: readonly string[];
  /** The indexes of a name that matches. */
  match(name: string): Indexes | undefined;
  /** The name for indexes. */
  expand(indexes: Indexes): string;
}

export function keyPattern(source: string): KeyPattern {
  const pieces = source.split(/\{(\w+)\}/); // literal, placeholder, literal, …
  const placeholders = pieces.filter((_, i) => i % 2 === 1);
  const literals = pieces.filter((_, i) => i % 2 === 0);
  if (source === '' || new Set(placeholders).size < placeholders.length || /[{}]/.test(literals.join(''))) {
    throw new QkvError('usage', {
      where: `key pattern ${JSON.stringify(source)}`,
      expected: 'a name in which {word} stands for an index, each word once',
    });
  }
  const escaped = pieces.map((piece, i) =>
    i % 2 === 1 ? '(0|[1-9]\\d*)' : piece.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'),
  );
  const regex = new RegExp(`^${escaped.join('')}$`);
  return {
    source,
    placeholders,
    match(name) {
      const found = regex.exec(name);
      return found ? Object.fromEntries(placeholders.map((word, i) => [word, found[i + 1]!])) : undefined;
    },
    expand: (indexes) => pieces.map((piece, i) => (i % 2 === 1 ? indexes[piece]! : piece)).join(''),
  };
}
