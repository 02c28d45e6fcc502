/**
 * Points and weights of Gauss–Legendre quadrature on [0, 1]: exact for polynomials of degree 2n − 1. The points are the roots
 * of the Legendre polynomial P_n, by Newton's method from cos(π (i − ¼)/(n + ½)) on (Press et al., "Numerical Recipes", 4.6).
 */
export function gaussLegendre(n: number): { readonly points: readonly number[]; readonly weights: readonly number[] } {
  const points: number[] = [];
  const weights: number[] = [];
  for (let i = n; i >= 1; i--) {
    let x = Math.cos((Math.PI * (i - 0.25)) / (n + 0.5));
    let slope = 0;
    for (let round = 0; round < 100; round++) {
      let [before, value] = [0, 1];
      for (let j = 0; j < n; j++) [before, value] = [value, ((2 * j + 1) * x * value - j * before) / (j + 1)];
      slope = (n * (x * value - before)) / (x * x - 1);
      const step = value / slope;
      x -= step;
      if (Math.abs(step) < 1e-15) break;
    }
    points.push((x + 1) / 2);
    weights.push(1 / ((1 - x * x) * slope * slope));
  }
  return { points, weights };
}
