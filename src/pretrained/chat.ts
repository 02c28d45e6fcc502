import { Template } from '@huggingface/jinja';
import { QkvError } from '../base/errors.ts';
import type { JsonObject } from '../checkpoint/checkpoint.ts';
import type { Pretrained } from './pretrained.ts';

export interface ChatMessage {
  /** `system`, `user`, `assistant`, or what else the template knows. */
  readonly role: string;
  readonly content: string;
}

/**
 * A conversation as the model was trained to read it, up to where its answer begins: the chat template (Jinja) of
 * `tokenizer_config.json` or `chat_template.jinja` filled in, as `apply_chat_template` of Hugging Face's transformers does
 * with `add_generation_prompt`; or as it stands, without the beginning of an answer. It has its special tokens in it:
 * encode it with `addSpecialTokens: false`.
 *
 * @throws QkvError `usage` for a model without a chat template, and for messages that the template refuses
 */
export function chatPrompt(
  { tokenizerConfig = {}, location }: Pick<Pretrained, 'tokenizerConfig' | 'location'>,
  messages: readonly ChatMessage[],
  { beginsAnswer = true }: { readonly beginsAnswer?: boolean } = {},
): string {
  const template = templateOf(tokenizerConfig);
  if (template === undefined) {
    throw new QkvError('usage', {
      where: location,
      got: 'a model without a chat template',
      expected: 'chat_template in tokenizer_config.json, or chat_template.jinja',
      hint: 'A model that only continues texts: qkv generate',
    });
  }
  try {
    const text = new Template(template).render({
      messages: messages.map(({ role, content }) => ({ role, content })),
      add_generation_prompt: beginsAnswer,
      tools: null,
      documents: null,
      ...tokensOf(tokenizerConfig),
    });
    return text;
  } catch (cause) {
    throw new QkvError('usage', {
      where: `chat template of ${location}`,
      got: (cause as Error).message,
      expected: 'messages that it takes, in its order of roles',
      cause,
    });
  }
}

/** One template, or several by name, of which `default` is for conversations. */
function templateOf({ chat_template: given }: JsonObject): string | undefined {
  if (!Array.isArray(given)) return typeof given === 'string' ? given : undefined;
  return given.find((one: JsonObject | null) => one?.['name'] === 'default')?.['template'] as string | undefined;
}

/** `bos_token` and the rest, as text. */
function tokensOf(config: JsonObject): Record<string, string> {
  return Object.fromEntries(
    Object.entries(config).flatMap(([key, value]) => {
      if (!key.endsWith('_token')) return [];
      const text = typeof value === 'string' ? value : (value as JsonObject | null)?.['content'];
      return typeof text === 'string' ? [[key, text]] : [];
    }),
  );
}
