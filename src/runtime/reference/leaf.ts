import type { LeafOps } from '../../ops/leaf.ts';
import type { KernelTable } from './kernel.ts';

/** What is fed or written down; the evaluator puts the data itself. */
export type FedOps = 'input' | 'parameter' | 'constant';

export const leafKernels: KernelTable<Omit<LeafOps, FedOps>> = {
  dimSize: (_, { dim }) => Float64Array.of(dim),
  iota: (_, { size }) => Int32Array.from({ length: size }, (_element, i) => i),
};
