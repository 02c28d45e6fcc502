import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build, defaultClientConditions } from 'vite';

export interface BuiltPage extends AsyncDisposable {
  readonly folder: string;
}

/** Bundles `test/web/page`, with all of `src` that it imports, into a folder of its own. */
export async function buildPage(): Promise<BuiltPage> {
  const folder = mkdtempSync(join(tmpdir(), 'qkv-page-'));
  await build({
    root: resolve(import.meta.dirname, 'page'),
    configFile: false,
    logLevel: 'error',
    base: './',
    resolve: { conditions: ['onnxruntime-web-use-extern-wasm', ...defaultClientConditions] },
    build: { outDir: folder, minify: false, assetsInlineLimit: 0, target: 'esnext', modulePreload: false },
    worker: { format: 'es' },
  });
  return { folder, [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }) };
}
