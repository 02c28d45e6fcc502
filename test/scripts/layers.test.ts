import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { checkLayers } from '../../scripts/layers.ts';

/** `file:line: rule` of each violation. */
function check(files: { readonly [path: string]: string }): string[] {
  return checkLayers(new Map(Object.entries(files))).map(({ file, line, rule }) => `${file}:${line}: ${rule}`);
}

describe('the layers of src/', () => {
  it('lets a file import its own folder, the layers below and packages', () => {
    const found = check({
      'src/base/errors.ts': 'export class QkvError extends Error {}',
      'src/ops/add.ts': "import { QkvError } from '../base/errors.ts';\nexport * from './binary.ts';\nimport 'zod';",
      'src/train/step.ts':
        "import type { Runtime } from '../runtime/runtime.ts';\nimport { gpt } from '../models/gpt.ts';",
      'src/runtime/reference/run.ts': "import { evaluate } from './evaluate.ts';\nimport '../../onnx/opset.ts';",
      'src/web.ts': "export { webRuntime } from './runtime/web.ts';",
      'src/node.ts': "export { nodeRuntime } from './runtime/node.ts';\nimport { readFile } from 'node:fs/promises';",
      'apps/cli/main.ts': "import { nodeRuntime } from '../../src/runtime/node.ts';\nimport 'node:fs';",
      'test/a.test.ts': "import { evaluate } from '../src/runtime/reference/evaluate.ts';\nimport 'node:fs';",
    });
    expect(found).toEqual([]);
  });

  it.each([
    ['src/base/a.ts', '../graph/graph.ts', 'base may not import graph (src/graph/graph.ts), only itself'],
    ['src/graph/a.ts', '../ops/index.ts', 'graph may not import ops (src/ops/index.ts), only base'],
    ['src/nn/a.ts', '../autodiff/sweep.ts', 'nn may not import autodiff'],
    ['src/onnx/a.ts', '../runtime/runtime.ts', 'onnx may not import runtime'],
    ['src/onnx/lowerings/a.ts', '../../runtime/runtime.ts', 'onnx may not import runtime'],
    ['src/models/a.ts', '../runtime/runtime.ts', 'models may not import runtime'],
    ['src/generate/a.ts', '../train/trainer.ts', 'generate may not import train'],
    ['src/eval/a.ts', '../tokenizer/bpe.ts', 'eval may not import tokenizer (src/tokenizer/bpe.ts), only base'],
    ['src/train/a.web.ts', '../runtime/web/web.ts', 'train names the concrete runtime src/runtime/web/web.ts'],
    ['src/inspect/a.ts', '../runtime/reference/evaluate.ts', 'inspect names the concrete runtime'],
    ['src/generate/a.ts', '../index.ts', 'imports the entry point src/index.ts'],
    ['src/generate/a.web.ts', 'qkv/web', 'imports the entry point src/web.ts'],
    ['src/index.ts', '../apps/cli/main.ts', 'src may not import apps/cli/main.ts'],
    ['src/data/a.ts', 'node:fs', 'imports node:fs, which is for node.ts, *.node.ts and node/ alone'],
    ['src/index.ts', 'onnxruntime-node', 'imports onnxruntime-node, which is for node.ts'],
    ['src/data/a.ts', './read.node.ts', 'imports src/data/read.node.ts, which is for node.ts'],
    ['src/checkpoint/a.ts', './opfs.web.ts', 'imports src/checkpoint/opfs.web.ts, which is for web.ts'],
    ['src/runtime/a.ts', './web/web.ts', 'imports src/runtime/web/web.ts, which is for web.ts'],
    ['src/index.ts', 'onnxruntime-web/wasm', 'imports onnxruntime-web/wasm, which is for web.ts'],
    ['src/node.ts', './hub/hubStorage.web.ts', 'imports src/hub/hubStorage.web.ts, which is for web.ts'],
    ['src/web.ts', './runtime/node/session.ts', 'imports src/runtime/node/session.ts, which is for node.ts'],
  ])('%s may not import %s', (file, specifier, rule) => {
    const found = check({ [file]: `// why\nimport { a } from '${specifier}';\n` });
    expect(found).toHaveLength(1);
    expect(found[0]).toContain(`${file}:2: ${rule}`);
  });

  it.each(['src/data/node.ts', 'src/data/read.node.ts', 'src/runtime/node/session.ts'])(
    '%s may import node:*',
    (file) => {
      expect(check({ [file]: "import 'node:fs';\nimport 'onnxruntime-node';" })).toEqual([]);
      expect(check({ [file.replaceAll('node', 'knode')]: "import 'node:fs';" })).toHaveLength(1);
    },
  );

  it('finds every form of import', () => {
    const forms = [
      "import '../graph/a.ts';",
      "import type { A } from '../graph/a.ts';",
      "import a, { type A } from '../graph/a.ts';",
      'import {\n  a,\n  b as c,\n} from "../graph/a.ts";',
      "import * as a from '../graph/a.ts';",
      "export { a } from '../graph/a.ts';",
      "export * as a from '../graph/a.ts';",
      "export type { A } from '../graph/a.ts';",
      "const a = await import('../graph/a.ts');",
      "type A = import('../graph/a.ts').A;",
    ];
    for (const form of forms) expect(check({ 'src/base/a.ts': form }), form).toHaveLength(1);
  });

  it('passes over comments, template strings and exports that import nothing', () => {
    const source = [
      "// import '../graph/a.ts';",
      "/**\n * import { a } from '../graph/b.ts';\n import '../graph/c.ts';\n */",
      "const text = `\nimport { a } from '../graph/d.ts';\n`;",
      "export const from = '../graph/e.ts';",
      "export { text };\nconst url = 'http://x';",
    ];
    expect(check({ 'src/base/a.ts': source.join('\n') })).toEqual([]);
  });

  it('refuses a folder that is in no layer', () => {
    expect(check({ 'src/helpers/a.ts': '' })[0]).toContain('src/helpers/a.ts:1: src/helpers is in no layer');
    expect(check({ 'src/utils.ts': '' })[0]).toContain('src/utils.ts:1: a file directly in src/ is an entry point');
  });
});

