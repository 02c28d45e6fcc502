/**
 * Packs the package, installs the tarball in an empty project, and uses it there as its users do: imports, types, the
 * binary. `node scripts/checkPackage.ts`; it needs the registry, or npm's cache with what the lock file names.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { ortFileNames } from '../apps/web/src/worker/ortFiles.ts';

const root = resolve(import.meta.dirname, '..');
const project = mkdtempSync(join(tmpdir(), 'qkv-package-'));

/** A consumer that names one thing of each part of the public API, by type and by value. */
const consumer = `
import { add, float32, input, loadTokenizer, QkvError, trainBpe, type Graph, type HostTensor, type Runtime } from 'qkv';
import { createNodeRuntime, loadRecipe, openModel } from 'qkv/node';
import { bleu, createWebRuntime, drawTerminal, httpStorage, type WebRuntime } from 'qkv/web';

const x = input('x', 'float32', [2]);
const graph: Graph = { outputs: { y: add(x, x) }, names: new Map() };
await using runtime: Runtime = await createNodeRuntime({ threads: 1 });
using program = await runtime.compile(graph);
const [outputs] = await runtime.run([{ program, feeds: { x: float32([2], [1, 2]) } }]);
const y: HostTensor = outputs!['y']!;
if (y.data.join() !== '2,4') throw new Error('1 + 1, 2 + 2 gave ' + y.data.join());

const tokenizer = loadTokenizer(trainBpe(['to be or not to be'], { kind: 'char' }));
const ids: number[] = tokenizer.encode('not').ids;
if (tokenizer.decode(ids) !== 'not') throw new Error('the tokenizer does not give the text back');
const score: number = bleu(['a b c d e'], ['a b c d e']).score;
if (Math.round(score) !== 100) throw new Error('BLEU of the reference itself is ' + score);
const weights = Float32Array.of(1, 0, 0.5, 0.5);
const tokens = ['a', 'b'];
const map = { title: 't', kind: 'encoder', layer: 0, head: 0, queryTokens: tokens, keyTokens: tokens, weights } as const;
if (!drawTerminal(map).includes('layer 0')) throw new Error('no drawing');
const found: unknown = await openModel('no-such-folder').catch((error: unknown) => error);
if (!(found instanceof QkvError) || found.code !== 'io') throw new Error('openModel of nothing gave ' + String(found));
const recipe = loadRecipe('node_modules/qkv/recipes/shakespeare.yaml');
if (recipe.task !== 'language-model') throw new Error(recipe.task);
const pages: (options: { threads: number }) => Promise<WebRuntime> = createWebRuntime;
if (pages.length > 1 || httpStorage('http://127.0.0.1/a').location !== 'http://127.0.0.1/a') throw new Error('qkv/web');
console.log('consumer: ok');
`;

const tsconfig = {
  compilerOptions: {
    target: 'es2024',
    lib: ['es2024', 'dom', 'esnext.disposable'],
    module: 'nodenext',
    strict: true,
    types: [],
    outDir: 'out',
    skipLibCheck: false, // the package's own declarations are checked too
  },
  include: ['consumer.ts'],
};

function run(step: string, command: string, args: readonly string[], cwd: string = project): string {
  console.log(`── ${step}`);
  return execFileSync(command, args, {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', step === 'types' ? 'inherit' : 'pipe', 'inherit'],
    // onnxruntime-node would fetch CUDA libraries at install.
    env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' },
  });
}

/** That `qkv look` serves the page, a model, and ONNX Runtime's files, which the package does not bring. */
async function checkPage(bin: string): Promise<void> {
  console.log('── qkv look');
  const serving = spawn(bin, ['look', '--port', '0'], { cwd: project, stdio: ['ignore', 'pipe', 'inherit'] });
  try {
    const [address] = (await once(serving.stdout.setEncoding('utf8'), 'data')) as [string];
    for (const path of ['', 'models/index.json', ...ortFileNames.map((name) => `ort/${name}`)]) {
      const response = await fetch(new URL(path, address.trim()));
      require(`its page has no ${path || 'page'}: ${response.status}`, response.ok);
      await response.body?.cancel();
    }
  } finally {
    serving.kill('SIGINT');
    await once(serving, 'exit');
  }
}

function require(what: string, holds: boolean): void {
  if (!holds) throw new Error(`the package is wrong: ${what}`);
}

try {
  run('npm pack', 'npm', ['pack', '--silent', '--pack-destination', project], root);
  const tarball = readdirSync(project).find((name) => name.endsWith('.tgz'))!;
  console.log(`${tarball}: ${(statSync(join(project, tarball)).size / 1e6).toFixed(2)} MB`);
  const files = run('contents', 'tar', ['tzf', tarball]).split('\n');
  for (const needed of [
    'dist/apps/cli/main.js',
    'dist/src/index.d.ts',
    'dist/src/runtime/node/engine.js',
    'dist/src/runtime/web/web.js',
    'dist/src/hub/hubStorage.web.js',
    'recipes/shakespeare.yaml',
    'data/tatoeba-en-zh/train.tsv',
    'LICENSE',
    'README.md',
  ]) {
    require(`no ${needed}`, files.includes(`package/${needed}`));
  }
  const stray = files.find((file) => /^package\/(src|test|fixtures|node_modules|runs)\//.test(file));
  require(`it holds ${stray}`, stray === undefined);

  writeFileSync(
    join(project, 'package.json'),
    JSON.stringify({ name: 'consumer', version: '1.0.0', private: true, type: 'module' }),
  );
  writeFileSync(join(project, 'consumer.ts'), consumer);
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify(tsconfig));
  run('npm install', 'npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', `./${tarball}`]);

  run('types', process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', project]);
  process.stdout.write(run('imports', process.execPath, ['consumer.ts']));
  const bin = join(project, 'node_modules', '.bin', 'qkv');
  const version = run('qkv --version', bin, ['--version']).trim();
  require(`qkv --version says ${version}`, /^\d+\.\d+\.\d+/.test(version));
  const doctor = JSON.parse(run('qkv doctor', bin, ['doctor', '--json'])) as { ok: boolean };
  require('qkv doctor is not content', doctor.ok);
  await checkPage(bin);
  console.log('The package works.');
} finally {
  rmSync(project, { recursive: true, force: true });
}
