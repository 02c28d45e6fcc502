import { createHash } from 'node:crypto';
import { existsSync, globSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { QkvError } from '../../../src/base/errors.ts';
import { replaceFolder } from '../../../src/checkpoint/storage.node.ts';
import { packageRoot } from '../packageRoot.ts';

/** In the built folder: a digest of the sources that it was built of. */
const STAMP = '.sources';

/** What is built: the page, and the file that shows the attention of one text. */
const builds = {
  web: { config: 'vite.config.ts', entry: 'index.html' },
  embed: { config: 'vite.embed.config.ts', entry: 'embed.html' },
} as const;

/**
 * The folder of the built page, `dist/web`, or of the file for one text, `dist/embed`. In the published package it is there; in a clone
 * it is built when it is first needed, and again when its sources have changed.
 *
 * @throws QkvError `io` where it is not there and cannot be built
 */
export async function pageFolder(what: keyof typeof builds, say: (text: string) => void): Promise<string> {
  const root = packageRoot();
  const folder = join(root, 'dist', what);
  const config = join(root, 'apps', 'web', builds[what].config);
  const isBuilt = existsSync(join(folder, builds[what].entry));
  if (!existsSync(config)) {
    if (isBuilt) return folder;
    throw new QkvError('io', { where: folder, got: 'nothing', expected: 'the page, which the package brings along' });
  }
  const stamp = sourcesStamp(root);
  if (isBuiltOf(stamp, folder)) return folder;
  say(isBuilt ? 'The page has changed: building it again …' : 'Building the page, once …');
  await buildPage(config, folder, stamp).catch((error: unknown) => {
    // another process may have built the same meanwhile
    if (!isBuiltOf(stamp, folder)) throw error;
  });
  return folder;
}

function isBuiltOf(stamp: string, folder: string): boolean {
  const file = join(folder, STAMP);
  return existsSync(file) && readFileSync(file, 'utf8') === stamp;
}

/** Builds beside the folder and then takes its place, so that one who reads it never sees a half. */
async function buildPage(config: string, folder: string, stamp: string): Promise<void> {
  const vite = await import('vite').catch((cause: unknown) => {
    throw new QkvError('io', {
      where: 'the page',
      got: 'no vite, which builds it',
      expected: 'the packages for development',
      hint: 'npm ci installs them, without --omit=dev',
      cause,
    });
  });
  await replaceFolder(folder, async ({ location }) => {
    await vite
      .build({ configFile: config, logLevel: 'error', build: { outDir: location, emptyOutDir: true } })
      .catch((cause: Error) => {
        throw new QkvError('io', { where: 'the page', got: `an error of its build: ${cause.message}`, cause });
      });
    writeFileSync(join(location, STAMP), stamp);
  });
}

const PAGE_SOURCES: readonly string[] = ['apps/web/**/*', 'src/**/*.ts', 'models/**/*', 'docs/why/*', 'data/*/*'];

/** Of the paths and contents of all that the page is made of: its own files, the library's, models, experiments, data, and which packages there are. */
function sourcesStamp(root: string): string {
  const files = globSync([...PAGE_SOURCES, 'package-lock.json'], {
    cwd: root,
    withFileTypes: true,
  })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  const hash = createHash('sha256');
  for (const file of files.sort())
    hash
      .update(`${file.slice(root.length)}\0`)
      .update(readFileSync(file))
      .update('\0');
  return hash.digest('hex');
}
