import type { MetricsLine } from '../../../src/train/events.ts';
import type { WatchEvent } from '../../web/src/watch/events.ts';

/** A line of metrics.jsonl as it is told; undefined for what is none, the half of a line say. */
export function eventOfLine(text: string): WatchEvent | undefined {
  try {
    const line = JSON.parse(text) as MetricsLine;
    if ('validation' in line) return { kind: 'validation', ...line };
    if ('test' in line) return { kind: 'test', ...line };
    return 'loss' in line ? { kind: 'step', isLogged: true, ...line } : undefined;
  } catch {
    return undefined;
  }
}
