import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { qkv, root } from './qkv.ts';

const folder = mkdtempSync(join(tmpdir(), 'qkv-readme-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The rows of the table of families: its name, and the commands of its cells. */
function familyRows(file: string): { readonly family: string; readonly cells: readonly string[] }[] {
  const lines = readFileSync(join(root, file), 'utf8').split('\n');
  const rows = lines.filter((line) => line.includes('`qkv check $P/'));
  return rows.map((row) => {
    const [family, ...cells] = row.split('|').slice(1, -1);
    return { family: family!.trim(), cells: cells.map((cell) => /`qkv ([^`]+)`/.exec(cell)?.[1] ?? '') };
  });
}

const rows = familyRows('README.md');

it('the tables of both languages have the same commands, and no empty cell', () => {
  expect(rows.length).toBe(10);
  expect(rows.flatMap(({ cells }) => cells).filter((cell) => cell === '')).toEqual([]);
  expect(familyRows('README.zh-CN.md').map(({ cells }) => cells)).toEqual(rows.map(({ cells }) => cells));
});

describe.each(rows)('$family', ({ cells }) => {
  // one after the other: a model is run that was trained before
  it('every command of its row works', { timeout: 240_000 }, async () => {
    for (const cell of cells) {
      const words = [...cell.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);
      const args = words.map((word) =>
        word.replace('$P/', `${join(root, 'fixtures/parity')}/`).replace(/^(runs|out)\//, `${folder}/`),
      );
      if (args[0] === 'train') {
        const sets = [`output=${join(folder, args[1]!)}`, 'train.steps=2', 'train.validateEvery=2'];
        args.push(...sets.flatMap((set) => ['--set', set]), ...quick(args[1]!).flatMap((set) => ['--set', set]));
      }
      if (args[0] === 'generate') args.push('--max-new-tokens', '8');
      const run = await qkv(args);
      expect(run.code, `${cell}\n${run.stderr}`).toBe(0);
    }
  });
});

/** Less of the validation, and no test part. */
function quick(recipe: string): string[] {
  if (recipe.startsWith('shakespeare')) return ['evaluate={blocks: 2, sampleTokens: 8}'];
  if (/bert(a)?$/.test(recipe)) return ['evaluate.sequences=32'];
  return ['evaluate.sentences=2', 'data.test=null'];
}
