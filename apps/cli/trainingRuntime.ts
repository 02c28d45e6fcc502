import { availableParallelism } from 'node:os';
import type { Recipe } from '../../src/recipe/recipe.ts';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';

/**
 * ONNX Runtime for training: two lanes, each of which takes half of every batch on half of the cores, where batches can be
 * halved. On two cores that is a third faster than one lane with two threads, which wait for each other at each operator.
 */
export function trainingRuntime(recipe: Recipe): Promise<Runtime> {
  const isWhole = recipe.task === 'sentence-embedding' && recipe.objective.loss === 'contrastive';
  const isHalved = !isWhole && ('batchTokens' in recipe.train || recipe.train.batchSize % 2 === 0);
  return createNodeRuntime({ lanes: isHalved && availableParallelism() > 1 ? 2 : 1 });
}
