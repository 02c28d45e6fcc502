import { join } from 'node:path';
import { type DatasetPart, datasetFiles } from './datasetFiles.ts';
import type { HubName } from './hubName.ts';
import { type HubOptions, hubSnapshot } from './hubSnapshot.node.ts';

/**
 * The files of a split of a dataset of the Hugging Face hub, in the cache: see `hubSnapshot`, and `datasetFiles` for how they are
 * chosen.
 *
 *     await hubDataset(parseHubName('nyu-mll/glue', 'dataset')!, { config: 'cola', split: 'train' });
 *
 * @throws QkvError as both
 */
export async function hubDataset(name: HubName, part: DatasetPart = {}, options: HubOptions = {}): Promise<string[]> {
  const { folder, files } = await hubSnapshot(
    name,
    (where, names, read) => datasetFiles(where, names, read, part),
    options,
  );
  return files.map((file) => join(folder, file));
}
