/**
 * The examples of docs/objectives.md and docs/objectives.zh-CN.md, made by the code that they explain:
 * `node scripts/objectiveExamples.ts` writes them behind each `<!-- example: NAME -->`. A test compares.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { deriveSeed, type Key } from '../src/base/random.ts';
import { columnsOf } from '../src/draw/columns.ts';
import { denoising, type Noise } from '../src/objectives/denoising.ts';
import { type MaskedLmOptions, maskedLm } from '../src/objectives/maskedLm.ts';
import { packDocuments } from '../src/objectives/packDocuments.ts';
import { packSentences } from '../src/objectives/packSentences.ts';
import { prefixLm } from '../src/objectives/prefixLm.ts';
import { sentencePairs } from '../src/objectives/sentencePairs.ts';
import { spanCorruption } from '../src/objectives/spanCorruption.ts';
import { wordStarts } from '../src/objectives/wordStarts.ts';
import { loadTokenizer } from '../src/tokenizer/tokenizer.ts';
import { wordPieceJson } from '../src/tokenizer/vocabularyJson.ts';

const special = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', '<s>', '</s>'];
const pieces = 'the cat sat on mat . it was un ##believ ##ably tired then fell asleep rain all night streets were wet';
const sentinels = ['<extra_id_3>', '<extra_id_2>', '<extra_id_1>', '<extra_id_0>'];
const vocabulary = [
  ...special,
  ...pieces.split(' '),
  ...Array.from('他强调了教育的重要性。我喜欢吃苹果'),
  ...sentinels,
];
const tokenizer = loadTokenizer(wordPieceJson([...new Set(vocabulary)].join('\n')));

const idOf = (token: string): number => tokenizer.tokenToId(token)!;
const ids = (text: string): number[] => tokenizer.encode(text, { addSpecialTokens: false }).ids;
const cell = (id: number): string => (id === -100 ? '·' : tokenizer.idToToken(id)!);
const show = (tokens: ArrayLike<number>): string => Array.from(tokens, cell).join(' ');
const keyOf = (seed: number): Key => deriveSeed(seed);

const story = ['the cat sat on the mat .', 'it was unbelievably tired .', 'then it fell asleep .'].map(ids);
const weather = ['rain fell all night .', 'the streets were wet .'].map(ids);

/** Rows with their columns aligned, each behind its name. */
function table(rows: Readonly<Record<string, readonly string[]>>): string {
  const lines = Object.entries(rows).map(([name, cells]) => [name, ...cells]);
  const widths = lines[0]!.map((_, i) => Math.max(...lines.map((cells) => columnsOf(cells[i]!))));
  const padded = (text: string, i: number): string => text + ' '.repeat(widths[i]! - columnsOf(text));
  return lines.map((cells) => cells.map(padded).join('  ').trimEnd()).join('\n');
}

const masking: MaskedLmOptions = {
  vocabSize: tokenizer.vocabSize - sentinels.length,
  maskId: idOf('[MASK]'),
  specialIds: new Set(special.map(idOf)),
};

function masked(text: readonly number[], seed: number, options: Partial<MaskedLmOptions> = {}): string {
  const whole = [idOf('[CLS]'), ...text, idOf('[SEP]')];
  const { inputs, labels } = maskedLm(whole, { ...masking, ...options }, keyOf(seed));
  return table({ text: whole.map(cell), input: Array.from(inputs, cell), label: Array.from(labels, cell) });
}

function pair(objective: 'next-sentence' | 'sentence-order', seed: number): string {
  const options = { objective, maxLength: 32, clsId: idOf('[CLS]'), sepId: idOf('[SEP]') };
  const [first] = sentencePairs([story, weather], 0, options, keyOf(seed));
  return `label ${first!.label}   ${show(first!.ids)}\nsegments  ${first!.segments.join(' ')}`;
}

