import { QkvError } from '../base/errors.ts';
import type { Checkpoint } from '../checkpoint/checkpoint.ts';

/**
 * A checkpoint with other dropout rates, by their names in its config.json, such as `hidden_dropout_prob`.
 *
 * @throws QkvError `recipe` for a field that is no rate there: another one would change what the weights mean
 */
export function withDropout(checkpoint: Checkpoint, rates: Readonly<Record<string, number>>): Checkpoint {
  const { config, location } = checkpoint;
  const known = Object.keys(config).filter((name) => /drop/.test(name) && typeof config[name] === 'number');
  for (const name of Object.keys(rates)) {
    if (known.includes(name)) continue;
    throw new QkvError('recipe', {
      where: `model.dropout.${name}`,
      got: `a field that is no dropout rate in ${location}/config.json`,
      expected: known.join(', ') || 'none: it has no dropout rates',
    });
  }
  return { ...checkpoint, config: { ...config, ...rates } };
}
