import { checkNumbers, checkPaired } from './checkPaired.ts';

/**
 * Share of minimal pairs, 0 to 1, where the acceptable sentence is the more probable one, as in BLiMP (Warstadt et al. 2020,
 * https://arxiv.org/abs/1912.00582). Two that are equally probable count as wrong.
 *
 * @param acceptable log-probability of the acceptable sentence of each pair
 * @param unacceptable that of the other one
 * @throws QkvError `data` on no pairs, unequal numbers of them, and on NaN
 */
export function minimalPairsAccuracy(acceptable: ArrayLike<number>, unacceptable: ArrayLike<number>): number {
  const where = 'minimalPairsAccuracy';
  checkPaired(where, acceptable, unacceptable, ['acceptable', 'unacceptable']);
  checkNumbers(`${where}: acceptable`, acceptable);
  checkNumbers(`${where}: unacceptable`, unacceptable);
  let right = 0;
  for (let i = 0; i < acceptable.length; i++) if (acceptable[i]! > unacceptable[i]!) right++;
  return right / acceptable.length;
}
