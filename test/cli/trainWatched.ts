import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { root } from './qkv.ts';

/** Starts `qkv train … --watch`; gives the page's address as soon as it is known, and later the exit code. */
export async function trainWatched(
  args: readonly string[],
): Promise<{ readonly address: string; readonly closed: Promise<number | null> }> {
  const main = join(root, 'apps/cli/main.ts');
  const child = spawn(process.execPath, [main, 'train', ...args, '--watch', '--port', '0']);
  let stderr = '';
  child.stdout.resume();
  const closed = once(child, 'close').then(([code]) => code as number | null);
  const address = await new Promise<string>((done, fail) => {
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
      const found = /Watch it at (http:\S+#view=train)\n/.exec(stderr)?.[1];
      if (found !== undefined) done(found);
    });
    void closed.then(() => fail(new Error(stderr)));
  });
  return { address, closed };
}
