import type { Ops } from '../../ops/table.ts';
import { activationKernels } from './activation.ts';
import { elementwiseKernels } from './elementwise.ts';
import { gatherKernels } from './gather.ts';
import type { KernelTable } from './kernel.ts';
import { type FedOps, leafKernels } from './leaf.ts';
import { lossKernels } from './loss.ts';
import { matmulKernels } from './matmul.ts';
import { normKernels } from './norm.ts';
import { randomKernels } from './random.ts';
import { reduceKernels } from './reduce.ts';
import { shapeKernels } from './shape.ts';
import { softmaxKernels } from './softmax.ts';
import { topKKernels } from './topK.ts';

/**
 * A direct kernel for every operator. Those of composite operators follow the definition and not the expansion, so that
 * one checks the other.
 */
export const kernels: KernelTable<Omit<Ops, FedOps>> = {
  ...leafKernels,
  ...elementwiseKernels,
  ...shapeKernels,
  ...reduceKernels,
  ...matmulKernels,
  ...softmaxKernels,
  ...normKernels,
  ...activationKernels,
  ...gatherKernels,
  ...randomKernels,
  ...topKKernels,
  ...lossKernels,
};
