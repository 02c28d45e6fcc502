import { Candidates } from './candidates.ts';
import { Decoding, type Scores } from './decoding.ts';
import type { Wanted } from './graphs.ts';
import { firstHistory, isWorthDropping } from './independentPaths.ts';
import type { ResolvedOptions } from './options.ts';
import { bannedTokens, forcedToken, processRow, wantedScores } from './processRow.ts';
import type { GenerationResult } from './result.ts';
import type { LaneSession } from './session.ts';

/** A path of a search: its tokens, their scores, and the sum of these. A dead one has no continuation: its sum is −∞. */
interface Hypothesis {
  /** The prompt or the start token, and the tokens. */
  readonly history: readonly number[];
  readonly ids: readonly number[];
  readonly tokenScores: readonly number[];
  readonly sum: number;
  /** Which path of the step before it continues. */
  readonly parent: number;
}

interface Finished extends Hypothesis {
  readonly score: number;
}

/**
 * Beam search as `_beam_search` of transformers 5 has it. At each step the best 2·numBeams continuations of an input's
 * open beams are looked at: those among the first numBeams that end are finished, at sum / length^lengthPenalty, and the
 * best numBeams that do not end are the open beams of the next step. Log-probabilities are not normalised again after the
 * processors. Each input is searched as if it were alone.
 */
export async function beamSearch(
  session: LaneSession,
  inputs: readonly (readonly number[])[],
  options: ResolvedOptions,
): Promise<GenerationResult[][]> {
  const { numBeams, maxNewTokens, signal } = options;
  const { vocabSize } = session.model;
  const searches = inputs.map((input) => new Search(options, firstHistory(session.model, input)));
  // as many as leave `numBeams` that go on, though each beam may end in every way; at least twice the beams, as the reference
  const count = Math.max(2, 1 + options.eosIds.length) * numBeams;
  const wanted = wantedScores(count, 'logProbs', options, vocabSize);
  const candidates = new Candidates(count);
  signal?.throwIfAborted();
  const { decoding, scores: first } = await Decoding.start(session, inputs, wanted);
  let scores = first;
  let active = searches;
  for (let generated = 0; ; generated++) {
    const rows = active[0]!.open.length;
    const step = { scores, generated, vocabSize, options, wanted, banned: bannedTokens(generated, options) };
    active.forEach((search, b) => {
      candidates.clear();
      search.open.forEach((beam, g) => {
        offer(candidates, beam, g, b * rows + g, step);
      });
      search.advance(candidates, generated + 1);
    });
    const open = active.flatMap((search, b) => (search.isDone ? [] : [b]));
    if (open.length === 0) break;
    if (isWorthDropping(open.length, active.length)) {
      decoding.keep(open);
      active = open.map((b) => active[b]!);
    }
    signal?.throwIfAborted();
    // before a forced last token the model need not be asked
    if (generated + 1 === maxNewTokens - 1 && options.forcedEosId !== null) continue;
    const beams = active.flatMap((search) => search.open);
    const tokens = Int32Array.from(beams, (beam) => beam.ids.at(-1)!);
    const parents = Int32Array.from(beams, (beam) => beam.parent);
    scores = await decoding.step(tokens, parents, wanted);
  }
  return searches.map((search) => search.results());
}

interface Step {
  readonly scores: Scores;
  readonly wanted: Wanted;
  readonly banned: ReadonlySet<number>;
  readonly generated: number;
  readonly vocabSize: number;
  readonly options: ResolvedOptions;
}

