import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { documentsOf, storedNames } from '../../scripts/whyDocs.ts';

it('what is measured in docs/why is what the stored findings say, in both languages and in every picture', () => {
  const names = storedNames();
  expect(names.length).toBeGreaterThan(0);
  for (const name of names) {
    for (const [path, content] of documentsOf(name)) expect(readFileSync(path, 'utf8'), path).toBe(content);
  }
});
