import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { arch, availableParallelism, cpus, freemem, homedir, platform, release, tmpdir, totalmem } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { Command } from 'commander';
import type { HostTensor } from '../../src/base/tensor.ts';
import { packageRoot, packageVersion } from './packageRoot.ts';

export interface Finding {
  readonly name: string;
  /** `info`: worth knowing, nothing is wrong. */
  readonly status: 'ok' | 'info' | 'failed';
  readonly detail: string;
  readonly hint?: string;
}

export function doctorCommand(): Command {
  return new Command()
    .option('--json', 'print the findings as JSON')
    .addHelpText('after', '\nExample:\n  qkv doctor\n\nThe exit code is 1 when something that qkv needs does not work.')
    .action(examine);
}

type Result = Omit<Finding, 'name'>;
type Examination = () => Result | Promise<Result>;

const examinations: Readonly<Record<string, Examination>> = {
  qkv: () => ok(`${packageVersion()} in ${packageRoot()}`),
  'Node.js': nodeVersion,
  system: () => ok(`${platform()} ${release()} ${arch()}`),
  processor: () => ok(`${cpus()[0]?.model.trim() ?? 'unknown'}, ${availableParallelism()} threads for qkv`),
  memory: () => ok(`${gibibytes(totalmem())} GiB, ${gibibytes(freemem())} GiB of it free`),
  'ONNX Runtime': ortVersion,
  arithmetic: selfTest,
  speed: matmulSpeed,
  drawing,
  CUDA: cuda,
  'shipped files': shippedFiles,
  'temporary files': temporaryFiles,
  'hub cache': hubCache,
};

async function examine({ json = false }: { json?: boolean }): Promise<void> {
  const findings: Finding[] = [];
  for (const [name, examination] of Object.entries(examinations)) {
    let finding: Result;
    try {
      finding = await examination();
    } catch (error) {
      finding = { status: 'failed', detail: error instanceof Error ? error.message : String(error) };
    }
    findings.push({ ...finding, name });
    if (!json) process.stdout.write(paragraph(findings.at(-1)!));
  }
  const failed = findings.filter(({ status }) => status === 'failed').map(({ name }) => name);
  if (json) process.stdout.write(`${JSON.stringify({ ok: failed.length === 0, findings })}\n`);
  else process.stdout.write(failed.length === 0 ? '\nAll is well.\n' : `\nNot working: ${failed.join(', ')}\n`);
  process.exitCode = failed.length === 0 ? 0 : 1;
}

function paragraph({ name, status, detail, hint }: Finding): string {
  const mark = { ok: '✓', info: 'i', failed: '✗' }[status];
  return `${mark} ${name.padEnd(16)}${detail}\n${hint === undefined ? '' : `  ${' '.repeat(16)}${hint}\n`}`;
}

function ok(detail: string): Result {
  return { status: 'ok', detail };
}

function gibibytes(bytes: number): string {
  return (bytes / 2 ** 30).toFixed(1);
}

function nodeVersion(): Result {
  const { node } = process.versions;
  if (Number(node.split('.')[0]) >= 24) return ok(node);
  return { status: 'failed', detail: node, hint: 'qkv needs Node.js 24 or newer' };
}

function ortFolder(): string {
  // The package exports no package.json: its main file is dist/index.js.
  return dirname(dirname(createRequire(import.meta.url).resolve('onnxruntime-node')));
}

/** Where the native library for this system lies, in a folder named for the interface it is built to. */
function binaries(): string {
  const bin = join(ortFolder(), 'bin');
  const level = readdirSync(bin).find((name) => name.startsWith('napi-')) ?? '';
  return join(bin, level, platform(), arch());
}

function ortVersion(): Result {
  const { version } = JSON.parse(readFileSync(join(ortFolder(), 'package.json'), 'utf8')) as { version: string };
  if (existsSync(binaries())) return ok(version);
  const hint = `Its builds are in ${join(ortFolder(), 'bin')}`;
  return { status: 'failed', detail: `${version}, without a build for ${platform()} ${arch()}`, hint };
}

/** The largest difference that rounding to float32 explains on graphs as small as the self-test's. */
const TOLERANCE = 1e-5;

