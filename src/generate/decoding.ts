import { type HostTensor, int32 } from '../base/tensor.ts';
import type { Tensors } from '../runtime/runtime.ts';
import { sharedTensor } from '../runtime/sharedTensor.ts';
import type { Wanted } from './graphs.ts';
import type { LaneSession } from './session.ts';
import { keepRows, SlotCache } from './slotCache.ts';

/** Scores of N = inputs · paths, in memory that the next step overwrites. Which are there is what was wanted. */
export interface Scores {
  readonly logits?: Float32Array;
  readonly normaliser?: Float32Array;
  readonly logProbs?: Float32Array;
  readonly topValues?: Float32Array;
  readonly topIds?: Int32Array;
}

/**
 * A generation in progress: a batch of inputs with G paths each (beams, samples) that grow token by token. An input's
 * paths share its memory and its cache; a path is the set of slots that it sees, so that to fork or drop one is to copy a
 * row of bits. Padding is a slot that no path sees, so a batch gives what its inputs give one by one.
 */
export class Decoding {
  readonly #session: LaneSession;
  readonly #cache: SlotCache;
  #batch: number;
  #paths = 1;
  /** Position of the next token of each input. */
  #positions: Int32Array;
  /** [B, G, capacity]: 1 where a path sees a slot. */
  #seen: HostTensor;
  /** Of an encoder-decoder: the position of each slot's token. */
  #slotPositions = new Int32Array(0);
  /** The slots of the last step's tokens are #last, #last + 1, … */
  #last = 0;
  #memory: Record<string, HostTensor> = {};
  readonly #results = new Map<string, HostTensor>();

  private constructor(session: LaneSession, batch: number) {
    this.#session = session;
    this.#batch = batch;
    this.#cache = new SlotCache(session.model.cache, batch);
    this.#positions = new Int32Array(batch);
    this.#seen = int32([batch, 1, 0], new Int32Array(0));
  }

  /** Inputs that are still in the batch. */
  get batch(): number {
    return this.#batch;
  }

  /** Reads sources or prompts, and gives the scores of the first token to come, one path for each input. */
  static async start(
    session: LaneSession,
    inputs: readonly (readonly number[])[],
    wanted: Wanted,
  ): Promise<{ readonly decoding: Decoding; readonly scores: Scores }> {
    const decoding = new Decoding(session, inputs.length);
    const scores =
      session.model.kind === 'causal'
        ? await decoding.#prefill(inputs, wanted)
        : await decoding.#encode(inputs, session.model.startId, wanted);
    return { decoding, scores };
  }

