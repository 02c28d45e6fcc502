import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** `npm ci` of the lock file in an empty folder, with npm's cache as it is; and with `--omit=dev`, what a user of the package gets. */
export async function benchInstall(): Promise<object> {
  return { all: install([]), without_dev: install(['--omit=dev']) };
}

function install(flags: readonly string[]): object {
  const folder = mkdtempSync(join(tmpdir(), 'qkv-install-'));
  try {
    for (const name of ['package.json', 'package-lock.json', '.npmrc']) {
      copyFileSync(resolve(import.meta.dirname, '..', name), join(folder, name));
    }
    const start = performance.now();
    const { status, stderr } = spawnSync('npm', ['ci', ...flags], { cwd: folder, encoding: 'utf8' });
    if (status !== 0) throw new Error(`npm ci failed: ${stderr}`);
    const seconds = Number(((performance.now() - start) / 1000).toFixed(1));
    const { stdout } = spawnSync('du', ['-sm', 'node_modules'], { cwd: folder, encoding: 'utf8' });
    return { seconds, mib: Number(stdout.split('\t')[0]) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
