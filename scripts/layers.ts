/**
 * Checks who imports whom: the layers of src/, code for Node or for pages alone, concrete runtimes, cycles between files.
 * `node scripts/layers.ts [ROOT]` prints each violation as `file:line: rule` and ends with exit code 1 if there is one.
 */
import { globSync, readFileSync } from 'node:fs';
import { posix, resolve } from 'node:path';

export interface Violation {
  readonly file: string;
  readonly line: number;
  readonly rule: string;
}

interface Import {
  readonly line: number;
  readonly specifier: string;
  /** Path from the root of the repository; null for a package or a builtin module. */
  readonly target: string | null;
  /** Read while the file loads: neither `import type`, which is erased, nor `import()`, which is later. */
  readonly atLoad: boolean;
}

const CORE = ['base', 'graph', 'ops'];
const SIDE = ['checkpoint', 'hub', 'tokenizer', 'data', 'eval', 'draw', 'recipe'];
const TOP = [...CORE, 'autodiff', 'onnx', 'runtime', 'nn', 'models', ...SIDE, 'objectives'];

/** Folder of src/ → folders that it may import besides itself. */
const MAY_IMPORT: { readonly [folder: string]: readonly string[] } = {
  base: [],
  graph: ['base'],
  ops: ['base', 'graph'],
  autodiff: CORE,
  onnx: CORE,
  runtime: [...CORE, 'onnx'],
  nn: CORE,
  models: [...CORE, 'nn', 'checkpoint'], // a family's file holds its key map, whose type is checkpoint's
  pretrained: [...TOP, 'generate', 'predict'], // a model with its tokenizer: from text to text
  export: [...TOP, 'pretrained'],
  train: [...TOP, 'generate', 'predict', 'pretrained'], // begins from what exists; validation translates
  evaluate: [...TOP, 'generate', 'predict', 'pretrained', 'train'], // a model's metric on records
  generate: TOP,
  predict: TOP,
  check: [...TOP, 'generate', 'train', 'pretrained'],
  inspect: [...TOP, 'generate', 'predict', 'pretrained', 'train'],
  why: [...TOP, 'generate', 'predict', 'pretrained', 'train', 'inspect'], // experiments, on all that is below
  objectives: ['base', 'tokenizer', 'data'], // from token ids to examples with labels
  ...Object.fromEntries(SIDE.map((folder) => [folder, ['base']])),
  hub: ['base', 'checkpoint'], // its files in a page are a storage
};
const ENTRIES = ['src/index.ts', 'src/node.ts', 'src/web.ts'];
const ENTRY_OF_PACKAGE = new Map([
  ['qkv', 'src/index.ts'],
  ['qkv/node', 'src/node.ts'],
  ['qkv/web', 'src/web.ts'],
]);
const NODE_PACKAGE = /^(node:.*|onnxruntime-node)$/;
const WEB_PACKAGE = /^(onnxruntime-web(\/.*)?|comlink|preact(\/.*)?|@preact\/.*)$/;
const CONCRETE_RUNTIME = /^src\/runtime\/(node|web|reference)/;

/** `node.ts`, `*.node.ts`, or anything in a folder named `node`. */
const isNodeFile = (path: string) => /(^|[/.])node\.tsx?$|\/node\//.test(path);

/** `web.ts`, `*.web.ts`, or anything in a folder named `web`. */
const isWebFile = (path: string) => /(^|[/.])web\.tsx?$|\/web\//.test(path);

/** All violations among `files`: paths from the root of the repository, with `/`, and their TypeScript source. */
export function checkLayers(files: ReadonlyMap<string, string>): Violation[] {
  const imports = new Map([...files].map(([file, source]) => [file, findImports(file, source)]));
  const violations = [...files.keys()].flatMap(checkFolder);
  for (const [file, list] of imports) {
    for (const found of list) {
      for (const rule of brokenRules(file, found)) violations.push({ file, line: found.line, rule });
    }
  }
  violations.push(...findCycles(imports));
  return violations.sort((a, b) => (a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1));
}

function folderOf(path: string): string | null {
  return /^src\/([^/]+)\//.exec(path)?.[1] ?? null;
}

function checkFolder(file: string): Violation[] {
  if (!file.startsWith('src/') || ENTRIES.includes(file)) return [];
  const folder = folderOf(file);
  if (folder !== null && Object.hasOwn(MAY_IMPORT, folder)) return [];
  const what = folder === null ? 'a file directly in src/ is an entry point' : `src/${folder} is in no layer`;
  return [{ file, line: 1, rule: `${what}: scripts/layers.ts does not list it` }];
}

