import { existsSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { cached } from '../../fixtures/real/cache.ts';
import { permutation } from '../../src/base/random.ts';
import { openSafetensors, readHostTensor } from '../../src/checkpoint/safetensors.ts';
import { nodeStorage } from '../../src/checkpoint/storage.node.ts';
import { GenerationSession } from '../../src/generate/session.ts';
import { EncoderSession } from '../../src/predict/session.ts';
import { chatPrompt } from '../../src/pretrained/chat.ts';
import { continueText } from '../../src/pretrained/continueText.ts';
import { embed } from '../../src/pretrained/embed.ts';
import { fillMask } from '../../src/pretrained/fillMask.ts';
import { openModel } from '../../src/pretrained/openModel.node.ts';
import { sentenceEncoderAt } from '../../src/pretrained/sentenceEncoder.node.ts';
import { translate } from '../../src/pretrained/translate.ts';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';

const root = join(import.meta.dirname, '../..');
const made = join(root, 'fixtures/real');
const json = <T>(path: string): T => JSON.parse(readFileSync(path, 'utf8')) as T;

/** One in so many of the predictions that the reference made is made here again. */
const SHARE = Number(process.env['QKV_REAL_SHARE'] ?? 6);

/** Runs where the checkpoint is there; the name of what is skipped says why. */
function real(name: string, tests: () => void): void {
  const isThere = existsSync(cached(name));
  const why = `skipped: no ${relative(root, cached(name))}, which fixtures/real/README.md says how to make`;
  describe.skipIf(!isThere)(isThere ? name : `${name} (${why})`, tests);
}

let runtime: Runtime;
beforeAll(async () => {
  runtime = await createNodeRuntime({ lanes: 2, threads: 1 });
});
afterAll(async () => runtime[Symbol.asyncDispose]());

real('minilm', () => {
  it('equals sentence-transformers to 1e-5', async () => {
    const { model, arena, tokenizer } = await openModel(cached('minilm'), { head: 'encoder' });
    using session = new EncoderSession(runtime, model, arena.tensors);
    const encoder = (await sentenceEncoderAt(cached('minilm')))!;
    const texts = json<string[]>(join(made, 'minilm.json'));
    const { tensors } = await openSafetensors(nodeStorage(made), 'minilm.safetensors');
    const wanted = (await readHostTensor(tensors.get('embedding')!)).data;
    const found = await embed(session, tokenizer!, texts, { encoder });
    expect(found.length * 384).toBe(wanted.length);
    const worst = Math.max(...found.flatMap((row, i) => Array.from(row, (x, j) => Math.abs(x - wanted[i * 384 + j]!))));
    expect(worst).toBeLessThan(1e-5);
  }, 120_000);
});

real('albert-rxnmapper', () => {
  it('finds the masked tokens that transformers finds: almost all', async () => {
    const { model, arena, tokenizer } = await openModel(cached('albert-rxnmapper'));
    using session = new EncoderSession(runtime, model, arena.tensors);
    const { reactions, each, right, predictions } = json<{
      reactions: number;
      each: number;
      right: number;
      predictions: { at: number; id: number; probability: number }[];
    }>(join(made, 'albert-rxnmapper.json'));
    const lines = readFileSync(join(cached('albert-rxnmapper'), 'example_rxns.csv'), 'utf8').split('\n');
    const rows = lines
      .slice(1, 1 + reactions)
      .map((line) => tokenizer!.encode(line.slice(line.indexOf(',') + 1), { addSpecialTokens: false }).tokens);
    const all = predictions.map((one, i) => ({ ...one, tokens: rows[Math.floor(i / each)]! }));
    const sample = all.filter((_, i) => i % SHARE === 0);
    const texts = sample.map(({ at, tokens }) => tokens.with(at, '[MASK]').join(''));
    const found = await fillMask(session, tokenizer!, texts, { top: 1 });
    const best = found.map(({ masks }) => masks[0]![0]!);
    expect(best.map(({ id }) => id)).toEqual(sample.map(({ id }) => id));
    const off = best.map(({ probability }, i) => Math.abs(probability - sample[i]!.probability));
    expect(Math.max(...off)).toBeLessThan(1e-4);
    expect(all.filter(({ at, tokens, id }) => tokenizer!.tokenToId(tokens[at]!) === id)).toHaveLength(right);
    expect(right / all.length).toBeGreaterThan(0.95);
  }, 120_000);
});

real('smollm2', () => {
  it('answers in chats as transformers does: 100 greedy tokens each, from the same GGUF file', async () => {
    const pretrained = await openModel(cached('smollm2'));
    const { model, arena, tokenizer } = pretrained;
    using session = new GenerationSession(runtime, model, arena.tensors);
    for (const { question, prompt, ids } of json<{ question: string; prompt: string; ids: number[] }[]>(
      join(made, 'smollm2.json'),
    )) {
      const text = chatPrompt(pretrained, [{ role: 'user', content: question }]);
      expect(text).toBe(prompt);
      const promptIds = tokenizer!.encode(text, { addSpecialTokens: false }).ids;
      const [answer] = await continueText(session, tokenizer!, promptIds, { maxNewTokens: 100 });
      expect(answer!.ids).toEqual(ids);
    }
  }, 240_000);
});

real('bart-g2p', () => {
  it('writes at least 68% of a sample of the lexicon as it is there', async () => {
    const { model, arena, tokenizer } = await openModel(cached('bart-g2p'));
    using session = new GenerationSession(runtime, model, arena.tensors);
    const lexicon = json<Record<string, string | Record<string, string>>>(join(cached('bart-g2p'), 'lexicon.json'));
    const entries = Object.entries(lexicon).filter(([word]) => /^[A-Za-z'-]+$/.test(word));
    const sample = [...permutation(0, 0, entries.length).slice(0, 1000)].map((i) => entries[i]!);
    const words = sample.map(([word]) => word);
    const found = await translate(session, tokenizer!, words, { generate: { numBeams: 4 } });
    const isRight = ([, sounds]: (typeof sample)[number], i: number): boolean =>
      (typeof sounds === 'string' ? [sounds] : Object.values(sounds)).includes(found[i]!.text);
    const share = sample.filter(isRight).length / sample.length;
    console.log(`bart-g2p: ${(100 * share).toFixed(1)}% of ${sample.length} words`);
    expect(share).toBeGreaterThanOrEqual(0.68);
    const [word] = await translate(session, tokenizer!, ['karpathy'], { generate: { numBeams: 4 } });
    expect(word!.text).toBe('kˈɑɹpəθi');
  }, 120_000);
});
