/**
 * The measured parts of docs/why/NAME.md and NAME.zh-CN.md, and the pictures docs/why/NAME-CHART.svg, from the findings in
 * docs/why/NAME.json: `qkv why NAME --out docs/why/NAME.json`, then `node scripts/whyDocs.ts`. The prose between is written by
 * hand; a part that is filled in stands between `<!-- PART -->` and `<!-- /PART -->`, PART one of `claims`, `caveats`,
 * `table NAME`, `chart NAME` and `matrices`. A test compares.
 */
import { globSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import type { Findings } from '../src/why/experiment.ts';
import { formatCaveats, formatClaims, formatTable, type Language, languages } from '../src/why/format.ts';
import { drawChart, drawMatrices } from '../src/why/picture.ts';

const folder: string = resolve(import.meta.dirname, '../docs/why');
const suffix: Readonly<Record<Language, string>> = { en: '', zh: '.zh-CN' };

/** Experiments of which findings are stored. */
export function storedNames(): string[] {
  return globSync('*.json', { cwd: folder })
    .map((file) => basename(file, '.json'))
    .sort();
}

/** Path to content of all that follows from an experiment's stored findings. */
export function documentsOf(name: string): ReadonlyMap<string, string> {
  const findings = JSON.parse(readFileSync(`${folder}/${name}.json`, 'utf8')) as Findings;
  if (findings.isQuick) throw new Error(`${name}.json is from a hurried run, which proves nothing`);
  const files = new Map<string, string>();
  for (const language of languages) {
    for (const chart of findings.charts) {
      files.set(`${folder}/${pictureName(name, chart.name, language)}`, drawChart(chart, language));
    }
    if (findings.matrices) {
      files.set(`${folder}/${pictureName(name, 'matrices', language)}`, drawMatrices(findings.matrices, language));
    }
    const document = `${folder}/${name}${suffix[language]}.md`;
    files.set(document, fillParts(readFileSync(document, 'utf8'), findings, language));
  }
  return files;
}

/** The document with every part replaced by what the findings say. @throws Error for a part that they do not have, and for claims that are not shown */
export function fillParts(markdown: string, findings: Findings, language: Language): string {
  const shown = new Set<string>();
  const filled = markdown.replaceAll(/<!-- ((\w+)(?: (\S+))?) -->[\s\S]*?<!-- \/\1 -->/g, (_, part, kind, name) => {
    shown.add(part);
    return `<!-- ${part} -->\n${partText(findings, kind, name, language)}\n<!-- /${part} -->`;
  });
  for (const needed of ['claims', 'caveats']) if (!shown.has(needed)) throw new Error(`no part ${needed}`);
  return filled;
}

function partText(findings: Findings, kind: string, name: string | undefined, language: Language): string {
  const picture = (title: string, part: string): string =>
    `![${title}](${pictureName(findings.experiment, part, language)})`;
  if (kind === 'claims') return formatClaims(findings.claims, language);
  if (kind === 'caveats') return formatCaveats(findings.caveats, language);
  if (kind === 'table') return formatTable(named(findings.tables, name), language);
  if (kind === 'chart') return picture(named(findings.charts, name).title[language], name!);
  if (kind === 'matrices') {
    return picture((findings.matrices ?? []).map(({ title }) => title[language]).join('; '), 'matrices');
  }
  throw new Error(`no part ${kind}`);
}

function named<T extends { readonly name: string }>(parts: readonly T[], name: string | undefined): T {
  const found = parts.find((part) => part.name === name);
  if (!found) throw new Error(`no ${name}, but ${parts.map((part) => part.name).join(', ')}`);
  return found;
}

function pictureName(experiment: string, part: string, language: Language): string {
  return `${experiment}-${part}${suffix[language]}.svg`;
}

if (import.meta.main) {
  for (const name of process.argv.length > 2 ? process.argv.slice(2) : storedNames()) {
    for (const [path, content] of documentsOf(name)) writeFileSync(path, content);
  }
}
