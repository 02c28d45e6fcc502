import { spawn } from 'node:child_process';
import { resolve } from 'node:path';

export const root: string = resolve(import.meta.dirname, '../..');
const main = resolve(root, 'apps/cli/main.ts');

export interface Finished {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  /** Text for standard input; nothing by default. */
  readonly input?: string;
  readonly cwd?: string;
  /** Closes its standard output after the first bytes. */
  readonly hangUp?: boolean;
  /** Environment variables, added to this process's. */
  readonly env?: Readonly<Record<string, string>>;
  /** Sends SIGINT when this is fulfilled. */
  readonly interruptOn?: Promise<unknown>;
  /** Sends SIGINT when standard output has these characters. */
  readonly interruptAfter?: string;
}

/** Runs the real binary, `qkv ARGS…`, neither of whose streams is a terminal. */
export function qkv(args: readonly string[], options: RunOptions = {}): Promise<Finished> {
  const child = spawn(process.execPath, [main, ...args], {
    cwd: options.cwd ?? root,
    env: { ...process.env, ...options.env },
  });
  let [stdout, stderr] = ['', ''];
  let interrupted = false;
  void options.interruptOn?.then(() => child.kill('SIGINT'));
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    if (options.hangUp) child.stdout.destroy();
    if (options.interruptAfter !== undefined && !interrupted && stdout.includes(options.interruptAfter)) {
      interrupted = true;
      child.kill('SIGINT');
    }
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdin.on('error', () => {}); // it may end before it has read all
  child.stdin.end(options.input ?? '');
  return new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', (code) => done({ code, stdout, stderr }));
  });
}

/** No error may show a stack. */
export function hasStack({ stderr }: Finished): boolean {
  return /^\s+at .*:\d+/m.test(stderr);
}
