import type { Findings } from '../../../../../src/why/experiment.ts';
import type { Language } from '../../state/settings.ts';

/*
 * The experiments' findings and texts as `docs/why` has them when the page is built, each a file beside the page that is fetched
 * when it is shown.
 */

const findingsUrls = import.meta.glob<string>('../../../../../docs/why/*.json', {
  query: '?url',
  import: 'default',
  eager: true,
});
const textUrls = import.meta.glob<string>('../../../../../docs/why/*.md', {
  query: '?url',
  import: 'default',
  eager: true,
});

/** In the order in which a reader meets them; others come behind. */
const order = [
  'scale',
  'heads',
  'positions',
  'masks',
  'parallel',
  'distance',
  'complexity',
  'masking',
  'sentences',
  'sharing',
  'distillation',
];

const byName = (urls: Readonly<Record<string, string>>, ending: string): Map<string, string> =>
  new Map(Object.entries(urls).map(([path, url]) => [path.replace(/^.*\//, '').slice(0, -ending.length), url]));

const findings = byName(findingsUrls, '.json');
const texts = byName(textUrls, '.md');

export const experimentNames: readonly string[] = [...findings.keys()].sort((a, b) => place(a) - place(b));

function place(name: string): number {
  const at = order.indexOf(name);
  return at < 0 ? order.length : at;
}

/** @throws Error where the server does not have it any more */
export async function loadFindings(name: string): Promise<Findings> {
  return (await fetched(findings.get(name)!)).json() as Promise<Findings>;
}

/** The experiment's text in Markdown; null where there is none in the language. */
export async function loadText(name: string, language: Language): Promise<string | null> {
  const url = texts.get(language === 'zh' ? `${name}.zh-CN` : name);
  return url === undefined ? null : (await fetched(url)).text();
}

async function fetched(url: string): Promise<Response> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url}: ${response.status}`);
  return response;
}
