/**
 * Runs the project's checks: `node scripts/test.ts [STEP…]`, all steps without a name. Every step runs even after one
 * has failed. The last line counts the tests of all runs, a step that fails without a failing test as one failed:
 *
 *     N passed, N failed, N skipped
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

interface Step {
  /** Arguments of node. */
  readonly command: readonly string[];
  /** Whether the command is vitest, which is then asked for its counts. */
  readonly isTestRun?: boolean;
}

interface Counts {
  passed: number;
  failed: number;
  skipped: number;
}

const root = resolve(import.meta.dirname, '..');
const bin = (path: string): string => join(root, 'node_modules', path);
const tsc = (project: string): Step => ({ command: [bin('typescript/bin/tsc'), '-p', project] });
const vitest = (...args: string[]): Step => ({ command: [bin('vitest/vitest.mjs'), 'run', ...args], isTestRun: true });

const groups: Readonly<Record<string, Readonly<Record<string, Step>>>> = {
  check: {
    lint: { command: [bin('@biomejs/biome/bin/biome'), 'check', '.'] },
    'types of the core': tsc('tsconfig.core.json'),
    'types of node code': tsc('tsconfig.node.json'),
    'types of the page': tsc('tsconfig.web.json'),
    'types of the tests': tsc('tsconfig.test.json'),
    layers: { command: ['scripts/layers.ts'] },
  },
  unit: { 'unit tests': vitest('--exclude', 'test/cli/**', '--exclude', 'test/web/**') },
  parity: { parity: vitest('--config', 'vitest.parity.config.ts') },
  e2e: { 'command line': vitest('test/cli/') },
  web: { 'page in Chromium': vitest('test/web/') },
};

const wanted = process.argv.slice(2);
const unknown = wanted.find((name) => !Object.hasOwn(groups, name));
if (unknown !== undefined) {
  console.error(`scripts/test.ts: got ${unknown}, expected some of ${Object.keys(groups).join(', ')}`);
  process.exit(2);
}

const total: Counts = { passed: 0, failed: 0, skipped: 0 };
const failures: string[] = [];
for (const [group, steps] of Object.entries(groups)) {
  if (wanted.length > 0 && !wanted.includes(group)) continue;
  for (const [name, step] of Object.entries(steps)) {
    console.log(`\n── ${name}`);
    const { status, counts } = runStep(step);
    total.passed += counts.passed;
    total.skipped += counts.skipped;
    total.failed += counts.failed;
    if (status === 0) continue;
    failures.push(name);
    if (counts.failed === 0) total.failed++;
  }
}
console.log(failures.length === 0 ? '\nAll steps passed.' : `\nFailed: ${failures.join(', ')}`);
console.log(`${total.passed} passed, ${total.failed} failed${total.skipped > 0 ? `, ${total.skipped} skipped` : ''}`);
process.exitCode = failures.length === 0 ? 0 : 1;

function runStep({ command, isTestRun = false }: Step): { readonly status: number; readonly counts: Counts } {
  const folder = mkdtempSync(join(tmpdir(), 'qkv-test-'));
  try {
    const report = join(folder, 'report.json');
    const reporters = isTestRun ? ['--reporter=default', '--reporter=json', `--outputFile.json=${report}`] : [];
    const { status, error } = spawnSync(process.execPath, [...command, ...reporters], { cwd: root, stdio: 'inherit' });
    if (error) console.error(error.message);
    return { status: status ?? 1, counts: isTestRun ? readCounts(report) : { passed: 0, failed: 0, skipped: 0 } };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Vitest's own counts; nothing where it fell over before it wrote them. */
function readCounts(report: string): Counts {
  if (!existsSync(report)) return { passed: 0, failed: 0, skipped: 0 };
  const counts = JSON.parse(readFileSync(report, 'utf8')) as Record<string, number>;
  return {
    passed: counts['numPassedTests'] ?? 0,
    failed: counts['numFailedTests'] ?? 0,
    skipped: (counts['numPendingTests'] ?? 0) + (counts['numTodoTests'] ?? 0),
  };
}
