import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { documents, examples, fillExamples } from '../../scripts/objectiveExamples.ts';

describe('the page about objectives', () => {
  it.each(documents)('%s has every example as the code makes it', (document) => {
    const markdown = readFileSync(document, 'utf8');
    const named = Array.from(markdown.matchAll(/<!-- example: (\S+) -->/g), ([, name]) => name!);
    expect(named).toEqual(Object.keys(examples));
    // node scripts/objectiveExamples.ts writes them
    expect(fillExamples(markdown)).toBe(markdown);
    for (const example of Object.values(examples)) expect(markdown).toContain(example);
  });
});
