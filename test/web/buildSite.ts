import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'vite';
import type { BuiltPage } from './buildPage.ts';

/** Builds `apps/web` as it is published, into a folder of its own. */
export async function buildSite(): Promise<BuiltPage> {
  const folder = mkdtempSync(join(tmpdir(), 'qkv-site-'));
  const web = resolve(import.meta.dirname, '../../apps/web');
  // The runner's own `test` would leave the names of source files in every element.
  const { NODE_ENV } = process.env;
  process.env['NODE_ENV'] = 'production';
  try {
    await build({ configFile: join(web, 'vite.config.ts'), logLevel: 'error', build: { outDir: folder } });
  } finally {
    process.env['NODE_ENV'] = NODE_ENV;
  }
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}
