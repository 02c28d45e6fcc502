import type { HubName } from './hubName.ts';
import { type HubOptions, hubSnapshot } from './hubSnapshot.node.ts';
import { modelFiles } from './modelFiles.ts';

/**
 * The folder with the files of a model of the Hugging Face hub, in the cache: see `hubSnapshot`.
 *
 * @throws QkvError as `hubSnapshot`; `checkpoint` for what is not a model that qkv reads
 */
export async function hubModel(name: HubName, options: HubOptions = {}): Promise<string> {
  return (await hubSnapshot(name, modelFiles, options)).folder;
}
