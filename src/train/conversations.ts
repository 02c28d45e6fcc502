import { brief } from '../base/brief.ts';
import { QkvError } from '../base/errors.ts';
import { type DataRecord, fieldText, fieldValue } from '../data/records.ts';
import { type ChatMessage, chatPrompt } from '../pretrained/chat.ts';
import type { InstructionFields, InstructionRecipe } from '../recipe/recipe.ts';

/** What was said, and where it stands. */
export interface Conversation {
  readonly where: string;
  readonly messages: readonly ChatMessage[];
}

/** A stretch of text, and whether the model is to learn to write it. */
export interface Stretch {
  readonly text: string;
  readonly counts: boolean;
}

/** The conversation of a record. @throws QkvError `data` where it lacks a field, or messages are none */
export function conversationOf(record: DataRecord, fields: InstructionFields): Conversation {
  const { where } = record;
  if ('prompt' in fields) {
    const said = (role: string, content: string): ChatMessage => ({ role, content });
    const question = said('user', fieldText(record, fields.prompt));
    return { where, messages: [question, said('assistant', fieldText(record, fields.completion))] };
  }
  const value = fieldValue(record, fields.messages);
  const isMessage = (one: unknown): one is ChatMessage =>
    typeof (one as ChatMessage | null)?.role === 'string' && typeof (one as ChatMessage).content === 'string';
  if (Array.isArray(value) && value.every(isMessage) && value.some(({ role }) => role === 'assistant')) {
    return { where, messages: value.map(({ role, content }) => ({ role, content })) };
  }
  const expected = 'a list of { role, content }, one of the role assistant among them';
  throw new QkvError('data', { where: `${where}: ${fields.messages}`, got: brief(value), expected });
}

/**
 * A conversation up to its last answer as the text that a model reads, the answers counting: by the chat template, an answer
 * being all that follows upon the text that asks for it, up to its last end token or character that is no space; or the
 * prompt and the completion as they are.
 *
 * @throws QkvError `data` where the template writes what came before an answer otherwise than without it
 */
export function stretchesOf(
  { where, messages }: Conversation,
  format: InstructionRecipe['objective']['format'],
  tokenizerConfig: Readonly<Record<string, unknown>>,
): readonly Stretch[] {
  if (format.kind === 'text') {
    const [prompt, completion] = messages as readonly [ChatMessage, ChatMessage];
    return [
      { text: format.prompt.replace('{prompt}', () => prompt.content), counts: false },
      { text: completion.content, counts: true },
    ];
  }
  const isTold = format.system !== null && messages[0]!.role !== 'system';
  const all = isTold ? [{ role: 'system', content: format.system! }, ...messages] : messages;
  const render = (count: number, beginsAnswer: boolean): string =>
    chatPrompt({ tokenizerConfig, location: 'the model' }, all.slice(0, count), { beginsAnswer });
  const stretches: Stretch[] = [];
  let done = 0;
  for (const [i, { role }] of all.entries()) {
    if (role !== 'assistant') continue;
    const [before, whole] = [render(i, true), render(i + 1, false)];
    if (before.slice(0, done) !== whole.slice(0, done) || !whole.startsWith(before)) {
      throw new QkvError('data', {
        where,
        got: 'a chat template that writes an answer otherwise than it asks for it',
        expected: 'the text that asks for an answer, and the answer behind it',
      });
    }
    const end = whole.trimEnd().length;
    stretches.push(
      { text: before.slice(done), counts: false },
      { text: whole.slice(before.length, end), counts: true },
    );
    done = end;
  }
  return stretches;
}
