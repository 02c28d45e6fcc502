import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Plugin, UserConfig } from 'vite';
import page from './vite.config.ts';

const here: string = import.meta.dirname;
const source = (path: string): string => join(here, 'src', path);

/** Modules of the page and what a file without a model has in their place. */
const replaced: ReadonlyMap<string, string> = new Map([
  [source('worker/client.ts'), source('embed/connect.ts')],
  [source('state/canCompute.ts'), source('embed/cannotCompute.ts')],
]);

function replaceModules(): Plugin {
  return {
    name: 'replace-modules',
    enforce: 'pre',
    async resolveId(id, importer) {
      const found = await this.resolve(id, importer, { skipSelf: true });
      return found && (replaced.get(found.id) ?? found);
    },
  };
}

/** Puts the one script and the one style sheet into the markup, with a policy that lets these two run and nothing be fetched. */
function inOneFile(): Plugin {
  return {
    name: 'in-one-file',
    enforce: 'post',
    generateBundle(_, bundle) {
      const files = Object.entries(bundle);
      const scripts = files.flatMap(([, file]) => (file.type === 'chunk' ? [file.code] : []));
      const styles = files.flatMap(([name, file]) =>
        file.type === 'asset' && name.endsWith('.css') ? [String(file.source)] : [],
      );
      const html = bundle['embed.html'];
      if (html?.type !== 'asset' || scripts.length !== 1 || files.length !== scripts.length + styles.length + 1) {
        throw new Error(`expected a page, a script and style sheets, got ${files.map(([name]) => name).join(', ')}`);
      }
      // in the markup these would end the script or begin a comment
      const script = scripts[0]!
        .trim()
        .replace(/<\/(?=script)/gi, '<\\/')
        .replace(/<!--/g, '\\x3C!--');
      const style = styles.join('').trim();
      const policy = [
        "default-src 'none'",
        `script-src '${digest(script)}'`,
        `style-src '${digest(style)}'`,
        'img-src data:',
        "base-uri 'none'",
        "form-action 'none'",
      ].join('; ');
      html.source = String(html.source)
        .replace(/\s*<script type="module"[^>]*src=[^>]*><\/script>/, '')
        .replace(/\s*<link rel="stylesheet"[^>]*>/g, '')
        .replace(
          '<meta charset="utf-8" />',
          (charset) => `${charset}\n    <meta http-equiv="Content-Security-Policy" content="${policy}" />`,
        )
        .replace('</head>', () => `<style>${style}</style>\n  </head>`)
        .replace('</body>', () => `<script type="module">${script}</script>\n  </body>`);
      for (const [name] of files) if (name !== 'embed.html') delete bundle[name];
    },
  };
}

function digest(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}

/** The page's attention view in one file, which opens without a server. `qkv look --out` puts the numbers into it. */
const config: UserConfig = {
  ...page,
  publicDir: false,
  build: {
    ...page.build,
    outDir: join(here, '../../dist/embed'),
    cssCodeSplit: false,
    rolldownOptions: { input: join(here, 'embed.html'), output: { codeSplitting: false } },
  },
  plugins: [replaceModules(), inOneFile()],
};

export default config;
