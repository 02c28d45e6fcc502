import { columnsOf } from '../draw/columns.ts';
import type { Both, Claim, Findings, Table } from './experiment.ts';
import { figure } from './figures.ts';

export type Language = keyof Both;
export const languages: readonly Language[] = ['en', 'zh'];

const words = {
  holds: { en: 'holds', zh: '成立' },
  fails: { en: 'does not hold', zh: '不成立' },
  caveats: { en: 'Caveats', zh: '局限' },
  quick: {
    en: 'A hurried run: it shows how the experiment goes; its figures prove nothing.',
    zh: '这是快速试跑：只演示实验怎么做，数字不能作为依据。',
  },
} as const;

/** An experiment's tables, claims and caveats as Markdown that reads well as plain text too. */
export function formatFindings(findings: Findings, language: Language): string {
  const { title, seed, tables, claims, caveats, isQuick } = findings;
  return [
    `# ${title[language]} (seed ${seed})`,
    ...(isQuick ? [words.quick[language]] : []),
    ...tables.map((table) => formatTable(table, language)),
    formatClaims(claims, language),
    ...(caveats.length > 0 ? [`${words.caveats[language]}:\n\n${formatCaveats(caveats, language)}`] : []),
    '',
  ].join('\n\n');
}

/** The title, then a Markdown table with its columns aligned. */
export function formatTable({ title, columns, rows }: Table, language: Language): string {
  const cell = (value: string | number | Both): string =>
    (typeof value === 'number' ? figure(value) : typeof value === 'string' ? value : value[language]).replaceAll(
      '|',
      '\\|',
    );
  const head = columns.map((column) => cell(column));
  const lines = rows.map((row) => row.map(cell));
  const isNumber = columns.map((_, i) => rows.every((row) => typeof row[i] === 'number'));
  const widths = head.map((_, i) => Math.max(4, ...[head, ...lines].map((line) => columnsOf(line[i]!))));
  const padded = (text: string, i: number): string => {
    const space = ' '.repeat(widths[i]! - columnsOf(text));
    return isNumber[i] ? space + text : text + space;
  };
  const line = (cells: readonly string[]): string => `| ${cells.map(padded).join(' | ')} |`;
  const rule = `| ${widths.map((width, i) => '-'.repeat(width - 1) + (isNumber[i] ? ':' : '-')).join(' | ')} |`;
  return [`**${title[language]}**`, '', line(head), rule, ...lines.map(line)].join('\n');
}

/** A line for each claim: whether it holds, in a sign and in words, then what speaks for that. */
export function formatClaims(claims: readonly Claim[], language: Language): string {
  return claims
    .map(({ text, evidence, holds }) => {
      const verdict = holds ? `✓ ${words.holds[language]}` : `✗ ${words.fails[language]}`;
      const [open, close] = language === 'zh' ? ['：', ''] : [': ', ''];
      return `- ${verdict}${open}${text[language]}${close}\n  ${evidence[language]}`;
    })
    .join('\n');
}

export function formatCaveats(caveats: readonly Both[], language: Language): string {
  return caveats.map((caveat) => `- ${caveat[language]}`).join('\n');
}
