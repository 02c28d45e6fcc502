import { afterAll, describe, expect, it } from 'vitest';
import { deriveSeed, RandomStream } from '../../src/base/random.ts';
import { type HostTensor, int32 } from '../../src/base/tensor.ts';
import type { BatchPosition } from '../../src/data/bucketBatches.ts';
import { declarationsOf } from '../../src/models/declarations.ts';
import type { Model } from '../../src/models/model.ts';
import { parseModel } from '../../src/models/registry.ts';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';
import { gatherTargets } from '../../src/train/objectives.ts';
import type { Micro, TrainingTask } from '../../src/train/task.ts';
import { Trainer } from '../../src/train/trainer.ts';
import { TinyRecipe } from './tinyRecipe.ts';

const runtime = await createNodeRuntime({ lanes: 2, threads: 1, spinning: false });
const tiny = new TinyRecipe();
afterAll(async () => {
  tiny[Symbol.dispose]();
  await runtime[Symbol.asyncDispose]();
});

const ROWS = 64;
const [VOCAB, PAD, NONE] = [40, 0, -100];

interface Row {
  readonly ids: readonly number[];
  readonly labels: readonly number[];
  readonly target: readonly number[];
  readonly side: number;
}

/** Texts of 3 to 12 tokens, of which about half have labels; every ninth has none at all. */
const rows: readonly Row[] = Array.from({ length: ROWS }, (_, i) => {
  const stream = new RandomStream(deriveSeed(5, 'row', i));
  const text = (length: number): number[] => Array.from({ length }, () => 3 + stream.below(VOCAB - 3));
  const ids = text(3 + stream.below(10));
  return {
    ids,
    labels: ids.map((id) => (i % 9 === 4 || stream.below(2) === 0 ? NONE : id)),
    target: text(2 + stream.below(8)).map((id) => (i % 9 === 4 ? NONE : id)),
    side: stream.below(2),
  };
});

/** Padded to the longest of these rows, so that another cut pads otherwise. */
function matrix(lists: readonly (readonly number[])[], fill: number): HostTensor {
  const width = Math.max(...lists.map(({ length }) => length));
  return int32(
    [lists.length, width],
    lists.flatMap((list) => Array.from({ length: width }, (_, t) => list[t] ?? fill)),
  );
}

const countOf = ({ data }: HostTensor): number => Array.from(data).filter((label) => Number(label) !== NONE).length;

interface Case {
  readonly config: object;
  readonly loss: TrainingTask['loss'];
  readonly inputs: (part: readonly Row[]) => Readonly<Record<string, HostTensor>>;
}

const sizes = {
  vocab_size: VOCAB,
  hidden_size: 16,
  num_hidden_layers: 2,
  num_attention_heads: 2,
  intermediate_size: 24,
};
const bert = {
  model_type: 'bert',
  ...sizes,
  max_position_embeddings: 16,
  initializer_range: 0.2,
  hidden_dropout_prob: 0,
  attention_probs_dropout_prob: 0,
};
const source = (part: readonly Row[]): Record<string, HostTensor> => ({
  inputIds: matrix(
    part.map(({ ids }) => ids),
    PAD,
  ),
  attentionMask: matrix(
    part.map(({ ids }) => ids.map(() => 1)),
    0,
  ),
});

const cases: Readonly<Record<string, Case>> = {
  'a causal model': {
    config: {
      model_type: 'gpt2',
      embd_pdrop: 0,
      resid_pdrop: 0,
      attn_pdrop: 0,
      vocab_size: VOCAB,
      n_positions: 16,
      n_embd: 16,
      n_layer: 2,
      n_head: 2,
      initializer_range: 0.2,
      bos_token_id: 1,
      eos_token_id: 2,
    },
    loss: { smoothing: 0, padded: true },
    inputs: (part) => ({
      ...source(part),
      labels: matrix(
        part.map(({ labels }) => labels),
        NONE,
      ),
    }),
  },
  'an encoder-decoder with label smoothing': {
    config: {
      model_type: 't5',
      dropout_rate: 0,
      vocab_size: VOCAB,
      d_model: 16,
      d_kv: 8,
      num_heads: 2,
      d_ff: 24,
      num_layers: 2,
      initializer_factor: 0.5,
    },
    loss: { smoothing: 0.1, padded: true },
    inputs: (part) => ({
      ...source(part),
      decoderInputIds: matrix(
        part.map(({ target }) => [PAD, ...target.slice(0, -1).map((id) => Math.max(id, PAD))]),
        PAD,
      ),
      labels: matrix(
        part.map(({ target }) => target),
        NONE,
      ),
    }),
  },
  'masked words and the next sentence': {
    config: { ...bert, architectures: ['BertForPreTraining'] },
    loss: { smoothing: 0, padded: true, segments: true, targetsOnly: true },
    inputs: (part) => ({
      ...source(part),
      segments: matrix(
        part.map(({ ids }) => ids.map((_, t) => Number(t > 1))),
        0,
      ),
      ...gatherTargets(
        matrix(
          part.map(({ labels }) => labels),
          NONE,
        ),
      ),
      sentenceLabels: int32(
        [part.length],
        part.map(({ side }) => side),
      ),
    }),
  },
  'a classifier of texts': {
    config: { ...bert, architectures: ['BertForSequenceClassification'] },
    loss: { smoothing: 0, padded: true },
    inputs: (part) => ({
      ...source(part),
      labels: int32(
        [part.length],
        part.map(({ side }) => side),
      ),
    }),
  },
  'a classifier of tokens': {
    config: { ...bert, architectures: ['BertForTokenClassification'] },
    loss: { smoothing: 0, padded: true },
    inputs: (part) => ({
      ...source(part),
      labels: matrix(
        part.map(({ labels }) => labels.map((id) => (id === NONE ? NONE : id % 2))),
        NONE,
      ),
    }),
  },
};

