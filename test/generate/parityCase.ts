import { readFile } from 'node:fs/promises';
import { float32, type HostTensor } from '../../src/base/tensor.ts';
import { openCheckpoint } from '../../src/checkpoint/checkpoint.ts';
import { loadStrict } from '../../src/checkpoint/loadStrict.ts';
import { nodeStorage } from '../../src/checkpoint/storage.node.ts';
import type { GenerateOptions } from '../../src/generate/options.ts';
import { GenerationSession } from '../../src/generate/session.ts';
import type { GenerativeModel } from '../../src/models/model.ts';
import { parseModel } from '../../src/models/registry.ts';
import { Trace } from '../../src/nn/scope.ts';
import { input } from '../../src/ops/leaf.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';

export interface ExpectedSequence {
  readonly generated: number[];
  readonly token_scores: number[];
  readonly sequence_score?: number;
}

interface ExpectedRun {
  readonly args: Readonly<Record<string, number | boolean | string>>;
  readonly results: ExpectedSequence[][];
}

interface ExpectedGeneration {
  readonly inputs: number[][];
  readonly max_new_tokens: number;
  readonly forced_eos_token_id?: number | null;
  readonly always?: { readonly bad_words_ids?: number[][] };
  readonly runs: Readonly<Record<string, ExpectedRun>>;
}

export interface ParityCase {
  readonly model: GenerativeModel;
  readonly session: GenerationSession;
  readonly inputs: number[][];
  readonly runs: readonly {
    readonly name: string;
    readonly options: GenerateOptions;
    readonly results: ExpectedSequence[][];
  }[];
}

const folder = new URL('../../fixtures/parity/', import.meta.url);

/** A model of fixtures/parity with its weights, and the generations that were recorded of it. */
export async function parityCase(name: string, runtime: Runtime): Promise<ParityCase> {
  const path = new URL(`${name}/`, folder);
  const checkpoint = await openCheckpoint(nodeStorage(path.pathname));
  const model = parseModel(checkpoint.config);
  if (model.kind === 'encoder') throw new Error(`${name}: an encoder does not generate`);
  const trace = new Trace();
  declare(model, trace);
  const { data } = await loadStrict(model.keyMap, checkpoint.tensors, trace.declarations);
  const parameters: Record<string, HostTensor> = {};
  for (const { path: at, shape } of trace.declarations) parameters[at] = float32(shape, data.get(at)!);
  const expected = JSON.parse(await readFile(new URL('expected.json', path), 'utf8')) as {
    readonly generation: ExpectedGeneration;
  };
  const { inputs, max_new_tokens, forced_eos_token_id, always, runs } = expected.generation;
  return {
    model,
    session: new GenerationSession(runtime, model, parameters),
    inputs,
    runs: Object.entries(runs).map(([run, { args, results }]) => ({
      name: run,
      results,
      options: {
        maxNewTokens: max_new_tokens,
        ...(forced_eos_token_id != null && { forcedEosId: forced_eos_token_id }),
        ...(always?.bad_words_ids && { badWordsIds: always.bad_words_ids }),
        ...optionsOf(args),
      },
    })),
  };
}

const names: Readonly<Record<string, keyof GenerateOptions>> = {
  num_beams: 'numBeams',
  length_penalty: 'lengthPenalty',
  early_stopping: 'earlyStopping',
  repetition_penalty: 'repetitionPenalty',
  no_repeat_ngram_size: 'noRepeatNgramSize',
};

function optionsOf(args: ExpectedRun['args']): GenerateOptions {
  const entries = Object.entries(args).map(([name, value]) => {
    const option = names[name];
    if (!option) throw new Error(`expected.json has an argument ${name} that this test does not know`);
    return [option, value];
  });
  const beams = args['num_beams'] as number;
  return { ...Object.fromEntries(entries), ...(beams > 1 && { numReturn: beams }) };
}

function declare(model: GenerativeModel, trace: Trace): void {
  const ids = input('ids', 'int32', [1, 2]);
  if (model.kind === 'causal') model.logits(trace.root, model.forward(trace.root, { ids }).rows);
  else {
    const memory = model.encode(trace.root, { ids });
    model.logits(trace.root, model.decode(trace.root, { ids, memory }).rows);
  }
}