/** A small graph with the operations of a Transformer layer: ONNX Runtime against the plain evaluator in float64. */
async function selfTest(): Promise<Result> {
  const [{ createNodeRuntime }, { evaluate }, { float32 }, leaf, { matmul }, { softmax }, { layerNorm }, { gelu }] =
    await Promise.all([
      import('../../src/runtime/node/node.ts'),
      import('../../src/runtime/reference/reference.ts'),
      import('../../src/base/tensor.ts'),
      import('../../src/ops/leaf.ts'),
      import('../../src/ops/matmul.ts'),
      import('../../src/ops/softmax.ts'),
      import('../../src/ops/norm.ts'),
      import('../../src/ops/activation.ts'),
    ]);
  const [rows, width] = [12, 16];
  const wave = (shape: number[], step: number): HostTensor =>
    float32(
      shape,
      Array.from({ length: shape.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(step * (i + 1))),
    );
  const feeds = { x: wave([rows, width], 0.7), weight: wave([width], 1.3), bias: wave([width], 2.1) };
  const x = leaf.input('x', 'float32', [rows, width]);
  const normed = layerNorm(x, leaf.input('weight', 'float32', [width]), leaf.input('bias', 'float32', [width]), 1e-5);
  const y = gelu(matmul(softmax(matmul(normed, normed, { transposeB: true })), x));
  const graph = { outputs: { y }, names: new Map() };
  const expected = evaluate(graph, feeds)['y']!.data;
  await using runtime = await createNodeRuntime();
  using program = await runtime.compile(graph);
  const [result] = await runtime.run([{ program, feeds }]);
  const actual = result!['y']!.data;
  const difference = Math.max(...Array.from(expected, (value, i) => Math.abs(value - actual[i]!)));
  const detail = `ONNX Runtime differs from exact arithmetic by ${difference.toExponential(1)}`;
  if (difference <= TOLERANCE) return ok(detail);
  return { status: 'failed', detail, hint: `It should be at most ${TOLERANCE}` };
}

/** A product of 1024 × 1024 matrices, 2 · 1024³ operations. */
async function matmulSpeed(): Promise<Result> {
  const [{ createNodeRuntime }, { float32 }, { input }, { matmul }, { sum }] = await Promise.all([
    import('../../src/runtime/node/node.ts'),
    import('../../src/base/tensor.ts'),
    import('../../src/ops/leaf.ts'),
    import('../../src/ops/matmul.ts'),
    import('../../src/ops/reduce.ts'),
  ]);
  const n = 1024;
  const values = Float32Array.from({ length: n * n }, (_, i) => (i % 17) / 17);
  const shared = new Float32Array(new SharedArrayBuffer(values.byteLength));
  shared.set(values);
  const a = input('a', 'float32', [n, n]);
  await using runtime = await createNodeRuntime();
  using program = await runtime.compile({ outputs: { y: sum(matmul(a, a), [0]) }, names: new Map() });
  const call = { program, feeds: { a: float32([n, n], shared) } };
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 6; i++) {
    const start = performance.now();
    await runtime.run([call]);
    best = Math.min(best, performance.now() - start);
  }
  return ok(`${Math.round((2 * n ** 3) / best / 1e6)} GFLOP/s in a 1024³ float32 matrix product`);
}

/** A picture with Latin and Chinese labels. */
async function drawing(): Promise<Result> {
  const { drawPng } = await import('../../src/draw/png.node.ts');
  const png = await drawPng({
    title: 'qkv',
    kind: 'cross',
    layer: 0,
    head: 0,
    queryTokens: ['注意', '力'],
    keyTokens: ['atten', 'tion'],
    weights: Float32Array.of(0.9, 0.1, 0.2, 0.8),
  });
  const isPng = Buffer.from(png.subarray(1, 4)).toString('latin1') === 'PNG';
  if (isPng) return ok('SVG and PNG, with Chinese');
  return { status: 'failed', detail: 'the renderer made no PNG' };
}

/** The npm package of ONNX Runtime has no CUDA libraries; its own script fetches them. */
function cuda(): Result {
  const supported = platform() === 'linux' && arch() === 'x64';
  if (!supported) return { status: 'info', detail: 'not offered by onnxruntime-node on this system' };
  const library = join(binaries(), 'libonnxruntime_providers_cuda.so');
  const script = relative(process.cwd(), join(ortFolder(), 'script', 'install.js'));
  if (existsSync(library)) {
    const hint = 'They need CUDA 12 and cuDNN 9 at run time. qkv itself runs on the CPU in this version';
    return { status: 'info', detail: 'libraries are installed', hint };
  }
  return {
    status: 'info',
    detail: 'libraries are not installed; qkv runs on the CPU in this version',
    hint: `To have them (some hundred MB, for CUDA 12): node ${script} --onnxruntime-node-install=cuda12`,
  };
}

function shippedFiles(): Result {
  const expected = ['recipes/tatoeba-en-zh.yaml', 'recipes/shakespeare.yaml', 'data/tatoeba-en-zh/train.tsv'];
  const missing = expected.filter((path) => !existsSync(join(packageRoot(), path)));
  if (missing.length === 0) return ok('recipes and data are there');
  return { status: 'failed', detail: `missing: ${missing.join(', ')}`, hint: 'Install qkv again' };
}

function temporaryFiles(): Result {
  const folder = mkdtempSync(join(tmpdir(), 'qkv-doctor-'));
  try {
    writeFileSync(join(folder, 'x'), 'x');
    return ok(`can be written in ${tmpdir()}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Where Hugging Face's tools keep models: a folder from there can be opened. */
function hubCache(): Result {
  const { HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME } = process.env;
  const home = HF_HOME ?? join(XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'huggingface');
  const folder = HF_HUB_CACHE ?? join(home, 'hub');
  return {
    status: 'info',
    detail: existsSync(folder) ? folder : `none at ${folder}`,
    hint: 'qkv fetches nothing itself; the snapshot folder of a model that is in the cache can be given as MODEL',
  };
}
