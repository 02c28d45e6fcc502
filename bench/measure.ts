import { readFileSync } from 'node:fs';
import { cpus } from 'node:os';

export interface Statistics {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function statistics(values: readonly number[], digits = 1): Statistics {
  const sorted = [...values].sort((a, b) => a - b);
  const round = (x: number): number => Number(x.toFixed(digits));
  const middle = sorted.length >> 1;
  const median = sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
  return { median: round(median), min: round(sorted[0]!), max: round(sorted.at(-1)!) };
}

/** Seconds that `repetitions` calls took, one by one, after `warmup` calls that do not count. */
export async function timed(repetitions: number, warmup: number, work: () => Promise<void>): Promise<number[]> {
  for (let i = 0; i < warmup; i++) await work();
  const seconds: number[] = [];
  for (let i = 0; i < repetitions; i++) {
    const start = performance.now();
    await work();
    seconds.push((performance.now() - start) / 1000);
  }
  return seconds;
}

export interface Times {
  readonly wall: number;
  /** Of all threads of this process together: the better measure on a machine that others use too. */
  readonly cpu: number;
}

/** Like `timed`, with processor time. Seconds. */
export async function cpuTimed(repetitions: number, warmup: number, work: () => Promise<unknown>): Promise<Times[]> {
  const times: Times[] = [];
  for (let i = -warmup; i < repetitions; i++) {
    const [start, before] = [performance.now(), process.cpuUsage()];
    await work();
    const { user, system } = process.cpuUsage(before);
    if (i >= 0) times.push({ wall: (performance.now() - start) / 1e3, cpu: (user + system) / 1e6 });
  }
  return times;
}

/** Largest resident memory of this process so far, MiB. */
export function peakRssMib(): number {
  return Math.round(process.resourceUsage().maxRSS / 1024);
}

/** Resident memory now, MiB. */
export function rssMib(): number {
  return Math.round(process.memoryUsage.rss() / 2 ** 20);
}

function packageVersion(name: string): string {
  const file = new URL(`../node_modules/${name}/package.json`, import.meta.url);
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

export function machine(): Readonly<Record<string, string | number>> {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    node: process.version,
    'onnxruntime-node': packageVersion('onnxruntime-node'),
  };
}
