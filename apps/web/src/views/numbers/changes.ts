import type { Choice, Token } from '../../worker/contract.ts';

/** One token's probability before and after an edit; null where it is not among the likeliest of that side. */
export interface Change {
  readonly token: Token;
  readonly before: number | null;
  readonly after: number | null;
}

/** The likeliest tokens of both sides, those of `after` first, then those that fell out of it. */
export function changes(before: readonly Choice[], after: readonly Choice[]): Change[] {
  const old = new Map(before.map(({ token, probability }) => [token.id, probability]));
  const now = new Set(after.map(({ token }) => token.id));
  return [
    ...after.map(({ token, probability }) => ({ token, before: old.get(token.id) ?? null, after: probability })),
    ...before
      .filter(({ token }) => !now.has(token.id))
      .map(({ token, probability }) => ({ token, before: probability, after: null })),
  ];
}

export interface DiffPart {
  readonly kind: 'same' | 'gone' | 'new';
  readonly tokens: readonly Token[];
}

/** Two texts as what is in both, what only the first has and what only the second has: a longest common subsequence of tokens. */
export function tokenDiff(before: readonly Token[], after: readonly Token[]): DiffPart[] {
  const [n, m] = [before.length, after.length];
  const width = m + 1;
  // lengths[i, j]: of the longest common subsequence of before[i…] and after[j…]
  const lengths = new Uint16Array((n + 1) * width);
  for (let i = n - 1; i >= 0; i--) {
    for (let j = m - 1; j >= 0; j--) {
      lengths[i * width + j] =
        before[i]!.id === after[j]!.id
          ? lengths[(i + 1) * width + j + 1]! + 1
          : Math.max(lengths[(i + 1) * width + j]!, lengths[i * width + j + 1]!);
    }
  }
  const parts: { kind: DiffPart['kind']; tokens: Token[] }[] = [];
  const put = (kind: DiffPart['kind'], token: Token) => {
    if (parts.at(-1)?.kind === kind) parts.at(-1)!.tokens.push(token);
    else parts.push({ kind, tokens: [token] });
  };
  let [i, j] = [0, 0];
  while (i < n || j < m) {
    if (i < n && j < m && before[i]!.id === after[j]!.id) {
      put('same', after[j]!);
      i++;
      j++;
    } else if (j === m || (i < n && lengths[(i + 1) * width + j]! >= lengths[i * width + j + 1]!))
      put('gone', before[i++]!);
    else put('new', after[j++]!);
  }
  return parts;
}
