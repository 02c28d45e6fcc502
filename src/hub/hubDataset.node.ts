import { join } from 'node:path';
import { type DatasetPart, datasetFiles } from './datasetFiles.ts';
import { type HubOptions, hubSnapshot } from './hubModel.node.ts';
import type { HubName } from './hubName.ts';

/**
 * The paths of the files of a part of a dataset of the Hugging Face hub, fetched into the cache where they are not there:
 *
 *     await hubDataset({ id: 'openai/gsm8k', revision: undefined }, { config: 'main', split: 'train' })
 *
 * The cache is that of Python's huggingface_hub (`datasets--org--name`). Environment and errors: see `hubModel`.
 *
 * @throws QkvError `data` for a configuration or a split that is not there
 */
export async function hubDataset(name: HubName, part: DatasetPart, options: HubOptions = {}): Promise<string[]> {
  let chosen: readonly string[] = [];
  const folder = await hubSnapshot(
    'dataset',
    name,
    async (where, names) => {
      chosen = datasetFiles(where, names, part);
      return chosen;
    },
    options,
  );
  return chosen.map((file) => join(folder, file));
}