/** Puts the best continuations of one beam, whose scores are at `row`, among the candidates. */
function offer(candidates: Candidates, beam: Hypothesis, parent: number, row: number, step: Step): void {
  const { scores, wanted, banned, generated, vocabSize, options } = step;
  const forced = forcedToken(generated, options);
  if (forced !== null) {
    candidates.offer(beam.sum, parent, forced, 0);
  } else if (wanted.kind === 'top') {
    const [ids, values] = [scores.topIds!, scores.topValues!];
    for (let i = row * wanted.k; i < (row + 1) * wanted.k; i++) {
      if (!banned.has(ids[i]!)) candidates.offer(beam.sum + values[i]!, parent, ids[i]!, values[i]!);
    }
  } else {
    const processed = scores.logProbs!.subarray(row * vocabSize, (row + 1) * vocabSize);
    processRow(processed, beam.history, generated, options);
    candidates.offerRow(beam.sum, parent, processed);
  }
}

/** The search for one input. */
class Search {
  readonly #options: ResolvedOptions;
  readonly #prompt: number;
  /** One at first, then `numBeams`, the best first. */
  open: readonly Hypothesis[];
  /** At most `numBeams`, the best first. */
  #finished: readonly Finished[] = [];
  isDone = false;

  constructor(options: ResolvedOptions, history: readonly number[]) {
    this.#options = options;
    this.#prompt = history.length;
    this.open = [{ history, ids: [], tokenScores: [], sum: 0, parent: 0 }];
  }

  /** Takes a step: `length` is the number of tokens generated with it. */
  advance(candidates: Candidates, length: number): void {
    if (this.isDone) {
      this.#idle();
      return;
    }
    const { numBeams, eosIds, maxNewTokens, lengthPenalty, earlyStopping } = this.#options;
    const open: Hypothesis[] = [];
    const ended: Finished[] = [];
    for (let rank = 0; rank < candidates.count; rank++) {
      const ends = eosIds.includes(candidates.tokens[rank]!) || length === maxNewTokens;
      if (ends && rank < numBeams) {
        const beam = this.#continue(candidates, rank);
        ended.push({ ...beam, score: beam.sum / length ** lengthPenalty });
      } else if (!ends && open.length < numBeams) open.push(this.#continue(candidates, rank));
    }
    this.#finished = [...this.#finished, ...ended].sort((a, b) => b.score - a.score).slice(0, numBeams);
    const isFull = this.#finished.length === numBeams;
    const best = open[0];
    if (!best || (isFull && earlyStopping === true)) this.isDone = true;
    else if (isFull) {
      const reach = earlyStopping === 'never' && lengthPenalty > 0 ? maxNewTokens : length;
      this.isDone = !(best.sum / reach ** lengthPenalty > this.#finished.at(-1)!.score);
    }
    while (best && open.length < numBeams) open.push({ ...best, sum: Number.NEGATIVE_INFINITY });
    if (best) this.open = open;
    else this.#idle();
  }

  results(): GenerationResult[] {
    return this.#finished.slice(0, this.#options.numReturn).map(({ ids, tokenScores, score, sum, history }) => {
      if (sum === Number.NEGATIVE_INFINITY || history.length !== this.#prompt + ids.length) {
        throw new Error('qkv defect: a dead beam was finished');
      }
      return { ids, tokenScores, score, finish: this.#options.eosIds.includes(ids.at(-1)!) ? 'end' : 'length' };
    });
  }

  #continue(candidates: Candidates, rank: number): Hypothesis {
    const parent = candidates.parents[rank]!;
    const token = candidates.tokens[rank]!;
    const { history, ids, tokenScores } = this.open[parent]!;
    return {
      history: [...history, token],
      ids: [...ids, token],
      tokenScores: [...tokenScores, candidates.tokenScores[rank]!],
      sum: candidates.sums[rank]!,
      parent,
    };
  }

  /** While others of the batch go on: as many beams as they have, whatever these hold. */
  #idle(): void {
    const { numBeams } = this.#options;
    const [any] = this.open;
    const ids = any!.ids.length > 0 ? any!.ids : [0];
    this.open = Array.from({ length: numBeams }, () => ({ ...any!, ids, parent: 0, sum: Number.NEGATIVE_INFINITY }));
  }
}
