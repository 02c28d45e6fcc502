/**
 * The error function in float64, to about 1e-16, by the rational Chebyshev approximations of W. J. Cody, "Rational
 * Chebyshev approximations for the error function", Mathematics of Computation 23 (1969), doi:10.1090/S0025-5718-1969-0247736-4;
 * coefficients as in his CALERF, https://www.netlib.org/specfun/erf. rounded to float64. Highest power first.
 */

// erf(x) = x · P(x²) / Q(x²) for |x| ≤ 0.46875
const smallP = [0.18577770618460315, 3.1611237438705655, 113.86415415105016, 377.485237685302, 3209.3775891384694];
const smallQ = [1, 23.601290952344122, 244.02463793444417, 1282.6165260773723, 2844.236833439171];

// erfc(x) = exp(−x²) · P(x) / Q(x) for 0.46875 < x ≤ 4
const middleP = [
  2.1531153547440383e-8, 0.5641884969886701, 8.883149794388377, 66.11919063714163, 298.6351381974001, 881.952221241769,
  1712.0476126340707, 2051.0783778260716, 1230.3393547979972,
];
const middleQ = [
  1, 15.744926110709835, 117.6939508913125, 537.1811018620099, 1621.3895745666903, 3290.7992357334597,
  4362.619090143247, 3439.3676741437216, 1230.3393548037495,
];

// erfc(x) = exp(−x²) / x · (1/√π − 1/x² · P(1/x²) / Q(1/x²)) for x > 4
const largeP = [
  0.016315387137302097, 0.30532663496123236, 0.36034489994980445, 0.12578172611122926, 0.016083785148742275,
  0.0006587491615298378,
];
const largeQ = [
  1, 2.568520192289822, 1.8729528499234673, 0.5279051029514285, 0.06051834131244132, 0.0023352049762686918,
];

function polynomial(coefficients: readonly number[], x: number): number {
  let sum = 0;
  for (const coefficient of coefficients) sum = sum * x + coefficient;
  return sum;
}

/** exp(−x²), x split into a part whose square is exact and the rest. */
function gaussian(x: number): number {
  const coarse = Math.trunc(x * 16) / 16;
  return Math.exp(-coarse * coarse) * Math.exp(-(x - coarse) * (x + coarse));
}

export function erf(x: number): number {
  const size = Math.abs(x);
  if (Number.isNaN(x)) return x;
  if (size <= 0.46875) return (x * polynomial(smallP, x * x)) / polynomial(smallQ, x * x);
  if (size > 6) return Math.sign(x); // erfc(6) = 2e-17
  const inverse = 1 / (size * size);
  const complement =
    size <= 4
      ? (gaussian(size) * polynomial(middleP, size)) / polynomial(middleQ, size)
      : (gaussian(size) / size) *
        (1 / Math.sqrt(Math.PI) - (inverse * polynomial(largeP, inverse)) / polynomial(largeQ, inverse));
  return Math.sign(x) * (1 - complement);
}