function packed(packing: 'full-sentences' | 'doc-sentences'): string {
  const options = { packing, maxLength: 28, startId: idOf('<s>'), separatorId: idOf('</s>') };
  return Array.from(packSentences([story, weather], options), show).join('\n');
}

const bart = { maskId: idOf('[MASK]'), startId: idOf('<s>'), eosId: idOf('</s>') };
const denoised = (seed: number, noise?: Noise[]): string =>
  show(denoising(story, { ...bart, ...(noise && { noise }) }, keyOf(seed)).source);

function causal(seesOthers: boolean): string {
  const options = { blockSize: 12, endId: idOf('</s>'), seesOthers };
  const [, block] = packDocuments([story.flat(), weather.flat()], options);
  const { inputs, labels, positions, documents } = block!;
  return table({
    input: Array.from(inputs, cell),
    label: Array.from(labels, cell),
    position: Array.from(positions, String),
    document: Array.from(documents, String),
  });
}

function prefixed(seed: number): string {
  const { prefix, inputs, labels } = prefixLm(story[0]!, keyOf(seed));
  return `${table({ input: Array.from(inputs, cell), label: Array.from(labels, cell) })}\nprefix  ${prefix}`;
}

function corrupted(seed: number): string {
  const options = { firstSentinelId: idOf('<extra_id_0>'), eosId: idOf('</s>'), noiseDensity: 0.3 };
  const { source, target } = spanCorruption(story.flat(), options, keyOf(seed));
  return `text    ${show(story.flat())}\nsource  ${show(source)}\ntarget  ${show(target)}`;
}

/** What stands behind each mark of the documents. */
export const examples: Readonly<Record<string, string>> = {
  'masked-lm': masked(story.slice(0, 2).flat(), 2, { rate: 0.3 }),
  'whole-words': masked(story[1]!, 2, { rate: 0.4, wordStarts: wordStarts(tokenizer, 'pieces') }),
  'chinese-words': masked(ids('他强调了教育的重要性。'), 2, {
    rate: 0.3,
    wordStarts: wordStarts(tokenizer, 'chinese'),
  }),
  'n-grams': masked(story.slice(1).flat(), 1, { rate: 0.3, maxNgram: 3, wordStarts: wordStarts(tokenizer, 'pieces') }),
  'next-sentence': `${pair('next-sentence', 1)}\n\n${pair('next-sentence', 2)}`,
  'sentence-order': pair('sentence-order', 2),
  'full-sentences': packed('full-sentences'),
  'doc-sentences': packed('doc-sentences'),
  'span-corruption': corrupted(3),
  denoising: [
    `text                  ${show(story.flat())}`,
    `sentence permutation  ${denoised(2, [{ kind: 'sentence-permutation' }])}`,
    `text infilling        ${denoised(5, [{ kind: 'text-infilling', rate: 0.3 }])}`,
    `token masking         ${denoised(1, [{ kind: 'token-masking', rate: 0.15 }])}`,
    `token deletion        ${denoised(1, [{ kind: 'token-deletion', rate: 0.15 }])}`,
    `document rotation     ${denoised(1, [{ kind: 'document-rotation' }])}`,
    `BART's mixture        ${denoised(3)}`,
  ].join('\n'),
  'packed-together': causal(true),
  'packed-apart': causal(false),
  'prefix-lm': prefixed(7),
};

/** The document with every example replaced by what the code makes now. */
export function fillExamples(markdown: string): string {
  return markdown.replaceAll(/(<!-- example: (\S+) -->\n```text\n)[^`]*(```)/g, (_, before, name, after) => {
    const example = examples[name];
    if (example === undefined) throw new Error(`no example ${name}`);
    return `${before}${example}\n${after}`;
  });
}

export const documents: readonly string[] = ['docs/objectives.md', 'docs/objectives.zh-CN.md'];

if (import.meta.main) {
  for (const document of documents) {
    const path = new URL(`../${document}`, import.meta.url);
    writeFileSync(path, fillExamples(readFileSync(path, 'utf8')));
  }
}
