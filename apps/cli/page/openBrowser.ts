import { spawn } from 'node:child_process';

/** Asks the system to open an address; says so where it cannot. */
export function openBrowser(url: string): void {
  const [command, ...args] = openers[process.platform] ?? ['xdg-open'];
  const opener = spawn(command!, [...args, url], { stdio: 'ignore', detached: true });
  opener.once('error', ({ message }) => {
    process.stderr.write(`note: no browser could be opened (${message}); the address above is the page\n`);
  });
  opener.unref();
}

const openers: Readonly<Partial<Record<NodeJS.Platform, readonly string[]>>> = {
  darwin: ['open'],
  win32: ['rundll32', 'url.dll,FileProtocolHandler'],
};