describe('cycles', () => {
  it('are found once, with the whole way round', () => {
    const found = check({
      'src/nn/a.ts': "import './b.ts';",
      'src/nn/b.ts': "\nimport './c.ts';",
      'src/nn/c.ts': "import './d.ts';\nimport './b.ts';",
      'src/nn/d.ts': '',
      'src/nn/self.ts': "export { x } from './self.ts';",
    });
    expect(found).toEqual([
      'src/nn/c.ts:2: import cycle: src/nn/b.ts → src/nn/c.ts → src/nn/b.ts',
      'src/nn/self.ts:1: import cycle: src/nn/self.ts → src/nn/self.ts',
    ]);
  });

  it('do not come from erased or deferred imports, nor from two ways to one file', () => {
    const files = {
      'src/nn/a.ts': "import './b.ts';\nimport './c.ts';",
      'src/nn/b.ts': "import './c.ts';\nimport type { A } from './a.ts';",
      'src/nn/c.ts': "const a = () => import('./a.ts');",
    };
    expect(check(files)).toEqual([]);
    expect(check({ ...files, 'src/nn/b.ts': "import { type A } from './a.ts';" })).toHaveLength(1);
  });
});

it('the command prints file, line and rule, and ends with 1', () => {
  const root = mkdtempSync(join(tmpdir(), 'layers-'));
  const script = fileURLToPath(new URL('../../scripts/layers.ts', import.meta.url));
  const plant = (path: string, source: string) => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), source);
  };
  const run = () => spawnSync(process.execPath, [script, root], { encoding: 'utf8' });
  try {
    plant('src/base/errors.ts', '');
    plant('src/node_modules/x/index.ts', "import 'node:fs';");
    expect(run()).toMatchObject({ status: 0, stdout: '1 files, 0 violations of the layers\n' });
    plant('src/base/dim.ts', "import './errors.ts';\nimport { Graph } from '../graph/graph.ts';\n");
    const { status, stdout } = run();
    expect(stdout).toContain('src/base/dim.ts:2: base may not import graph (src/graph/graph.ts), only itself\n');
    expect(status).toBe(1);
  } finally {
    rmSync(root, { recursive: true });
  }
});
