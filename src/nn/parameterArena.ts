import { deriveSeed, normal, uniform01 } from '../base/random.ts';
import { sharedFloats } from '../base/sharedFloats.ts';
import { float32, type HostTensor, sizeOf } from '../base/tensor.ts';
import type { Init } from './init.ts';
import { sinusoidalPositions } from './positions.ts';
import type { ParameterDeclaration } from './scope.ts';

/** Where a parameter stands in the arena. */
export interface Placement extends ParameterDeclaration {
  readonly offset: number;
  readonly size: number;
}

/** Each parameter starts on a cache line: 16 floats of 4 bytes. */
const ALIGNMENT = 16;

/**
 * All parameters of a model in one flat array on shared memory, each a named view of it. Trained ones come first, those
 * with weight decay before those without, so that an optimizer works on two contiguous ranges; gradients and
 * moments are arrays of the same layout.
 */
export class ParameterArena {
  readonly placements: readonly Placement[];
  /** Elements from 0 on that weight decay acts on. */
  readonly decayLength: number;
  /** Elements from 0 on that are trained. */
  readonly trainedLength: number;
  readonly data: Float32Array;
  /** Path to parameter, views of `data`. */
  readonly tensors: Readonly<Record<string, HostTensor>>;

  constructor(declarations: readonly ParameterDeclaration[]) {
    const group = (p: ParameterDeclaration): number => (p.trainable ? (p.decay ? 0 : 1) : 2);
    const ends = [0, 0, 0];
    const placements: Placement[] = [];
    let offset = 0;
    for (let g = 0; g < 3; g++) {
      for (const declaration of declarations) {
        if (group(declaration) !== g) continue;
        const size = sizeOf(declaration.shape);
        placements.push({ ...declaration, offset, size });
        offset += Math.ceil(size / ALIGNMENT) * ALIGNMENT;
      }
      ends[g] = offset;
    }
    this.placements = placements;
    this.decayLength = ends[0]!;
    this.trainedLength = ends[1]!;
    this.data = sharedFloats(offset);
    this.tensors = this.viewsOf(this.data, placements);
  }

  /** The number of parameters, padding between them not counted. */
  get size(): number {
    return this.placements.reduce((sum, { size }) => sum + size, 0);
  }

  get trained(): readonly Placement[] {
    return this.placements.filter(({ trainable }) => trainable);
  }

  /** An array of zeros for the trained parameters: gradients, moments. */
  trainedArray(): Float32Array {
    return sharedFloats(this.trainedLength);
  }

  /** The views of another array of this layout, by path. */
  viewsOf(data: Float32Array, placements: readonly Placement[] = this.trained): Record<string, HostTensor> {
    return Object.fromEntries(
      placements.map(({ path, shape, offset, size }) => [path, float32(shape, data.subarray(offset, offset + size))]),
    );
  }

  /** Fills every parameter by its declaration; each from a stream of its own, named by its path. */
  initialise(seed: number): void {
    for (const { path, init, shape } of this.placements)
      fill(this.tensors[path]!.data as Float32Array, init, shape, deriveSeed(seed, 'init', path));
  }
}

function fill(data: Float32Array, init: Init, shape: readonly number[], key: readonly [number, number]): void {
  switch (init.kind) {
    case 'zeros':
      data.fill(0);
      return;
    case 'ones':
      data.fill(1);
      return;
    case 'normal':
      data.set(normal(key, data.length).map((x) => x * init.std));
      return;
    case 'sinusoidal':
      data.set(sinusoidalPositions(shape[0]!, shape[1]!, 'interleaved').data);
      return;
    case 'uniform':
    case 'xavierUniform': {
      const bound = init.kind === 'uniform' ? init.bound : Math.sqrt(6 / (shape[0]! + shape[1]!));
      data.set(uniform01(key, data.length).map((x) => (2 * x - 1) * bound));
      return;
    }
  }
}
