import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { InstructionRecipe } from '../../src/recipe/recipe.ts';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';
import { instructionTask } from '../../src/train/instructionTask.ts';
import { makeTokenizer, readConversations } from '../../src/train/recipeData.node.ts';
import type { TrainingTask } from '../../src/train/task.ts';
import { trainRecipe } from '../../src/train/trainRecipe.node.ts';
import { TinyRecipe } from './tinyRecipe.ts';

const runtime = await createNodeRuntime({ spinning: false });
afterAll(() => runtime[Symbol.asyncDispose]());

// ChatML, as SmolLM2 and Qwen have it
const chatml =
  "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

const sums = Array.from({ length: 12 }, (_, i) => ({ question: `${i} and ${i + 1}?`, answer: `It is ${2 * i + 1}.` }));

const RECIPE = `
name: tiny
task: instruction
seed: 3
output: run
data: { format: records, train: sums.jsonl, validation: sums.jsonl, fields: { prompt: question, completion: answer } }
tokenizer: { kind: char }
model: { family: gpt2, width: 32, layers: 2, heads: 2, maxLength: 48 }
objective: { format: { kind: text } }
train:
  steps: 20
  batchTokens: 96
  maxLength: 40
  schedule: { name: linear, peak: 1e-2, warmup: 2 }
  clipNorm: 1
  saveEvery: 6
  validateEvery: 10
  logEvery: 2
evaluate: { maxLength: 16 }
`;

function load(tiny: TinyRecipe, ...set: string[]): InstructionRecipe {
  writeFileSync(join(tiny.folder, 'sums.jsonl'), sums.map((one) => JSON.stringify(one)).join('\n'));
  writeFileSync(tiny.file('instruction'), RECIPE);
  return tiny.load('instruction', ...set) as InstructionRecipe;
}

async function taskOf(
  config: Record<string, unknown>,
  rows: readonly object[],
  ...set: string[]
): Promise<TrainingTask> {
  using tiny = new TinyRecipe();
  const recipe = load(tiny, ...set);
  writeFileSync(join(tiny.folder, 'sums.jsonl'), rows.map((one) => JSON.stringify(one)).join('\n'));
  const parts = await readConversations(recipe);
  const texts = ['<|im_start|><|im_end|> systemuserassistant\n', ...rows.map((one) => JSON.stringify(one))];
  const files = await makeTokenizer(recipe, () => texts, undefined);
  const all = { ...(JSON.parse(files['tokenizer_config.json']) as object), ...config };
  return instructionTask(
    recipe,
    parts,
    { ...files, 'tokenizer_config.json': JSON.stringify(all) },
    undefined,
    undefined,
  );
}

/** Per row of the first validation batch: what is read, and what of it is predicted. */
function texts(task: TrainingTask): { read: string; predicted: string }[] {
  const { inputs } = [...task.validation()][0]!;
  const [size, length] = inputs['inputIds']!.shape as [number, number];
  const row = (name: string, b: number): number[] => Array.from(inputs[name]!.data).slice(b * length, (b + 1) * length);
  return Array.from({ length: size }, (_, b) => {
    const mask = row('attentionMask', b);
    return {
      read: task.tokenizer.decode(row('inputIds', b).filter((_, t) => mask[t] === 1)),
      predicted: task.tokenizer.decode(row('labels', b).filter((id) => id >= 0)),
    };
  });
}

describe('answers to what is asked', () => {
  const end = '<|endoftext|>';

  it('as text: the completion and the end token count', async () => {
    const task = await taskOf({}, [{ question: 'How many?', answer: 'Three.' }]);
    expect(texts(task)).toEqual([{ read: 'How many?\nThree.', predicted: `Three.${end}` }]);
    const other = await taskOf(
      {},
      [{ question: 'How many?', answer: 'Three.' }],
      'objective.format={kind: text, prompt: "so: {prompt}\\nan: "}',
    );
    expect(texts(other)).toEqual([{ read: 'so: How many?\nan: Three.', predicted: `Three.${end}` }]);
  });

  it('by the chat template: what it puts behind an answer counts, of every answer', async () => {
    const rows = [
      {
        said: [
          { role: 'user', content: 'a' },
          { role: 'assistant', content: 'bc' },
          { role: 'user', content: 'd' },
          { role: 'assistant', content: 'ef' },
          { role: 'user', content: 'g' },
        ],
      },
    ];
    const task = await taskOf(
      { chat_template: chatml },
      rows,
      'data.fields={messages: said}',
      'objective.format={kind: chat, system: be}',
      'train.maxLength=300',
      'train.batchTokens=400',
      'model.maxLength=300',
    );
    const asked = '<|im_start|>system\nbe<|im_end|>\n<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n';
    const read = `${asked}bc<|im_end|>\n<|im_start|>user\nd<|im_end|>\n<|im_start|>assistant\nef<|im_end|>`;
    expect(texts(task)).toEqual([{ read, predicted: `bc<|im_end|>ef<|im_end|>${end}` }]);
  });

  it('pads batches of similar length under the budget, and leaves out what is too long', async () => {
    const rows = Array.from({ length: 20 }, (_, i) => ({ question: 'x'.repeat(3 + i), answer: 'y' }));
    const task = await taskOf({}, [...rows, { question: 'x'.repeat(50), answer: 'y' }]);
    expect(task.notices).toEqual([
      '1 training examples are left out: they have more than 40 tokens (up to 52)',
      '1 validation examples are left out: they have more than 40 tokens (up to 52)',
    ]);
    let seen = 0;
    for (let at = { epoch: 0, batchIndex: 0 }; at.epoch === 0; at = task.after(at)) {
      const { inputs, targetTokens } = task.batchAt(at);
      const [size, length] = inputs['inputIds']!.shape as [number, number];
      expect(size * length).toBeLessThanOrEqual(96);
      expect(targetTokens).toBe(2 * size);
      seen += size;
    }
    expect(seen).toBe(20);
  });

  it('refuses messages without a chat template, and a record that lacks a field', async () => {
    await expect(taskOf({}, [{ question: 'a' }])).rejects.toThrow(/sums\.jsonl:1: got no field "answer"/);
    const chat = 'objective.format={kind: chat}';
    await expect(taskOf({}, sums, chat)).rejects.toThrow(/chat template/);
    await expect(taskOf({}, sums, 'data.fields={messages: question}')).rejects.toThrow(/data\.fields/);
  });

  it('are learned by heart', async () => {
    using tiny = new TinyRecipe();
    const recipe = load(
      tiny,
      'train.steps=200',
      'train.validateEvery=200',
      'train.batchTokens=300',
      'model.maxLength=64',
    );
    const samples: { output: string; reference?: string }[] = [];
    let unigram: number | undefined;
    await trainRecipe(runtime, recipe, {
      onEvent: (event) => {
        if (event.kind !== 'validation') return;
        samples.push(...event.samples);
        unigram = event.validation.unigram;
      },
    });
    expect(samples.slice(-2).map(({ output }) => output)).toEqual(['It is 1.', 'It is 3.']);
    const targets = sums.flatMap(({ answer }) => [...answer, end]);
    const entropy = targets.reduce(
      (sum, one) => sum - Math.log(targets.filter((x) => x === one).length / targets.length),
      0,
    );
    expect(unigram).toBeCloseTo(entropy / targets.length, 6);
  });
});
