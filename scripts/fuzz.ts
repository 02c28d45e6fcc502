/**
 * Fuzzes the parsers of files from elsewhere, longer than the tests do:
 *   node scripts/fuzz.ts PARSER FILE [--rounds 100000] [--seed 1]
 * PARSER is safetensors, torch (.bin, .pt) or gguf.
 * Exit code 1 and the damaged file's text where a parser neither refused it with a QkvError nor read it correctly.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { openTorchPickle } from '../src/checkpoint/torchPickle.ts';
import { fuzzSafetensors } from '../test/checkpoint/fuzzSafetensors.ts';
import { fuzzTensors } from '../test/checkpoint/fuzzTensors.ts';

const parsers: Readonly<Record<string, typeof fuzzSafetensors>> = {
  safetensors: fuzzSafetensors,
  torch: (...file) => fuzzTensors({ open: openTorchPickle, widening: 1 }, ...file),
};

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { rounds: { type: 'string', default: '100000' }, seed: { type: 'string', default: '1' } },
});
const [name, file] = positionals;
const fuzz = name === undefined ? undefined : parsers[name];
const [rounds, seed] = [Number(values.rounds), Number(values.seed)];
if (!fuzz || file === undefined || positionals.length > 2 || !(rounds > 0) || !Number.isInteger(seed)) {
  console.error(`usage: node scripts/fuzz.ts ${Object.keys(parsers).join('|')} FILE [--rounds N] [--seed N]`);
  process.exit(2);
}
const before = process.memoryUsage().rss;
const report = await fuzz(new Uint8Array(readFileSync(file)), rounds, seed);
const grownMiB = Math.round((process.memoryUsage().rss - before) / 2 ** 20);
console.log(JSON.stringify({ parser: name, file, rounds, seed, ...report, grownMiB }));
