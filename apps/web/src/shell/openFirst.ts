import { effect } from '@preact/signals';
import { opened } from '../state/open.ts';
import { input, modelSource, replaceInput } from '../state/scene.ts';
import { modelList } from './modelLists.ts';

/** Without a model in the address: what the server has to show, else the first model beside the page. */
export async function openFirst(): Promise<void> {
  effect(() => {
    const card = opened.value.card;
    const example = card?.examples[0];
    if (example !== undefined && input.peek().text === '') replaceInput(example);
  });
  if (modelSource.peek() !== null) return;
  const first = async (kind: 'models' | 'served'): Promise<string | undefined> =>
    (await modelList(kind).catch(() => []))[0]?.name;
  const [served, shipped] = await Promise.all([first('served'), first('models')]);
  if (modelSource.peek() !== null) return; // a person was faster
  if (served !== undefined) modelSource.value = { kind: 'served', name: served };
  else if (shipped !== undefined) modelSource.value = { kind: 'shipped', name: shipped };
}
