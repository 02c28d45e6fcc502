import type { Choice, Chosen, Strategy } from './independentPaths.ts';
import type { ResolvedOptions } from './options.ts';
import { argmax } from './processors.ts';
import { bannedTokens, forcedToken, processRow, wantedScores } from './processRow.ts';

/** The most probable token at every step. */
export function greedy(options: ResolvedOptions, vocabSize: number): Strategy {
  const usual = wantedScores(1, 'logits', options, vocabSize);
  const processed = new Float32Array(vocabSize);

  const fromRow = ({ scores, row, history, generated }: Choice): Chosen => {
    const logits = scores.logits!.subarray(row * vocabSize, (row + 1) * vocabSize);
    processed.set(logits);
    processRow(processed, history, generated, options);
    const token = argmax(processed);
    return { token, tokenScore: logits[token]! - scores.normaliser![row]! };
  };

  return {
    // a forced token is seldom among the best, and its score is wanted all the same
    wanted: (generated) => (forcedToken(generated, options) === null ? usual : { kind: 'logits' }),
    choose: (choice) => {
      const { topIds, topValues } = choice.scores;
      if (!topIds || !topValues) return fromRow(choice);
      const banned = bannedTokens(choice.generated, options);
      const k = usual.kind === 'top' ? usual.k : 1;
      let at = choice.row * k;
      while (banned.has(topIds[at]!) && at < (choice.row + 1) * k - 1) at++;
      return { token: topIds[at]!, tokenScore: topValues[at]! };
    },
  };
}
