import type { ParameterDeclaration } from '../nn/scope.ts';

/**
 * Factors of the learning rate that fall from the top of a model to its bottom (Clark et al. 2020, "ELECTRA", appendix;
 * Bao et al. 2022, "BEiT"): decay^(n + 1 − d), where d is i + 1 for a parameter of layer i of n, 0 for what is below the
 * layers (embeddings) and n + 1 for what is above (head, last norm). Which of the two a parameter is follows from whether it
 * is declared before the layers; a table that is both, by a tie, is an embedding. An encoder and a decoder count each its own
 * layers, and what they share has the lowest factor of the two.
 */
export function layerRates(declarations: readonly ParameterDeclaration[], decay: number): ReadonlyMap<string, number> {
  const stacks = new Map<string, { layers: number; readonly first: number }>();
  const placeOf = (path: string): { readonly stack: string; readonly layer: number } | undefined => {
    const found = /^(.*?\.)?layers\.(\d+)\./.exec(path);
    return found ? { stack: found[1] ?? '', layer: Number(found[2]) } : undefined;
  };
  for (const [i, { path }] of declarations.entries()) {
    const place = placeOf(path);
    if (!place) continue;
    const { layers = 0, first = i } = stacks.get(place.stack) ?? {};
    stacks.set(place.stack, { layers: Math.max(layers, place.layer + 1), first });
  }
  const all = [...stacks.values()];
  const whole = {
    layers: Math.max(0, ...all.map(({ layers }) => layers)),
    first: Math.min(...all.map(({ first }) => first)),
  };
  return new Map(
    declarations.map(({ path }, i) => {
      const place = placeOf(path);
      const own = [...stacks.keys()].find((stack) => path.startsWith(stack));
      const { layers, first } = stacks.get(place?.stack ?? own ?? '') ?? whole;
      const depth = place ? place.layer + 1 : i < first ? 0 : layers + 1;
      return [path, decay ** (layers + 1 - depth)];
    }),
  );
}
