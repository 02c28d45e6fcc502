/**
 * Fuzzes the parsers of files from elsewhere, longer than the tests do:
 *   npm run fuzz -- [PARSER…] [--inputs 100000] [--seed 1] [--from 0]
 * All parsers by default, one after the other; one JSON line each. Exit code 1 where an input was neither read nor refused as it
 * should be: its number and its file are given.
 */
import { parseArgs } from 'node:util';
import { describeFailure, fuzz } from '../test/fuzz/fuzz.ts';
import { parsers } from '../test/fuzz/parsers.ts';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    inputs: { type: 'string', default: '100000' },
    seed: { type: 'string', default: '1' },
    from: { type: 'string', default: '0' },
  },
});
const [inputs, seed, from] = [values.inputs, values.seed, values.from].map(Number) as [number, number, number];
const names = positionals.length > 0 ? positionals : Object.keys(parsers);
const isUsable =
  [inputs, seed, from].every(Number.isSafeInteger) && names.every((name) => Object.hasOwn(parsers, name));
if (!isUsable) {
  console.error('usage: npm run fuzz -- [PARSER…] [--inputs 100000] [--seed 1] [--from 0]');
  console.error(`parsers: ${Object.keys(parsers).join(', ')}`);
  process.exit(2);
}
for (const name of names) {
  const start = performance.now();
  const [report] = await fuzz({ names: [name], inputs, seed, from });
  const seconds = Math.round((performance.now() - start) / 1000);
  const { failure, ...counts } = report!;
  console.log(JSON.stringify({ ...counts, seconds, ...(failure && { failedAt: failure.index }) }));
  if (!failure) continue;
  console.error(describeFailure(report!));
  process.exitCode = 1;
}
