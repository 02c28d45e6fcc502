import { readFileSync } from 'node:fs';
import { EncoderSession } from '../src/predict/session.ts';
import { embed } from '../src/pretrained/embed.ts';
import { openModel } from '../src/pretrained/openModel.node.ts';
import { sentenceEncoderAt } from '../src/pretrained/sentenceEncoder.node.ts';
import type { Runtime } from '../src/runtime/runtime.ts';
import { peakRssMib, statistics, timed } from './measure.ts';

const BATCH = 32;

export interface EmbeddingBench {
  /** A folder of sentence-transformers. */
  readonly model: string;
  /** A TSV with a header; its last column is the sentence (SST-2's dev.tsv: 872 of them). */
  readonly data: string;
  readonly repetitions: number;
}

/** Sentence embeddings from text to vectors: tokens, encoder, pooling, normalisation; batches of 32. */
export async function benchEmbedding(
  runtime: Runtime,
  { model: folder, data, repetitions }: EmbeddingBench,
): Promise<object> {
  const { model, arena, tokenizer } = await openModel(folder, { head: 'encoder' });
  const encoder = (await sentenceEncoderAt(folder))!;
  using session = new EncoderSession(runtime, model, { ...arena.tensors, ...encoder.parameters });
  const lines = readFileSync(data, 'utf8').split('\n').filter(Boolean).slice(1);
  const sentences = lines.map((line) => line.slice(line.lastIndexOf('\t') + 1));
  const options = { encoder, batchSize: BATCH, truncate: true };
  const seconds = await timed(repetitions, 1, async () => {
    await embed(session, tokenizer!, sentences, options);
  });
  const tokenising = await timed(3, 0, async () => {
    for (const sentence of sentences) tokenizer!.encode(sentence);
  });
  return {
    what: 'sentence embeddings: tokenise, encode, pool, normalise',
    sentences: sentences.length,
    batch: BATCH,
    sentences_per_s: statistics(seconds.map((s) => sentences.length / s)),
    seconds: statistics(seconds, 3),
    tokenise_only_sentences_per_s: statistics(tokenising.map((s) => sentences.length / s)),
    peak_rss_mib: peakRssMib(),
    lanes: runtime.lanes,
  };
}
