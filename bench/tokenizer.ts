/**
 * Speed of training a BPE vocabulary and of encoding with it, on one thread.
 *
 *   node bench/tokenizer.ts FILE… [--megabytes 30] [--vocab 16000] [--kind byte|word] [--sentences 50000]
 *
 * The files are repeated up to the size asked for. From the second time on, one word in sixteen has a letter changed,
 * so that new words keep appearing as they do in real text. Prints one JSON line.
 */
import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { loadTokenizer } from '../src/tokenizer/tokenizer.ts';
import { trainBpe } from '../src/tokenizer/trainBpe.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    megabytes: { type: 'string', default: '30' },
    vocab: { type: 'string', default: '16000' },
    kind: { type: 'string', default: 'byte' },
    sentences: { type: 'string', default: '50000' },
  },
});
if (positionals.length === 0) throw new Error('Name at least one text file');
const kind = values.kind === 'word' ? 'word' : 'byte';
const lines = enlarge(positionals.map((file) => readFileSync(file, 'utf8')).join('\n'), Number(values.megabytes) * 1e6);

const trainStart = performance.now();
const json = trainBpe(lines, {
  kind,
  vocabSize: Number(values.vocab),
  specialTokens: ['</s>', '<unk>', '<pad>'],
  around: { after: '</s>' },
  ...(kind === 'word' && { unk: '<unk>', minFrequency: 2 }),
});
const trainSeconds = (performance.now() - trainStart) / 1000;

const tokenizer = loadTokenizer(json);
const sentences = lines.slice(0, Number(values.sentences));
const encodeStart = performance.now();
let tokens = 0;
for (const sentence of sentences) tokens += tokenizer.encode(sentence).ids.length;
const encodeSeconds = (performance.now() - encodeStart) / 1000;

console.log(
  JSON.stringify({
    bench: 'tokenizer',
    kind,
    megabytes: lines.reduce((sum, line) => sum + Buffer.byteLength(line) + 1, 0) / 1e6,
    vocab: Object.keys(json.model.vocab).length,
    merges: json.model.merges.length,
    train_s: Number(trainSeconds.toFixed(2)),
    sentences: sentences.length,
    tokens,
    encode_s: Number(encodeSeconds.toFixed(2)),
    peak_rss_mib: Math.round(process.resourceUsage().maxRSS / 1024),
    node: process.version,
    cpu: cpus()[0]?.model,
  }),
);

function enlarge(text: string, bytes: number): string[] {
  const out: string[] = [];
  let size = 0;
  let state = 1;
  const random = (below: number): number => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
  const mutate = (word: string): string => {
    if (random(16) > 0) return word;
    const at = random(word.length);
    return word.slice(0, at) + String.fromCharCode(97 + random(26)) + word.slice(at + 1);
  };
  const source = text.split('\n').filter((line) => line !== '');
  for (let round = 0; size < bytes; round++) {
    for (const line of source) {
      const changed = round === 0 ? line : line.replace(/[a-z]+/g, mutate);
      out.push(changed);
      size += Buffer.byteLength(changed) + 1;
      if (size >= bytes) break;
    }
  }
  return out;
}
