import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { type Finished, root } from './qkv.ts';

export interface LookServer extends AsyncDisposable {
  /** The first that it printed: the address, or JSON with it. */
  readonly line: string;
  /** What it has said on stderr so far. */
  said(): string;
  /** Presses Ctrl-C. */
  stop(): Promise<Finished>;
}

/** Starts the command and waits for the line that says where the page is. */
export async function look(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<LookServer> {
  const child: ChildProcess = spawn(process.execPath, [join(root, 'apps/cli/main.ts'), 'look', ...args], {
    env: { ...process.env, ...env },
  });
  let [stdout, stderr] = ['', ''];
  child.stderr!.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const closed = once(child, 'close');
  const line = await new Promise<string>((done, fail) => {
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      if (stdout.includes('\n')) done(stdout.slice(0, stdout.indexOf('\n')));
    });
    void closed.then(() => fail(new Error(`it ended: ${stderr}`)));
  });
  return {
    line,
    said: () => stderr,
    async stop() {
      child.kill('SIGINT');
      const [code] = (await closed) as [number | null];
      return { code, stdout, stderr };
    },
    async [Symbol.asyncDispose]() {
      child.kill();
      await closed;
    },
  };
}
