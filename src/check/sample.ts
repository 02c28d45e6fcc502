import { deriveSeed, uniform01 } from '../base/random.ts';
import { type HostTensor, int32 } from '../base/tensor.ts';
import type { Model } from '../models/model.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';

/** A few short inputs of different lengths, and, for an encoder-decoder, what its decoder is to write. */
export interface Sample {
  readonly what: string;
  readonly rows: readonly (readonly number[])[];
  readonly targets: readonly (readonly number[])[];
}

const texts = [
  'The quick brown fox jumps over the lazy dog, and then it sleeps for an hour in the warm sun.',
  'Where is the station? It is on the other side of the river, behind the old mill.',
  'A short text will do here too: 12 apples and 7 pears for 3 children.',
];
const SEED = 20;
const LONGEST = 16;

/** Sentences as the tokenizer has them; random ids from a fixed seed where there is none, or it does not fit. */
export function makeSample(model: Model, tokenizer: Tokenizer | undefined): Sample {
  const longest = Math.min(LONGEST, model.maxLength - (model.kind === 'encoder-decoder' ? 1 : 0));
  const lengths = [1, 0.8, 0.6].map((share) => Math.max(1, Math.round(share * longest)));
  const sourceRows = model.kind === 'encoder-decoder' ? model.sourceVocabSize : model.vocabSize;
  const encoded = tokenizer ? texts.map((text) => encode(tokenizer, text)) : [];
  const known = encoded.filter(
    (ids) => ids.length > 2 && ids.every((id) => id < Math.min(sourceRows, model.vocabSize)),
  );
  const isText = known.length === texts.length;
  const cut = (offset: number, vocabSize: number): number[][] =>
    lengths.map((length, i) => {
      const row = (i + offset) % lengths.length;
      return isText ? known[row]!.slice(0, length) : randomIds(model, vocabSize, length, row + offset);
    });
  return {
    what: isText ? 'three sentences' : `three rows of random ids, seed ${SEED}`,
    rows: cut(0, sourceRows),
    targets: model.kind === 'encoder-decoder' ? cut(1, model.vocabSize) : [],
  };
}

function encode(tokenizer: Tokenizer, text: string): readonly number[] {
  try {
    return tokenizer.encode(text).ids;
  } catch {
    return []; // a vocabulary that has no word for it: the sample is random then
  }
}

/** Any ids but that of padding. */
function randomIds({ padId }: Model, vocabSize: number, length: number, row: number): number[] {
  const ids = Array.from({ length: vocabSize }, (_, id) => id).filter((id) => id !== padId);
  const at = uniform01(deriveSeed(SEED, 'sample', row), length);
  return [...at].map((share) => ids[Math.floor(share * ids.length)] ?? 0);
}

/** int32 [B, longest + more], padded on one side, and the mask that is 1 at what is no padding. */
export function padded(
  rows: readonly (readonly number[])[],
  {
    padId,
    side = 'right',
    more = 0,
  }: { readonly padId: number; readonly side?: 'left' | 'right'; readonly more?: number },
): { readonly ids: HostTensor; readonly mask: HostTensor; readonly positions: HostTensor } {
  const length = Math.max(...rows.map((row) => row.length)) + more;
  const shape = [rows.length, length];
  const starts = rows.map((row) => (side === 'left' ? length - row.length : 0));
  const fill = (value: (row: readonly number[], t: number) => number): HostTensor =>
    int32(
      shape,
      rows.flatMap((row, i) => Array.from({ length }, (_, t) => value(row, t - starts[i]!))),
    );
  return {
    ids: fill((row, t) => row[t] ?? padId),
    mask: fill((row, t) => (t >= 0 && t < row.length ? 1 : 0)),
    positions: fill((_, t) => Math.max(0, t)),
  };
}
