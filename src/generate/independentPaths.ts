import type { GenerativeModel } from '../models/model.ts';
import { Decoding, type Scores } from './decoding.ts';
import type { Wanted } from './graphs.ts';
import type { ResolvedOptions } from './options.ts';
import type { GenerationResult } from './result.ts';
import type { LaneSession } from './session.ts';

/** Where a token is to be chosen: a path of an input, its history, and where its scores are. */
export interface Choice {
  readonly scores: Scores;
  readonly row: number;
  readonly input: number;
  readonly path: number;
  /** The prompt or the start token, and the tokens so far. */
  readonly history: readonly number[];
  readonly generated: number;
}

/** The token chosen and its log-probability under the model, before any processor. */
export interface Chosen {
  readonly token: number;
  readonly tokenScore: number;
}

export interface Strategy {
  /** Scores needed to choose the token after `generated` others. */
  wanted(generated: number): Wanted;
  choose(choice: Choice): Chosen;
}

interface Path {
  readonly history: number[];
  readonly ids: number[];
  readonly tokenScores: number[];
  finish: GenerationResult['finish'] | null;
}

/** Grows `numReturn` paths for each input, none of which knows of the others, until each has ended. */
export async function independentPaths(
  session: LaneSession,
  inputs: readonly (readonly number[])[],
  options: ResolvedOptions,
  strategy: Strategy,
  onToken?: (token: number, tokenScore: number) => void,
): Promise<GenerationResult[][]> {
  const { numReturn, maxNewTokens, eosIds, signal } = options;
  const all = inputs.map((ids) =>
    Array.from({ length: numReturn }, (): Path => {
      return { history: firstHistory(session.model, ids), ids: [], tokenScores: [], finish: null };
    }),
  );
  signal?.throwIfAborted();
  const { decoding, scores: first } = await Decoding.start(session, inputs, strategy.wanted(0));
  let scores = first;
  let active = inputs.map((_, i) => i);
  for (let generated = 0; ; generated++) {
    active.forEach((input, b) => {
      all[input]!.forEach((path, g) => {
        if (path.finish) return;
        const row = generated === 0 ? b : b * numReturn + g;
        const { token, tokenScore } = strategy.choose({
          scores,
          row,
          input,
          path: g,
          history: path.history,
          generated,
        });
        path.history.push(token);
        path.ids.push(token);
        path.tokenScores.push(tokenScore);
        if (eosIds.includes(token)) path.finish = 'end';
        else if (generated + 1 === maxNewTokens) path.finish = 'length';
        onToken?.(token, tokenScore);
      });
    });
    const open = active.flatMap((input, b) => (all[input]!.some((path) => !path.finish) ? [b] : []));
    if (open.length === 0) break;
    if (isWorthDropping(open.length, active.length)) {
      decoding.keep(open);
      active = open.map((b) => active[b]!);
    }
    signal?.throwIfAborted();
    const tokens = Int32Array.from(active.flatMap((input) => all[input]!.map((path) => path.ids.at(-1)!)));
    const parents = Int32Array.from(tokens, (_, row) => (generated === 0 ? 0 : row % numReturn));
    scores = await decoding.step(tokens, parents, strategy.wanted(generated + 1));
  }
  return all.map((paths) =>
    paths.map(({ ids, tokenScores, finish }) => ({ ids, tokenScores, finish: finish ?? 'length' })),
  );
}

export function firstHistory(model: GenerativeModel, input: readonly number[]): number[] {
  return model.kind === 'causal' ? [...input] : [model.startId];
}

/** Inputs that have ended leave the batch when they are a quarter of it: the caches of the others have to move. */
export function isWorthDropping(open: number, batch: number): boolean {
  return open <= batch * 0.75;
}
