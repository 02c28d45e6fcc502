import { existsSync } from 'node:fs';
import { glob } from 'node:fs/promises';
import { QkvError } from '../base/errors.ts';

/**
 * The files that paths and globs name (`*`, `?`, `**`, `[a-z]`, `{a,b}`): in the order given, those of a glob in that of
 * their names, each once. A path that exists is itself, whatever it looks like.
 *
 * @throws QkvError `io` for a pattern that no file matches
 */
export async function matchFiles(patterns: string | readonly string[]): Promise<string[]> {
  const files = new Set<string>();
  for (const pattern of [patterns].flat()) {
    const isGlob = /[*?[{]/.test(pattern) && !existsSync(pattern);
    const found = isGlob ? (await Array.fromAsync(glob(pattern))).sort() : existsSync(pattern) ? [pattern] : [];
    if (found.length === 0) {
      throw new QkvError('io', {
        where: pattern,
        got: isGlob ? 'a pattern that no file matches' : 'no such file',
        expected: 'a readable file',
      });
    }
    for (const file of found) files.add(file);
  }
  return [...files];
}
