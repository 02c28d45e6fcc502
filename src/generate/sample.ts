import { deriveSeed, uniform01 } from '../base/random.ts';
import type { Strategy } from './independentPaths.ts';
import type { ResolvedOptions } from './options.ts';
import { argmax, temperature, topK, topP } from './processors.ts';
import { processRow } from './processRow.ts';

/**
 * A token drawn from softmax(processed logits); which one is a function of (seed, input, path, step). `first` is the number
 * of the first of the inputs among all that are generated for.
 */
export function sample(options: ResolvedOptions, vocabSize: number, first: number): Strategy {
  const processed = new Float32Array(vocabSize);
  return {
    wanted: () => ({ kind: 'logits' }),
    choose: ({ scores, row, input, path, history, generated }) => {
      const logits = scores.logits!.subarray(row * vocabSize, (row + 1) * vocabSize);
      processed.set(logits);
      processRow(processed, history, generated, options);
      if (options.temperature !== 1) temperature(processed, options.temperature);
      if (options.topK !== null) topK(processed, options.topK);
      if (options.topP < 1) topP(processed, options.topP);
      const key = deriveSeed(options.seed, 'generate', first + input, path, generated);
      const token = drawToken(processed, uniform01(key, 1)[0]!);
      return { token, tokenScore: logits[token]! - scores.normaliser![row]! };
    },
  };
}

/** The token at `uniform`, from 0 to below 1, of the cumulative distribution of softmax(row). */
export function drawToken(row: Float32Array, uniform: number): number {
  const best = argmax(row);
  let total = 0;
  for (let i = 0; i < row.length; i++) total += Math.exp(row[i]! - row[best]!);
  let left = uniform * total;
  for (let i = 0; i < row.length; i++) {
    left -= Math.exp(row[i]! - row[best]!);
    if (left < 0) return i;
  }
  return best; // rounding alone comes here
}
