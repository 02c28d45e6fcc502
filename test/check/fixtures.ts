import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { nodeStorage } from '../../src/checkpoint/storage.node.ts';
import { loadPretrained, type Pretrained } from '../../src/pretrained/pretrained.ts';

export const folderOf = (name: string): string => join(import.meta.dirname, '../../fixtures/parity', name);

/** The models of the parity fixtures. */
export const cases: readonly string[] = readdirSync(folderOf(''), { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('/config.json'))
  .map((file) => file.slice(0, -'/config.json'.length))
  .sort();

export const open = (name: string): Promise<Pretrained> => loadPretrained(nodeStorage(folderOf(name)));
