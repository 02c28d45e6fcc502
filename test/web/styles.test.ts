import { globSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

it('no class gets its looks from two style sheets: which one wins would depend on the view that was opened first', () => {
  const sheets = new Map<string, string[]>();
  for (const file of globSync('apps/web/src/**/*.css')) {
    const rules = readFileSync(file, 'utf8').replaceAll(/\/\*[\s\S]*?\*\//g, '');
    const alone = [...rules.matchAll(/(?:^|[{}])\s*([^{}@;]+)\{/g)].flatMap(([, selectors]) => selectors!.split(','));
    for (const name of new Set(alone.map((one) => one.trim()).filter((one) => /^\.[\w-]+$/.test(one)))) {
      sheets.set(name, [...(sheets.get(name) ?? []), file]);
    }
  }
  expect(sheets.size).toBeGreaterThan(100);
  expect([...sheets].filter(([, files]) => files.length > 1)).toEqual([]);
});
