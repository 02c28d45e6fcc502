import {
  cpSync,
  createReadStream,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, extname, join, resolve } from 'node:path';
import { defaultClientConditions, type Plugin, type UserConfig } from 'vite';
import { contentSecurityPolicy } from './contentSecurityPolicy.ts';
import { watchEvents } from './src/watch/events.ts';
import { ortFileNames } from './src/worker/ortFiles.ts';

const here: string = import.meta.dirname;
const root: string = resolve(here, '../..');

/** The model that the page opens first: a translator has all three kinds of attention. */
const FIRST = 'tatoeba-en-zh';

/** Folders of models that lie beside the page: all of `models/`. */
const modelFolders: readonly string[] = globSync('models/*/config.json', { cwd: root })
  .map((path) => join(root, dirname(path)))
  .sort((a, b) => Number(basename(b) === FIRST) - Number(basename(a) === FIRST) || (a < b ? -1 : 1));

/** Files beside the page that no module imports: path below the page → what is there. */
function filesBeside(): ReadonlyMap<string, { readonly file: string } | { readonly text: string }> {
  const found = new Map<string, { readonly file: string } | { readonly text: string }>();
  const models: { readonly name: string; readonly bytes: number; readonly files: readonly string[] }[] = [];
  for (const folder of modelFolders) {
    const files = readdirSync(folder).filter((name) => /\.(json|safetensors|txt|model|jinja)$/.test(name));
    for (const name of files) found.set(`models/${basename(folder)}/${name}`, { file: join(folder, name) });
    models.push({
      name: basename(folder),
      bytes: files.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0),
      files,
    });
  }
  found.set('models/index.json', { text: JSON.stringify(models) });
  // A server that has models of its own to show answers in place of this file.
  found.set('served/index.json', { text: '[]' });
  // So does one that tells of a run, with events.
  found.set(watchEvents, { text: '' });
  for (const [name, text] of trainingTexts()) found.set(`texts/${name}`, { text });
  for (const name of ortFileNames) {
    found.set(`ort/${name}`, { file: join(root, 'node_modules/onnxruntime-web/dist', name) });
  }
  return found;
}

/** What the page trains small models on: parts of the project's data, some 200 kB each, and where they are from. */
function trainingTexts(): [name: string, text: string][] {
  const read = (path: string): string => readFileSync(join(root, 'data', path), 'utf8');
  const lines = (path: string): string[] => read(path).split('\n').slice(0, -1);
  const short = lines('tatoeba-en-zh/train.tsv').filter((line) => line.length <= 45);
  return [
    ['shakespeare.txt', read('tinyshakespeare/input.txt').slice(0, 200_000)],
    ['tang-poems.txt', joined(lines('tang-poems/train.txt').slice(0, 2000))],
    ['tatoeba-en-zh.tsv', joined(short.slice(0, 4000))],
    [
      'SOURCES.md',
      ['tinyshakespeare', 'tang-poems', 'tatoeba-en-zh'].map((name) => read(`${name}/README.md`)).join('\n'),
    ],
  ];
}

function joined(lines: readonly string[]): string {
  return lines.map((line) => `${line}\n`).join('');
}

const types: Readonly<Record<string, string>> = {
  '.json': 'application/json',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
  '.txt': 'text/plain; charset=utf-8',
  '.tsv': 'text/tab-separated-values; charset=utf-8',
};

/** Threads of WebAssembly need a page that shares memory with nobody else; so do the scripts that they run. */
const isolation: Readonly<Record<string, string>> = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
};

/** Serves those files in development and copies them into a build. */
function beside(): Plugin {
  return {
    name: 'files-beside',
    configureServer(server) {
      const files = filesBeside();
      server.middlewares.use((request, response, next) => {
        const path = decodeURIComponent((request.url ?? '').replace(/[?#].*/, '')).replace(/^\//, '');
        const found = files.get(path);
        if (found === undefined) return next();
        response.setHeader('Content-Type', types[extname(path)] ?? 'application/octet-stream');
        for (const [name, value] of Object.entries(isolation)) response.setHeader(name, value);
        if ('text' in found) response.end(found.text);
        else createReadStream(found.file).pipe(response);
      });
    },
    writeBundle({ dir }) {
      for (const [path, found] of filesBeside()) {
        const to = join(dir!, path);
        mkdirSync(dirname(to), { recursive: true });
        if ('text' in found) writeFileSync(to, found.text);
        else cpSync(found.file, to);
      }
    },
  };
}

/** In a build alone: in development vite puts styles into the page as text. */
function policy(): Plugin {
  return {
    name: 'content-security-policy',
    apply: 'build',
    transformIndexHtml: () => [
      {
        tag: 'meta',
        attrs: { 'http-equiv': 'Content-Security-Policy', content: contentSecurityPolicy },
        injectTo: 'head-prepend',
      },
    ],
  };
}

const version: string = (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version;

const jsx = { runtime: 'automatic', importSource: 'preact' } as const;

const config: UserConfig = {
  root: here,
  base: './',
  define: { __VERSION__: JSON.stringify(version) },
  oxc: { jsx },
  optimizeDeps: { rolldownOptions: { transform: { jsx } } },
  // ONNX Runtime without the copy of its WebAssembly in its script: that lies in `ort/`.
  resolve: { conditions: ['onnxruntime-web-use-extern-wasm', ...defaultClientConditions] },
  worker: { format: 'es' },
  build: {
    outDir: join(root, 'dist/web'),
    emptyOutDir: true,
    target: 'es2024',
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 1000,
  },
  server: {
    fs: { allow: [root] },
    headers: isolation,
  },
  plugins: [beside(), policy()],
};

export default config;
