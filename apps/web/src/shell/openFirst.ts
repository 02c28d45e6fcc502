import { effect } from '@preact/signals';
import { opened } from '../state/open.ts';
import { input, modelSource, replaceInput } from '../state/scene.ts';
import type { TextInput } from '../worker/contract.ts';
import { modelList } from './modelLists.ts';

/** Without a model in the address: what the server has to show, else the first model beside the page. */
export async function openFirst(): Promise<void> {
  let examples: readonly TextInput[] = [];
  effect(() => {
    const { card } = opened.value;
    if (!card) return;
    // what a person wrote stays; an example of the model before says nothing to this one
    const { text } = input.peek();
    const isOurs = text === '' || examples.some((example) => example.text === text);
    const first = card.examples[0];
    examples = card.examples;
    if (first !== undefined && isOurs) replaceInput(first);
  });
  if (modelSource.peek() !== null) return;
  const first = async (kind: 'models' | 'served'): Promise<string | undefined> =>
    (await modelList(kind).catch(() => []))[0]?.name;
  const [served, shipped] = await Promise.all([first('served'), first('models')]);
  if (modelSource.peek() !== null) return; // a person was faster
  if (served !== undefined) modelSource.value = { kind: 'served', name: served };
  else if (shipped !== undefined) modelSource.value = { kind: 'shipped', name: shipped };
}