function brokenRules(file: string, { specifier, target }: Import): string[] {
  if (!file.startsWith('src/')) return []; // apps, scripts, tests and benchmarks may import everything
  const broken: string[] = [];
  const isEntry = ENTRIES.includes(file);
  if (!isNodeFile(file) && (target === null ? NODE_PACKAGE.test(specifier) : isNodeFile(target))) {
    broken.push(`imports ${target ?? specifier}, which is for node.ts, *.node.ts and node/ alone`);
  }
  if (!isWebFile(file) && (target === null ? WEB_PACKAGE.test(specifier) : isWebFile(target))) {
    broken.push(`imports ${target ?? specifier}, which is for web.ts, *.web.ts and web/ alone`);
  }
  if (target === null) return broken;
  if (/^(apps|scripts|test|bench)\//.test(target)) broken.push(`src may not import ${target}`);
  if (isEntry || !target.startsWith('src/')) return broken;
  if (ENTRIES.includes(target)) {
    broken.push(`imports the entry point ${target}: import the file that defines the name`);
    return broken;
  }
  const from = folderOf(file);
  const to = folderOf(target);
  if (from === null || to === null || !Object.hasOwn(MAY_IMPORT, from)) return broken; // said by checkFolder
  const allowed = MAY_IMPORT[from]!;
  if (from !== to && !allowed.includes(to)) {
    broken.push(`${from} may not import ${to} (${target}), only ${allowed.join(', ') || 'itself'}`);
  } else if (from !== 'runtime' && CONCRETE_RUNTIME.test(target)) {
    broken.push(`${from} names the concrete runtime ${target}: only entry points and apps may`);
  }
  return broken;
}

/** Blanks comments and template strings, so that an import in an example is not one; lines stay where they are. */
function withoutProse(source: string): string {
  const pieces = /\/\/.*|\/\*[\s\S]*?\*\/|`(?:\\[\s\S]|[^`\\])*`|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"/g;
  return source.replace(pieces, (piece) => (/^['"]/.test(piece) ? piece : piece.replace(/[^\n]/g, ' ')));
}

const STATEMENT = /^[ \t]*(?:import|export)\s+(type\s+)?(?:[\w$*{},\s]+?\sfrom\s+)?['"]([^'"\n]+)['"]/gm;
const DYNAMIC = /\bimport\s*\(\s*['"]([^'"\n]+)['"]/g;

function findImports(file: string, source: string): Import[] {
  const code = withoutProse(source);
  const at = (match: RegExpExecArray, specifier: string, atLoad: boolean): Import => ({
    line: code.slice(0, match.index + match[0].length).split('\n').length,
    specifier,
    target: specifier.startsWith('.')
      ? posix.join(posix.dirname(file), specifier)
      : (ENTRY_OF_PACKAGE.get(specifier) ?? null),
    atLoad,
  });
  return [
    ...code.matchAll(STATEMENT).map((match) => at(match, match[2]!, match[1] === undefined)),
    ...code.matchAll(DYNAMIC).map((match) => at(match, match[1]!, false)),
  ];
}

/** Depth-first search: an import of a file that is still being visited closes a cycle. */
function findCycles(imports: ReadonlyMap<string, readonly Import[]>): Violation[] {
  const violations: Violation[] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): void => {
    path.push(file);
    for (const { target, line, atLoad } of imports.get(file) ?? []) {
      if (!atLoad || target === null || done.has(target) || !imports.has(target)) continue;
      const start = path.indexOf(target);
      if (start === -1) visit(target);
      else violations.push({ file, line, rule: `import cycle: ${[...path.slice(start), target].join(' → ')}` });
    }
    path.pop();
    done.add(file);
  };
  for (const file of imports.keys()) if (!done.has(file)) visit(file);
  return violations;
}

if (import.meta.main) {
  const root = resolve(process.argv[2] ?? `${import.meta.dirname}/..`);
  const paths = globSync('{src,apps,scripts,test,bench}/**/*.{ts,tsx}', {
    cwd: root,
    exclude: (path) => /(^|[\\/])(node_modules|dist)([\\/]|$)/.test(path),
  });
  const files = new Map(
    paths.sort().map((path) => [path.replaceAll('\\', '/'), readFileSync(resolve(root, path), 'utf8')]),
  );
  if (files.size === 0) throw new Error(`no TypeScript files below ${root}`);
  const violations = checkLayers(files);
  for (const { file, line, rule } of violations) console.log(`${file}:${line}: ${rule}`);
  console.log(`${files.size} files, ${violations.length} violations of the layers`);
  process.exitCode = violations.length > 0 ? 1 : 0;
}
