import { type Dim, symbol } from '../base/dim.ts';
import type { Graph } from '../graph/graph.ts';
import type { Value } from '../graph/value.ts';
import type { Model } from '../models/model.ts';
import { Trace } from '../nn/scope.ts';
import { input } from '../ops/leaf.ts';
import { reshape } from '../ops/shape.ts';

/** A model's full pass over a batch of readings of equal lengths, with everything in it that has a name. */
export interface Pass {
  readonly model: Model;
  /**
   * Outputs are what the model gives: `logits` [B, T, V], or what an encoder's head gives. Besides the names of the model
   * there is `<attention>.maskedScores` [B, H, T, S]: the scores with masks and biases, as the softmax gets them.
   */
  readonly graph: Graph;
  readonly batch: Dim;
  readonly length: Dim;
  readonly sourceLength: Dim;
}

/** A stack of layers: the only one of its model, or one of two. */
export interface Stack {
  /** What its names begin with: nothing, `encoder.` or `decoder.`. */
  readonly prefix: '' | 'encoder.' | 'decoder.';
  readonly kind: 'encoder' | 'decoder';
  readonly side: 'source' | 'target';
  readonly layers: number;
}

const [B, T, S] = ['B', 'T', 'S'].map(symbol) as [Dim, Dim, Dim];

/**
 * Who sees whom is an input, so that keys are hidden and the causal mask is dropped without another program: `visible` int32
 * [B, T, T] of a decoder, `mask` [B, T] of an encoder alone, `sourceMask` [B, S] of an encoder with a decoder behind it.
 * `givenPositions`: so are positions, `positions` [B, T] and `sourcePositions` [B, S].
 */
export function tracePass(model: Model, { givenPositions }: { readonly givenPositions: boolean }): Pass {
  const trace = new Trace();
  const { root } = trace;
  const ints = (name: string, ...shape: Dim[]): Value => input(name, 'int32', shape);
  const ids = ints('ids', B, T);
  const places = givenPositions && { positions: ints('positions', B, T) };
  let outputs: Readonly<Record<string, Value>>;
  switch (model.kind) {
    case 'encoder': {
      const x = model.encode(root, {
        ids,
        mask: ints('mask', B, T),
        ...(model.segments > 0 && { segments: ints('segments', B, T) }),
        ...places,
      });
      outputs = { ...model.head.outputs(root, x), rows: x.rows };
      break;
    }
    case 'causal': {
      const { rows } = model.forward(root, { ids, visible: ints('visible', B, T, T), ...places });
      outputs = { logits: reshape(model.logits(root, rows), [B, T, model.vocabSize]), rows };
      break;
    }
    case 'encoder-decoder': {
      const mask = ints('sourceMask', B, S);
      const sourcePlaces = givenPositions && { positions: ints('sourcePositions', B, S) };
      const memory = model.encode(root, { ids: ints('source', B, S), mask, ...sourcePlaces });
      const { rows } = model.decode(root, {
        ids,
        memory,
        memoryMask: mask,
        visible: ints('visible', B, T, T),
        // distances are between positions of queries and of keys
        ...(places && { ...places, keyPositions: ints('keyPositions', T) }),
      });
      outputs = { logits: reshape(model.logits(root, rows), [B, T, model.vocabSize]), rows };
      break;
    }
  }
  const names = new Map(trace.names);
  for (const [name, value] of trace.names) {
    if (name.endsWith('.weights')) names.set(name.replace(/weights$/, 'maskedScores'), value.inputs[0]!);
  }
  return { model, graph: { outputs, names }, batch: B, length: T, sourceLength: S };
}

/** The stacks of a pass, the encoder first. */
export function stacksOf({ model, graph }: Pass): Stack[] {
  const prefixes = model.kind === 'encoder-decoder' ? (['encoder.', 'decoder.'] as const) : ([''] as const);
  return prefixes.map((prefix) => {
    let layers = 0;
    while (graph.names.has(`${prefix}layers.${layers}.residualPost`)) layers++;
    const isSource = prefix === 'encoder.';
    return {
      prefix,
      kind: isSource || model.kind === 'encoder' ? 'encoder' : 'decoder',
      side: isSource ? 'source' : 'target',
      layers,
    };
  });
}

/** The text whose positions a value has, by its name; of keys and values of cross-attention that is the source. */
export function sideOf({ model }: Pass, name: string): 'source' | 'target' {
  if (model.kind !== 'encoder-decoder') return 'target';
  return name.startsWith('encoder.') || /\.crossAttention\.(key|value)$/.test(name) ? 'source' : 'target';
}
