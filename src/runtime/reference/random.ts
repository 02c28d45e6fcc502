import type { RandomOps } from '../../ops/random.ts';
import type { KernelTable } from './kernel.ts';

/** fmix32 of MurmurHash3, https://github.com/aappleby/smhasher/blob/master/src/MurmurHash3.cpp */
function fmix32(h: number): number {
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

export const randomKernels: KernelTable<RandomOps> = {
  hashBits: ([key], { size }) =>
    Int32Array.from({ length: size }, (_, i) => fmix32((Math.imul(i, 0x9e3779b9) + key!.data[0]!) | 0)),
};