  /**
   * Adds a token to each path, [B · G]; `parents` [B · G] says which of the input's former paths each continues. Gives the
   * scores of the tokens to follow, [B · G] rows. The number of paths may differ from the last step's.
   */
  async step(tokens: Int32Array, parents: Int32Array, wanted: Wanted): Promise<Scores> {
    const paths = tokens.length / this.#batch;
    this.#cache.reserve(paths);
    const { capacity } = this.#cache;
    const seen = new Int32Array(tokens.length * capacity);
    const [before, oldCapacity] = [this.#seen.data as Int32Array, this.#seen.shape[2]!];
    for (let row = 0; row < tokens.length; row++) {
      const parent = parents[row]!;
      const from = (Math.floor(row / paths) * this.#paths + parent) * oldCapacity;
      seen.set(before.subarray(from, from + oldCapacity), row * capacity);
      seen[row * capacity + this.#last + parent] = 1;
    }
    this.#paths = paths;
    this.#seen = int32([this.#batch, paths, capacity], seen);
    return this.#advance(tokens, wanted);
  }

  /** Drops all inputs but those at `rows` of the batch, in rising order; the others close ranks. */
  keep(rows: readonly number[]): void {
    this.#cache.keep(rows);
    this.#seen = keepRows(this.#seen, rows);
    this.#memory = Object.fromEntries(Object.entries(this.#memory).map(([name, t]) => [name, keepRows(t, rows)]));
    this.#positions = Int32Array.from(rows, (row) => this.#positions[row]!);
    this.#batch = rows.length;
  }

  async #encode(sources: readonly (readonly number[])[], startId: number, wanted: Wanted): Promise<Scores> {
    const { ids, mask } = padded(sources, 'right');
    const { layers, heads, headSize } = this.#session.model.cache;
    const memory: Record<string, HostTensor> = {};
    for (let i = 0; i < layers; i++) {
      for (const part of ['key', 'value']) {
        memory[`memory.${i}.${part}`] = sharedTensor('float32', [this.#batch, heads, ids.shape[1]!, headSize]);
      }
    }
    await this.#session.run({ kind: 'encode' }, { source: ids, sourceMask: mask }, memory);
    this.#memory = { ...memory, memoryMask: mask };
    this.#cache.reserve(1);
    const { capacity } = this.#cache;
    this.#seen = int32([this.#batch, 1, capacity], new Int32Array(this.#batch * capacity));
    return this.#advance(new Int32Array(this.#batch).fill(startId), wanted);
  }

  /** Runs one token for each path, which sees its slots and itself. */
  async #advance(tokens: Int32Array, wanted: Wanted): Promise<Scores> {
    const [paths, capacity] = [this.#paths, this.#cache.capacity];
    const shape = [this.#batch, paths];
    const visible = this.#place('visible', [...shape, capacity + paths], 'int32');
    const positions = new Int32Array(tokens.length);
    for (let row = 0; row < tokens.length; row++) {
      const start = row * (capacity + paths);
      (visible.data as Int32Array).set(this.#seen.data.subarray(row * capacity, (row + 1) * capacity), start);
      visible.data.fill(0, start + capacity, start + capacity + paths);
      visible.data[start + capacity + (row % paths)] = 1;
      positions[row] = this.#positions[Math.floor(row / paths)]!;
    }
    const inputs = {
      ids: int32(shape, tokens),
      positions: int32(shape, positions),
      ...(this.#session.model.kind === 'encoder-decoder' && { keyPositions: this.#keyPositions(paths) }),
      visible,
      ...this.#cache.tensors,
      ...this.#memory,
    };
    const results = await this.#run({ kind: 'step', wanted }, inputs, tokens.length, paths);
    this.#last = this.#cache.used;
    this.#cache.append(results, paths);
    for (let i = 0; i < this.#batch; i++) this.#positions[i]!++;
    return scoresOf(results);
  }

  /** The position of each slot's token, of free slots 0, and after them of one new token of each path. */
  #keyPositions(paths: number): HostTensor {
    const { used, capacity } = this.#cache;
    const position = this.#positions[0]!; // the same for all: nothing is put in front of a start token
    const keys = this.#place('keyPositions', [capacity + paths], 'int32');
    keys.data.fill(0);
    (keys.data as Int32Array).set(this.#slotPositions);
    keys.data.fill(position, capacity);
    this.#slotPositions = Int32Array.from({ length: used + paths }, (_, i) => this.#slotPositions[i] ?? position);
    return keys;
  }

  async #prefill(prompts: readonly (readonly number[])[], wanted: Wanted): Promise<Scores> {
    const { ids, mask } = padded(prompts, 'left');
    const length = ids.shape[1]!;
    const positions = new Int32Array(this.#batch * length);
    prompts.forEach((prompt, i) => {
      for (let t = 0; t < prompt.length; t++) positions[(i + 1) * length - prompt.length + t] = t;
    });
    const inputs = { ids, mask, positions: int32(ids.shape, positions) };
    const results = await this.#run({ kind: 'prefill', wanted }, inputs, this.#batch, length);
    this.#cache.append(results, length);
    this.#last = length - 1;
    this.#positions = Int32Array.from(prompts, (prompt) => prompt.length);
    this.#seen = int32([this.#batch, 1, length], Int32Array.from(mask.data));
    return scoresOf(results);
  }

  /** Runs a program whose scores have `rows` rows and whose keys and values are of `tokens` tokens. */
  async #run(
    task: { readonly kind: 'prefill' | 'step'; readonly wanted: Wanted },
    inputs: Tensors,
    rows: number,
    tokens: number,
  ): Promise<Tensors> {
    const { vocabSize, cache } = this.#session.model;
    const into: Record<string, HostTensor> = {};
    for (let i = 0; i < cache.layers; i++) {
      for (const part of ['key', 'value']) {
        const name = `present.${i}.${part}`;
        into[name] = this.#place(name, [this.#batch, cache.heads, tokens, cache.headSize]);
      }
    }
    const { wanted } = task;
    if (wanted.kind !== 'top') into[wanted.kind] = this.#place(wanted.kind, [rows, vocabSize]);
    return this.#session.run(task, inputs, into);
  }

  /** Where a tensor of every step goes: the same memory as long as its shape stays. */
  #place(name: string, shape: readonly number[], dtype: 'float32' | 'int32' = 'float32'): HostTensor {
    const known = this.#results.get(name);
    if (known?.shape.join() === shape.join()) return known;
    const made = sharedTensor(dtype, shape);
    this.#results.set(name, made);
    return made;
  }
}

function scoresOf(results: Tensors): Scores {
  const found: Record<string, unknown> = {};
  for (const name of ['logits', 'normaliser', 'logProbs', 'topValues', 'topIds']) {
    if (results[name]) found[name] = results[name].data;
  }
  return found as Scores;
}

/** int32 [B, longest], and the mask that is 1 at what is no padding. */
function padded(
  sequences: readonly (readonly number[])[],
  side: 'left' | 'right',
): { readonly ids: HostTensor; readonly mask: HostTensor } {
  const length = Math.max(...sequences.map((sequence) => sequence.length));
  const shape = [sequences.length, length];
  const [ids, mask] = [sharedTensor('int32', shape), sharedTensor('int32', shape)];
  sequences.forEach((sequence, i) => {
    const start = i * length + (side === 'left' ? length - sequence.length : 0);
    (ids.data as Int32Array).set(sequence, start);
    mask.data.fill(1, start, start + sequence.length);
  });
  return { ids, mask };
}
