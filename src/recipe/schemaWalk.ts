import type { KeyPath } from './recipeError.ts';
import type { JsonSchema } from './recipeSchema.ts';

/** The schema of the key at `path` of `data`; where the schema branches, the branch whose constants are in `data`. */
export function schemaAt(root: JsonSchema, data: unknown, path: KeyPath): JsonSchema | undefined {
  let schema: JsonSchema | undefined = resolve(root, data);
  let node = data;
  for (const key of path) {
    if (schema === undefined) return undefined;
    node = typeof node === 'object' && node !== null ? (node as Record<string | number, unknown>)[key] : undefined;
    const next: JsonSchema | undefined = typeof key === 'number' ? itemAt(schema, key) : propertyOf(schema, key);
    schema = next && resolve(next, node);
  }
  return schema;
}

export function keysOf(schema: JsonSchema | undefined): string[] {
  return schema === undefined ? [] : [...new Set(branches(schema).flatMap((one) => Object.keys(one.properties ?? {})))];
}

/** Every key path of the schema, e.g. `train.optimizer.beta1`, all branches included. */
export function allKeyPaths(schema: JsonSchema, prefix = ''): string[] {
  return branches(schema).flatMap((branch) =>
    Object.entries(branch.properties ?? {}).flatMap(([key, value]) => [
      `${prefix}${key}`,
      ...allKeyPaths(value, `${prefix}${key}.`),
    ]),
  );
}

/** What a value may be, in words: `a whole number from 1`, `relu, gelu or silu`. */
export function describeSchema(schema: JsonSchema): string {
  if (schema.const !== undefined) return String(schema.const);
  if (schema.enum !== undefined) return either(schema.enum.map(String));
  if (schema.anyOf !== undefined) return either(schema.anyOf.map(describeSchema));
  if (schema.oneOf !== undefined || schema.properties !== undefined) {
    const keys = keysOf(schema);
    return `a map of ${keys.join(', ')}`;
  }
  if (schema.prefixItems !== undefined) return `a list of ${schema.prefixItems.length}`;
  if (Array.isArray(schema.type)) return either(schema.type.map((type) => describeSchema({ ...schema, type })));
  switch (schema.type) {
    case 'integer':
      return `a whole number${range(schema)}`;
    case 'number':
      return `a number${range(schema)}`;
    case 'boolean':
      return 'true or false';
    case 'array':
      return typeof schema.items === 'object' ? `a list of ${describeSchema(schema.items)}` : 'a list';
    case 'object':
      return 'a map';
    case 'string':
      return schema.minLength === undefined ? 'text' : 'text, not empty';
    default:
      return String(schema.type);
  }
}

/**
 * Where the key at `path` exists, if not in `data`'s branch of the schema: the choices that lead there and that `data`
 * does not make, e.g. `['task: language-model']`.
 */
export function choicesFor(schema: JsonSchema, data: unknown, path: KeyPath, prefix = ''): string[] | undefined {
  const [key, ...rest] = path;
  if (key === undefined) return [];
  const at = (name: string | number): unknown =>
    typeof data === 'object' && data !== null ? (data as Record<string | number, unknown>)[name] : undefined;
  let fewest: string[] | undefined;
  for (const branch of branches(schema)) {
    const next = branch.properties?.[key];
    const deeper = next && choicesFor(next, at(key), rest, `${prefix}${key}.`);
    if (deeper === undefined) continue;
    const other = Object.entries(branch.properties ?? {}).filter(
      ([k, v]) => v.const !== undefined && v.const !== at(k),
    );
    const needed = [...other.map(([k, v]) => `${prefix}${k}: ${v.const}`), ...deeper];
    if (fewest === undefined || needed.length < fewest.length) fewest = needed;
  }
  return fewest;
}

/** Constants that a value can be chosen from, for suggestions. */
export function choicesOf(schema: JsonSchema): string[] {
  if (schema.const !== undefined) return [String(schema.const)];
  return [...(schema.enum ?? []).map(String), ...(schema.anyOf ?? []).flatMap(choicesOf)];
}

export function either(words: readonly string[]): string {
  return words.length < 2 ? words.join('') : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`;
}

function branches(schema: JsonSchema): readonly JsonSchema[] {
  const options = schema.oneOf ?? schema.anyOf;
  return options === undefined ? [schema] : options.flatMap(branches);
}

/** Narrows a discriminated union by the value; without a match it stays a union. */
function resolve(schema: JsonSchema, value: unknown): JsonSchema {
  const objects = branches(schema).filter((one) => one.properties !== undefined);
  if (objects.length === 1) return typeof value === 'object' && value !== null ? objects[0]! : schema;
  const match = objects.filter((one) =>
    Object.entries(one.properties ?? {}).every(
      ([key, property]) =>
        property.const === undefined || (value as Record<string, unknown> | undefined)?.[key] === property.const,
    ),
  );
  return match.length === 1 ? match[0]! : schema;
}

function propertyOf(schema: JsonSchema, key: string): JsonSchema | undefined {
  const found = branches(schema).flatMap((one) =>
    one.properties !== undefined && Object.hasOwn(one.properties, key) ? [one.properties[key]!] : [],
  );
  return found.length > 1 && found.every((one) => one.const !== undefined)
    ? { enum: [...new Set(found.map((one) => one.const))] }
    : found[0];
}

function itemAt(schema: JsonSchema, index: number): JsonSchema | undefined {
  for (const one of branches(schema)) {
    const item = one.prefixItems?.[index] ?? one.items;
    if (typeof item === 'object') return item;
  }
  return undefined;
}

function range({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: JsonSchema): string {
  const isBounded = maximum !== undefined && maximum < Number.MAX_SAFE_INTEGER;
  return [
    minimum !== undefined && minimum > Number.MIN_SAFE_INTEGER ? ` from ${minimum}` : '',
    exclusiveMinimum === undefined ? '' : ` above ${exclusiveMinimum}`,
    isBounded ? ` to ${maximum}` : '',
    exclusiveMaximum === undefined
      ? ''
      : `${minimum === undefined && exclusiveMinimum === undefined ? '' : ' and'} below ${exclusiveMaximum}`,
  ].join('');
}
