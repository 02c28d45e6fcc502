import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type ChatMessage, chatPrompt } from '../../src/pretrained/chat.ts';

const file = new URL('../../fixtures/chat/expected.json', import.meta.url);
const { templates, cases } = JSON.parse(readFileSync(file, 'utf8')) as {
  readonly templates: Readonly<Record<string, string>>;
  readonly cases: readonly { readonly template: string; readonly messages: ChatMessage[]; readonly text: string }[];
};
const tokens = { bos_token: '<s>', eos_token: { content: '</s>', lstrip: false } };
const model = (template: unknown) => ({ location: 'model', tokenizerConfig: { ...tokens, chat_template: template } });

describe('chatPrompt', () => {
  it.each(cases)('$template: as transformers renders $messages', ({ template, messages, text }) => {
    expect(chatPrompt(model(templates[template]), messages)).toBe(text);
  });

  it('takes the default of several templates', () => {
    const several = [
      { name: 'tool_use', template: 'x' },
      { name: 'default', template: templates['chatml'] },
    ];
    const { messages, text } = cases.find(({ template }) => template === 'chatml')!;
    expect(chatPrompt(model(several), messages)).toBe(text);
  });

  it.each([
    ['a template that refuses the messages', templates['turns'], 'roles must alternate'],
    ['a template that cannot be read', '{% for x in', 'chat template of model'],
    ['no template', undefined, 'a model without a chat template'],
    ['no default among several', [{ name: 'rag', template: 'x' }, null], 'a model without a chat template'],
  ])('%s is an error that says so', (_, template, text) => {
    const messages = [{ role: 'assistant', content: 'I begin' }];
    expect(() => chatPrompt(model(template), messages)).toThrow(text);
  });
});
