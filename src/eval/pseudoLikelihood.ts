import { QkvError } from '../base/errors.ts';
import { checkOptions } from './segments.ts';

export interface PseudoLikelihoodOptions {
  readonly maskId: number;
  /** Ids that are context only, such as those of [CLS] and [SEP]. */
  readonly specialIds: readonly number[];
  /**
   * The number of the word that each token is a piece of; special tokens have another. With it, the later pieces of a token's own word are masked as well: seen, they
   * would give away the rest of a rare word (Kauf and Ivanova 2023, https://arxiv.org/abs/2305.10588, "PLL-word-l2r").
   */
  readonly words?: readonly number[];
}

/** One row that a masked language model has to read: what it gives `target` at `position` is wanted. */
export interface MaskedRow {
  readonly ids: readonly number[];
  readonly position: number;
  readonly target: number;
}

/**
 * The rows for the pseudo-log-likelihood of a sentence (Salazar et al. 2020, https://arxiv.org/abs/1910.14659): each of its
 * tokens masked by turns.
 *
 *     PLL(W) = Σ log P(target | ids), over the rows
 *
 * Its negatives per token are losses for `perplexity`, which is then the pseudo-perplexity.
 *
 * @param ids a sentence with the special tokens that the model wants
 * @returns one row for each token that is not special, in their order
 * @throws QkvError `data` on another number of words than of ids, on a sentence that holds maskId, and on one of special tokens
 */
export function pseudoLikelihoodRows(ids: readonly number[], options: PseudoLikelihoodOptions): MaskedRow[] {
  const where = 'pseudoLikelihoodRows';
  checkOptions(where, options, ['maskId', 'specialIds', 'words']);
  const { maskId, specialIds, words } = options;
  if (words && words.length !== ids.length) {
    const expected = `${ids.length}, one for each id`;
    throw new QkvError('data', { where: `${where}: words`, got: `${words.length} items`, expected });
  }
  if (ids.includes(maskId)) {
    throw new QkvError('data', {
      where: `${where}: ids[${ids.indexOf(maskId)}]`,
      got: 'maskId',
      expected: 'a whole sentence',
    });
  }
  const special = new Set(specialIds);
  const rows = ids.flatMap((target, position): MaskedRow[] => {
    if (special.has(target)) return [];
    const hidden = (i: number): boolean =>
      i === position || (words !== undefined && i > position && words[i] === words[position]);
    return [{ ids: ids.map((id, i) => (hidden(i) ? maskId : id)), position, target }];
  });
  if (rows.length === 0)
    throw new QkvError('data', { where: `${where}: ids`, got: 'special tokens alone', expected: 'a sentence' });
  return rows;
}
