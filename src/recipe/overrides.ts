import { brief, cut } from '../base/brief.ts';
import { readYaml } from './readYaml.ts';
import type { KeyPath, RecipeProblem } from './recipeError.ts';

/** `train.steps=100` taken apart. */
export interface Override {
  /** As it was given. */
  readonly text: string;
  readonly path: KeyPath;
  readonly value: unknown;
}

/**
 * Reads `key.path=value`. The value is YAML: a scalar (`1e-3`, `zh`, `null`) or flow (`{name: sgd, momentum: 0.9}`,
 * `[a.tsv, b.tsv]`). A whole number in the path counts in a list from 0.
 */
export function parseOverride(text: string, problems: RecipeProblem[]): Override | undefined {
  const fail = (got: string, expected: string): undefined => {
    problems.push({ where: `--set ${text}`, path: [], got, expected, hint: undefined });
    return undefined;
  };
  const equals = text.indexOf('=');
  if (equals < 0) return fail('no =', 'key=value, e.g. train.steps=100');
  const keys = text.slice(0, equals).split('.');
  if (keys.some((key) => key.trim() === '')) return fail('an empty key', 'key=value, e.g. train.steps=100');
  const { data, faults } = readYaml(text.slice(equals + 1));
  const [fault] = faults;
  if (fault !== undefined) return fail(fault.message.split('\n')[0]!.replace(/ at line .*/, ''), 'a YAML value');
  const path = keys.map((key) => (/^\d+$/.test(key) ? Number(key) : key.trim()));
  return { text, path, value: data };
}

/** Puts the value at its place in `root`, making the maps on the way that are not there. */
export function applyOverride(root: Record<string, unknown>, override: Override, problems: RecipeProblem[]): void {
  let node: unknown = root;
  for (const [depth, key] of override.path.entries()) {
    const isLast = depth === override.path.length - 1;
    if (Array.isArray(node) ? typeof key !== 'number' || key > node.length : !isMap(node)) {
      problems.push({
        where: `--set ${override.text}`,
        path: override.path.slice(0, depth),
        got: Array.isArray(node) ? `a list of ${node.length}` : show(node),
        expected: Array.isArray(node) ? `a place in the list, not ${key}` : `a map, to set ${key} in`,
        hint: undefined,
      });
      return;
    }
    const map = node as Record<string | number, unknown>;
    // defineProperty, so that the key __proto__ is a key like any other, and refused as unknown.
    const set = (value: unknown): void => {
      Object.defineProperty(map, key, { value, enumerable: true, configurable: true, writable: true });
    };
    if (isLast) set(override.value);
    else if (!Object.hasOwn(map, key) || map[key] === null) set({});
    node = Object.hasOwn(map, key) ? map[key] : undefined;
  }
}

function isMap(node: unknown): boolean {
  return typeof node === 'object' && node !== null && !Array.isArray(node);
}

/** A value as an error shows it. */
export function show(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (Array.isArray(value)) {
    return value.length <= 4 ? cut(`[${value.map(show).join(', ')}]`) : `a list of ${value.length}`;
  }
  if (typeof value === 'object' && value !== null) return 'a map';
  return typeof value === 'number' ? String(value) : brief(value);
}