interface Stepped {
  readonly loss: number;
  readonly losses: Readonly<Record<string, number>>;
  readonly validation: number;
  /** Of all parameters: with a rate of 1 what a step of descent takes away. */
  readonly gradient: Float32Array;
  readonly without: number;
}

/** One step of the trainer, `count` rows of all in `accumulate` batches, the last of them smaller where they do not divide. */
async function stepOf({ config, loss, inputs }: Case, count: number, accumulate: number): Promise<Stepped> {
  const model: Model = parseModel(config);
  const size = Math.ceil(count / accumulate);
  const micro = (part: readonly Row[]): Micro => {
    const tensors = inputs(part);
    return { inputs: tensors, targetTokens: countOf(tensors['labels']!), tokens: 1 };
  };
  const at = (i: number): Micro => micro(rows.slice(i * size, Math.min((i + 1) * size, count)));
  const recipe = tiny.load(
    'language-model',
    `train.accumulate=${accumulate}`,
    'train.steps=1',
    'train.clipNorm=null',
    'train.optimizer={name: sgd}',
    'train.schedule={name: constant, peak: 1}',
  );
  let [step, losses, validation] = [0, {}, 0];
  const trainer = await Trainer.create(
    runtime,
    recipe,
    {
      model,
      declarations: declarationsOf(model),
      loss,
      bindings: undefined,
      fingerprint: '',
      notices: [],
      batchAt: ({ batchIndex }: BatchPosition) => at(batchIndex),
      after: ({ epoch, batchIndex }: BatchPosition) => ({ epoch, batchIndex: (batchIndex + 1) % accumulate }),
      validation: () => Array.from({ length: accumulate }, (_, i) => at(i)),
      examine: undefined,
      hasTest: false,
    } as unknown as TrainingTask, // without a tokenizer, which nothing asks for here
    {
      save: async () => 'step',
      record: async () => {},
      seconds: () => 0,
      stop: { aborted: false },
      onEvent(event) {
        if (event.kind === 'step') [step, losses] = [event.loss, event.losses ?? {}];
        if (event.kind === 'validation') validation = event.validation.loss;
      },
    },
  );
  const before = trainer.arena.data.slice();
  await trainer.run();
  return {
    loss: step,
    losses,
    validation,
    gradient: trainer.arena.data.map((value, i) => before[i]! - value),
    without: Array.from({ length: accumulate }, (_, i) => at(i)).filter(({ targetTokens }) => targetTokens === 0)
      .length,
  };
}

describe.each(Object.entries(cases))('%s', (name, one) => {
  it.each([64, 61])('steps alike in one batch of %i texts, in four and in single texts', async (count) => {
    const whole = await stepOf(one, count, 1);
    const largest = whole.gradient.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
    expect(largest).toBeGreaterThan(0.01);
    for (const parts of [4, count]) {
      const cut = await stepOf(one, count, parts);
      expect(cut.loss).toBeCloseTo(whole.loss, 5);
      for (const [term, value] of Object.entries(whole.losses)) expect(cut.losses[term]).toBeCloseTo(value, 5);
      expect(cut.validation).toBeCloseTo(whole.validation, 3);
      const worst = cut.gradient.reduce((most, value, i) => Math.max(most, Math.abs(value - whole.gradient[i]!)), 0);
      expect(worst / largest).toBeLessThan(1e-4);
      if (parts === count) expect(cut.without > 0).toBe(name !== 'a classifier of texts');
    }
  });
});

it("BERT's loss is the sum of two means (Devlin et al. 2019, appendix A.2), whatever their numbers of targets", async () => {
  const { loss, losses } = await stepOf(cases['masked words and the next sentence']!, ROWS, 4);
  expect(Object.keys(losses).sort()).toEqual(['sentences', 'words']);
  expect(loss).toBeCloseTo(losses['words']! + losses['sentences']!, 5);
  // the sentences alone: as many as texts, each with the weight of 1 / 64
  const words = cases['masked words and the next sentence']!;
  const without = (part: readonly Row[]): Readonly<Record<string, HostTensor>> =>
    words.inputs(part.map((row) => ({ ...row, labels: row.labels.map(() => NONE) })));
  const alone = await stepOf({ ...words, inputs: without }, ROWS, 4);
  expect(alone.loss).toBeCloseTo(losses['sentences']!, 5);
  expect(alone.losses['words']).toBe(0);
});
