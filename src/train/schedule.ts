import { unreachable } from '../base/errors.ts';

/** Learning rate over the steps. `peak` and `final` are rates, `warmup` a number of steps. */
export type Schedule =
  | { readonly name: 'constant'; readonly peak: number; readonly warmup: number }
  | { readonly name: 'linear' | 'cosine'; readonly peak: number; readonly warmup: number; readonly final: number }
  | { readonly name: 'inverse-sqrt'; readonly peak: number; readonly warmup: number };

/**
 * The learning rate of step `step` (from 0) of `steps`. Warmup: peak · (step + 1) / (warmup + 1), as in nanoGPT. After it:
 *
 * - `constant` stays at peak;
 * - `linear` and `cosine` reach `final` at the last step;
 * - `inverse-sqrt` is peak · √((warmup + 1) / (step + 1)): Vaswani et al. 2017, section 5.3, where peak = (width · warmup)^−½.
 */
export function learningRate(schedule: Schedule, step: number, steps: number): number {
  const { peak, warmup } = schedule;
  if (step < warmup) return (peak * (step + 1)) / (warmup + 1);
  switch (schedule.name) {
    case 'constant':
      return peak;
    case 'inverse-sqrt':
      return peak * Math.sqrt((warmup + 1) / (step + 1));
    case 'linear':
    case 'cosine': {
      const progress = Math.min(1, (step - warmup) / Math.max(1, steps - warmup));
      const left = schedule.name === 'linear' ? 1 - progress : 0.5 * (1 + Math.cos(Math.PI * progress));
      return schedule.final + left * (peak - schedule.final);
    }
    default:
      return unreachable(schedule);
  }
}
