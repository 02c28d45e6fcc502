import { GenerationSession } from '../src/generate/session.ts';
import { continueText } from '../src/pretrained/continueText.ts';
import { openModel } from '../src/pretrained/openModel.node.ts';
import type { Runtime } from '../src/runtime/runtime.ts';

/** Lines of a poem of each form that poetry-gpt learns, and characters of a line. */
const FORMS = { 五言绝句: [4, 5], 七言绝句: [4, 7], 五言律诗: [8, 5] } as const;

/** How many of the poems that a model writes have the lines of the form that it was asked for; 250 of each at temperature 0.9, top 50. */
export async function benchPoems(runtime: Runtime, folder: string): Promise<object> {
  const { model, arena, tokenizer } = await openModel(folder);
  if (model.kind !== 'causal' || !tokenizer) throw new Error(`${folder}: expected a model that continues a text`);
  using session = new GenerationSession(runtime, model, arena.tensors);
  const found: Record<string, object> = {};
  for (const [form, [lines, length]] of Object.entries(FORMS)) {
    const options = { sample: true, temperature: 0.9, topK: 50, numReturn: 250, seed: 0 };
    const poems = await continueText(session, tokenizer, `${form}：`, options);
    const right = poems.filter(({ text, finish }) => finish === 'end' && hasLines(text, lines, length));
    found[form] = { right: right.length / poems.length, first: poems[0]!.text };
  }
  return { what: 'share of sampled poems with the lines of their form', samples: 250, ...found };
}

/** Whether a text is so many lines of so many Chinese characters, each with a mark behind it. */
function hasLines(text: string, lines: number, length: number): boolean {
  return new RegExp(`^(\\p{Script=Han}{${length}}[，。？！；]){${lines}}$`, 'u').test(text.replaceAll(/\s/g, ''));
}
