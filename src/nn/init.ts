/** How a parameter is filled before training. `std` in the units of the parameter. */
export type Init =
  | { readonly kind: 'zeros' }
  | { readonly kind: 'ones' }
  | { readonly kind: 'normal'; readonly std: number }
  /** Uniform within ±bound. */
  | { readonly kind: 'uniform'; readonly bound: number }
  /** Uniform within ±√(6 / (fan in + fan out)) (Glorot and Bengio 2010, equation 16); fans are the two extents of a matrix. */
  | { readonly kind: 'xavierUniform' }
  /** A row for each position, as `sinusoidalPositions` has it, sines and cosines in turn; trained from there. */
  | { readonly kind: 'sinusoidal' };

export const zerosInit: Init = { kind: 'zeros' };
export const onesInit: Init = { kind: 'ones' };

export function normalInit(std: number): Init {
  return { kind: 'normal', std };
}
export const xavierInit: Init = { kind: 'xavierUniform' };
export const sinusoidalInit: Init = { kind: 'sinusoidal' };
