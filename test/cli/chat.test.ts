import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Models, makeModels } from './models.ts';
import { qkv } from './qkv.ts';

let models: Models;
beforeAll(() => {
  models = makeModels();
});
afterAll(() => models[Symbol.dispose]());

describe('qkv chat', () => {
  it('refuses a model without a chat template', async () => {
    const run = await qkv(['chat', models.gpt2, 'Hi']);
    expect(run).toMatchObject({ code: 2, stdout: '' });
    expect(run.stderr).toContain('chat_template.jinja');
    expect(run.stderr).toContain('qkv generate');
  });

  it('puts the messages through the template, and answers as the model continues that', async () => {
    const template = "{% for message in messages %}{{ message.role[0] + ':' + message.content + '|' }}{% endfor %}";
    writeFileSync(join(models.gpt2, 'chat_template.jinja'), template);
    const options = ['--max-new-tokens', '8', '--greedy', '--json'];
    const [chat, piped, generated, long] = await Promise.all([
      qkv(['chat', models.gpt2, 'Hi', '--system', 'Be', ...options]),
      qkv(['chat', models.gpt2, '--system', 'Be', ...options], { input: 'Hi\n' }),
      qkv(['generate', models.gpt2, 's:Be|u:Hi|', ...options]),
      qkv(['chat', models.gpt2, 'x'.repeat(60), ...options]),
    ]);
    const { messages } = JSON.parse(chat.stdout) as { messages: { role: string; content: string }[] };
    const { continuations } = JSON.parse(generated.stdout) as { continuations: { text: string }[] };
    expect(messages).toEqual([
      { role: 'system', content: 'Be' },
      { role: 'user', content: 'Hi' },
      { role: 'assistant', content: continuations[0]!.text },
    ]);
    expect(piped).toEqual(chat);
    expect(long).toMatchObject({ code: 2, stdout: '' });
    expect(long.stderr).toContain('the positions of the model');
  });
});
