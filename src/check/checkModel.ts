import type { StoredTensor } from '../checkpoint/safetensors.ts';
import type { Pretrained } from '../pretrained/pretrained.ts';
import type { Runtime } from '../runtime/runtime.ts';
import { type Against, type AgainstOptions, checkAgainst, defaultTolerance } from './against.ts';
import { type Comparison, isFault, worstFirst } from './comparison.ts';
import { type Description, describe } from './describe.ts';
import { type SelfCheck, selfCheck } from './selfCheck.ts';

export interface CheckOptions extends AgainstOptions {
  /** What is to be compared with, from a file of the reference's; without it the model is compared with itself. */
  readonly against?: ReadonlyMap<string, StoredTensor>;
  /** The oracle that `runtime` is compared with where there is no file. */
  readonly reference?: Runtime;
}

export interface CheckReport {
  readonly isSound: boolean;
  readonly model: Description;
  readonly tolerance: number;
  /** The worst first. */
  readonly comparisons: readonly (Comparison & { readonly isFault: boolean })[];
  /** What is wrong besides comparisons beyond their limit. */
  readonly faults: readonly string[];
  /** With a file. */
  readonly against?: Omit<Against, 'comparisons'>;
  /** Without one. */
  readonly self?: Omit<SelfCheck, 'comparisons'>;
}

/**
 * Describes a model that was loaded strictly, and proves it: against the tensors of a reference where they are given
 * (`checkAgainst`), else against itself (`selfCheck`). What a file holds and cannot be compared is a fault, unless it is
 * skipped by name; so are weights that are not finite, and a tokenizer with ids that the model has no row for.
 *
 * @throws QkvError `data` for a file without what is needed
 */
export async function checkModel(
  runtime: Runtime,
  pretrained: Pretrained,
  { against: tensors, reference, ...options }: CheckOptions = {},
): Promise<CheckReport> {
  const model = describe(pretrained);
  const tolerance = options.tolerance ?? defaultTolerance;
  const found = tensors
    ? await checkAgainst(runtime, pretrained, tensors, options)
    : await selfCheck(runtime, pretrained, { tolerance, reference });
  const { comparisons, ...rest } = found;
  const faults = [
    ...model.notFinite.map((key) => `${key} holds values that are no finite numbers`),
    ...(model.tokenizer && !model.tokenizer.fits
      ? [`the tokenizer has ${model.tokenizer.vocabSize} ids, the model rows for ${model.vocabSize}`]
      : []),
    ...('notCompared' in rest ? rest.notCompared.map(({ name, reason }) => `${name} is not compared: ${reason}`) : []),
  ];
  const judged = worstFirst(comparisons).map((comparison) => ({ ...comparison, isFault: isFault(comparison) }));
  return {
    isSound: faults.length === 0 && judged.every((comparison) => !comparison.isFault),
    model,
    tolerance,
    comparisons: judged,
    faults,
    ...('notCompared' in rest ? { against: rest } : { self: rest }),
  };
}
