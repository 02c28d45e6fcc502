import { beforeAll, expect, it } from 'vitest';
import { memoryStorage } from '../checkpoint/memoryStorage.ts';
import { describeFailure, type FuzzReport, fuzz } from './fuzz.ts';
import { parsers } from './parsers.ts';

const names = Object.keys(parsers);
const inputs = 300;
let reports: readonly FuzzReport[];
beforeAll(async () => {
  reports = await fuzz({ names, inputs, from: 0, seed: 1 });
}, 120_000);

it.each(names)('%s refuses or reads 300 damaged files', async (name) => {
  // What is damaged must be sound before.
  for (const { file, files } of parsers[name]!.seeds) await parsers[name]!.run(memoryStorage(files), file);
  const report = reports.find((one) => one.name === name);
  expect(report, 'no report: a parser before it ended the run').toBeDefined();
  if (report!.failure) expect.fail(describeFailure(report!));
  expect(report!.refused + report!.read).toBe(inputs);
  // Both outcomes must really occur, else the damage tests nothing.
  if (parsers[name]!.codes.length > 0) expect(report!.refused).toBeGreaterThan(20);
  expect(report!.read).toBeGreaterThan(3);
});
