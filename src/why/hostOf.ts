import { QkvError } from '../base/errors.ts';
import type { ExperimentContext, ExperimentHost } from './experiment.ts';

/** @throws QkvError `usage` where an experiment that needs a host has none */
export function hostOf({ host }: Pick<ExperimentContext, 'host'>): ExperimentHost {
  if (host) return host;
  throw new QkvError('usage', {
    where: 'experiment: host',
    got: 'none',
    expected: 'a clock and the texts of data/',
    hint: 'Run it with `qkv why`',
  });
}
