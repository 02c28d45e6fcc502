import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { commonExamples } from '../../apps/web/src/worker/commonExamples.ts';
import { openModel } from '../../src/pretrained/openModel.node.ts';

const root = resolve(import.meta.dirname, '../..');

async function textsOf(folder: string, maskToken: string | null, most?: number): Promise<string[]> {
  const { model, tokenizer } = await openModel(resolve(root, folder));
  const facts = { kind: model.kind, maskToken, maxLength: most ?? model.maxLength };
  return commonExamples(facts, tokenizer!).map(({ text }) => text);
}

it('are those that a model has words and room for', async () => {
  expect(await textsOf('models/bert-zh', '[MASK]')).toContain('这只猫没有过马路，因为[MASK]太累了。');
  expect(await textsOf('models/bert-zh', '[MASK]', 5)).toEqual([]);
  // pieces of bytes, which write everything
  expect(await textsOf('models/stories260K', null)).toEqual(['Once upon a time, there was', '从前，有一只小猫']);
  // characters, none of them for the unknown
  expect(await textsOf('models/poetry', null)).toEqual([]);
});
