import { QkvError } from '../base/errors.ts';

/** Throws `data` when there are no predictions, or not one for each of `actual`. */
export function checkPaired(
  where: string,
  predicted: ArrayLike<unknown>,
  actual: ArrayLike<unknown>,
  names: readonly [string, string] = ['predicted', 'actual'],
): void {
  if (predicted.length === 0) {
    throw new QkvError('data', { where: `${where}: ${names[0]}`, got: 'none', expected: 'at least one' });
  }
  if (predicted.length !== actual.length) {
    throw new QkvError('data', {
      where: `${where}: ${names[1]}`,
      got: `${actual.length} items`,
      expected: `${predicted.length}, one for each of ${names[0]}`,
    });
  }
}

/** Throws `data` at the first value that is NaN. */
export function checkNumbers(where: string, values: ArrayLike<number>): void {
  for (let i = 0; i < values.length; i++) {
    if (Number.isNaN(values[i]))
      throw new QkvError('data', { where: `${where}[${i}]`, got: 'NaN', expected: 'a number' });
  }
}
