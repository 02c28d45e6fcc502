import { afterAll, expect, it } from 'vitest';
import { generate } from '../../src/generate/generate.ts';
import { continueEdited } from '../../src/inspect/continueEdited.ts';
import { Inspection } from '../../src/inspect/inspection.ts';
import { readingOf } from '../../src/inspect/reading.ts';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';
import { parityCase } from '../generate/parityCase.ts';

const runtime = await createNodeRuntime({ threads: 1, spinning: false });
afterAll(() => runtime[Symbol.asyncDispose]());

it.each(['gpt2', 'llama', 't5-v1.0', 'transformer'])(
  'continues %s as generate does, and otherwise under edits',
  async (name) => {
    const { session, model } = await parityCase(name, runtime);
    using inspection = new Inspection(session);
    const prompt = [9, 13, 8, 12, 6];
    const [results] = await generate(session, [prompt], { numBeams: 1, maxNewTokens: 8 });
    const result = results![0]!;
    const reading = model.kind === 'causal' ? { ids: prompt } : readingOf(model, prompt, []);
    const plain = await Array.fromAsync(continueEdited(inspection, reading, { maxNewTokens: 8 }));
    expect(plain.filter((id) => !model.eosIds.includes(id))).toEqual(
      result.ids.filter((id) => !model.eosIds.includes(id)),
    );

    const banned = await Array.fromAsync(
      continueEdited(inspection, reading, { maxNewTokens: 3, bannedIds: [plain[0]!] }),
    );
    expect(banned[0]).not.toBe(plain[0]);
    const draw = (seed: number) =>
      Array.fromAsync(continueEdited(inspection, reading, { maxNewTokens: 5, temperature: 5, topK: 20, seed }));
    expect(await draw(1)).toEqual(await draw(1));
    expect(await draw(1)).not.toEqual(await draw(2));
    const stack = model.kind === 'causal' ? '' : 'decoder.';
    const edits = { mlps: [`${stack}layers.0`, `${stack}layers.1`], scoreFactor: 0 };
    expect(await Array.fromAsync(continueEdited(inspection, reading, { maxNewTokens: 8, edits }))).not.toEqual(plain);
  },
);
