import { nodeStorage } from '../../src/checkpoint/storage.node.ts';
import { generate } from '../../src/generate/generate.ts';
import type { GenerateOptions } from '../../src/generate/options.ts';
import type { GenerationResult } from '../../src/generate/result.ts';
import { GenerationSession } from '../../src/generate/session.ts';
import { loadPretrained } from '../../src/pretrained/pretrained.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import { limits, type Measure } from './measure.ts';
import { type Json, readJson } from './parityCase.ts';

/** A stored generation: arguments as Hugging Face's `generate` has them, and what it made of each input, best first. */
export interface GenerationRun {
  readonly name: string;
  readonly inputs: readonly (readonly number[])[];
  readonly options: GenerateOptions;
  readonly expected: readonly (readonly Sequence[])[];
  /** Set where an argument has no counterpart here. */
  readonly reason?: string;
}

interface Sequence {
  readonly generated: readonly number[];
  readonly token_scores: readonly number[];
  readonly sequence_score?: number;
}

const optionNames: Readonly<Record<string, keyof GenerateOptions>> = {
  max_new_tokens: 'maxNewTokens',
  min_new_tokens: 'minNewTokens',
  eos_token_id: 'eosId',
  forced_bos_token_id: 'forcedBosId',
  forced_eos_token_id: 'forcedEosId',
  bad_words_ids: 'badWordsIds',
  num_beams: 'numBeams',
  length_penalty: 'lengthPenalty',
  early_stopping: 'earlyStopping',
  repetition_penalty: 'repetitionPenalty',
  no_repeat_ngram_size: 'noRepeatNgramSize',
};

export async function generationRuns(folder: string): Promise<GenerationRun[]> {
  const stored = (await readJson(folder, 'expected.json'))['generation'] as Json | undefined;
  if (!stored) return [];
  const common = ['max_new_tokens', 'eos_token_id', 'forced_bos_token_id', 'forced_eos_token_id'];
  const always = { ...Object.fromEntries(common.map((name) => [name, stored[name]])), ...(stored['always'] as Json) };
  const runs = stored['runs'] as Readonly<Record<string, { readonly args: Json; readonly results: Sequence[][] }>>;
  return Object.entries(runs).map(([name, { args, results }]): GenerationRun => {
    const given = Object.entries({ ...always, ...args }).filter(([, value]) => value !== undefined && value !== null);
    const unknown = given.map(([key]) => key).filter((key) => !optionNames[key]);
    const beams = Number(args['num_beams'] ?? 1);
    return {
      name,
      inputs: stored['inputs'] as number[][],
      expected: results,
      options: {
        ...Object.fromEntries(given.map(([key, value]) => [optionNames[key], value])),
        ...(beams > 1 && { numReturn: beams }),
      },
      ...(unknown.length > 0 && { reason: `no counterpart of ${unknown.join(', ')}` }),
    };
  });
}

/** The inputs as one batch and one by one: ids must be equal, scores within the limit. */
export async function generationRun(runtime: Runtime, folder: string, run: GenerationRun): Promise<Measure[]> {
  const { model, arena } = await loadPretrained(nodeStorage(folder));
  const session = new GenerationSession(runtime, model, arena.tensors);
  const together = await generate(session, run.inputs, run.options);
  const measures = compare(`${run.name}, as a batch`, together, run.expected);
  for (const [i, input] of run.inputs.entries()) {
    const alone = await generate(session, [input], run.options);
    measures.push(...compare(`${run.name}, input ${i} alone`, alone, [run.expected[i]!]));
  }
  return measures;
}

function compare(
  name: string,
  results: readonly (readonly GenerationResult[])[],
  expected: readonly (readonly Sequence[])[],
): Measure[] {
  const shape = (lists: readonly (readonly unknown[])[]): string => lists.map(({ length }) => length).join();
  if (shape(results) !== shape(expected))
    return [measure(`${name}: ${shape(results)} results`, Number.POSITIVE_INFINITY)];
  return expected.flatMap((list, i) =>
    list.map((sequence, j) => {
      const { ids, tokenScores, score } = results[i]![j]!;
      const place = `${name}, result ${j} of ${i}`;
      if (ids.join() !== sequence.generated.join()) {
        return measure(`${place}: ids ${ids}, expected ${sequence.generated}`, Number.POSITIVE_INFINITY);
      }
      const scores = sequence.token_scores.map((value, t) => Math.abs(tokenScores[t]! - value));
      if (sequence.sequence_score !== undefined) scores.push(Math.abs(score! - sequence.sequence_score));
      const worst = scores.some(Number.isNaN) || tokenScores.length !== sequence.token_scores.length;
      return measure(place, worst ? Number.POSITIVE_INFINITY : Math.max(...scores));
    }),
  );
}

function measure(name: string, difference: number): Measure {
  return { kind: 'generation', name, difference, limit: limits.score };
}
