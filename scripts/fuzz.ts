/**
 * Fuzzes the parsers of files from elsewhere, longer than the tests do:
 *   node scripts/fuzz.ts FILE.safetensors [--rounds 100000] [--seed 1]
 * Exit code 1 and the damaged file's text where a parser neither refused it with a QkvError nor read it correctly.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { fuzzSafetensors } from '../test/checkpoint/fuzzSafetensors.ts';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '100000' }, seed: { type: 'string', default: '1' } },
});
const [file] = positionals;
const [rounds, seed] = [Number(values.rounds), Number(values.seed)];
if (file === undefined || positionals.length > 1 || !(rounds > 0) || !Number.isInteger(seed)) {
  console.error('usage: node scripts/fuzz.ts FILE.safetensors [--rounds N] [--seed N]');
  process.exit(2);
}
const before = process.memoryUsage().rss;
const report = await fuzzSafetensors(new Uint8Array(readFileSync(file)), rounds, seed);
const grownMiB = Math.round((process.memoryUsage().rss - before) / 2 ** 20);
console.log(JSON.stringify({ file, rounds, seed, ...report, grownMiB }));
