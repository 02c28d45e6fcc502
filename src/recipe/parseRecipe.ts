import { LineCounter } from 'yaml';
import type { z } from 'zod';
import { cut } from '../base/brief.ts';
import { nearest } from './nearest.ts';
import { applyOverride, type Override, parseOverride, show } from './overrides.ts';
import { readYaml } from './readYaml.ts';
import type { Recipe } from './recipe.ts';
import { type KeyPath, RecipeError, type RecipeProblem } from './recipeError.ts';
import { type JsonSchema, recipeJsonSchema, recipeSchema } from './recipeSchema.ts';
import { allKeyPaths, choicesFor, choicesOf, describeSchema, either, keysOf, schemaAt } from './schemaWalk.ts';
import { YamlPositions } from './yamlPositions.ts';

/** Names that other trainers give to what a recipe has under another one. */
const NAMES_ELSEWHERE: Readonly<Record<string, string>> = {
  lr: 'train.schedule.peak',
  learningRate: 'train.schedule.peak',
  minLr: 'train.schedule.final',
  warmupIters: 'train.schedule.warmup',
  warmupUpdates: 'train.schedule.warmup',
  warmupSteps: 'train.schedule.warmup',
  maxIters: 'train.steps',
  maxUpdate: 'train.steps',
  maxSteps: 'train.steps',
  maxTokens: 'train.batchTokens',
  gradientAccumulationSteps: 'train.accumulate',
  updateFreq: 'train.accumulate',
  gradClip: 'train.clipNorm',
  evalInterval: 'train.validateEvery',
  logInterval: 'train.logEvery',
  outDir: 'output',
  nLayer: 'model.layers',
  nHead: 'model.heads',
  nEmbd: 'model.width',
  dModel: 'model.width',
  ffnDim: 'model.hidden',
};

/**
 * Reads a training recipe. `fileName` is for errors; `overrides` are texts like `train.steps=100`, applied in order.
 * Paths stay as they are written: `loadRecipe` resolves them.
 *
 * @throws RecipeError (code `recipe`) with all problems at once: `file:line:column` or the override, the key, the value
 * got, what is allowed and, for a misspelling, the key or value that was probably meant.
 */
export function parseRecipe(yamlText: string, fileName: string, overrides: readonly string[] = []): Recipe {
  const lines = new LineCounter();
  const problems: RecipeProblem[] = [];
  const { document, data, faults } = readYaml(yamlText, { lineCounter: lines, prettyErrors: false });
  for (const { at, message } of faults) {
    const { line, col } = lines.linePos(at);
    problems.push({
      where: `${fileName}:${line || 1}:${col || 1}`,
      path: [],
      got: message,
      expected: 'valid YAML',
      hint: undefined,
    });
  }
  const parsed = overrides.flatMap((text) => parseOverride(text, problems) ?? []);
  if (problems.length > 0 || !document) throw new RecipeError(fileName, problems);

  if (typeof data !== 'object' || data === null || Array.isArray(data)) {
    const got = data === null ? 'an empty file' : show(data);
    const expected = `a map of ${keysOf(recipeJsonSchema()).join(', ')}`;
    throw new RecipeError(fileName, [{ where: `${fileName}:1:1`, path: [], got, expected, hint: undefined }]);
  }
  for (const override of parsed) applyOverride(data as Record<string, unknown>, override, problems);

  const result = recipeSchema.safeParse(data);
  if (!result.success) {
    const reader = new IssueReader(data, parsed, fileName, new YamlPositions(document, lines));
    problems.push(...result.error.issues.flatMap((issue) => reader.problemsOf(issue)));
  }
  if (problems.length > 0 || !result.success) throw new RecipeError(fileName, problems);
  return result.data;
}

/** Turns what zod found into sentences about the recipe's text. */
class IssueReader {
  readonly #data: unknown;
  readonly #overrides: readonly Override[];
  readonly #fileName: string;
  readonly #positions: YamlPositions;
  readonly #schema: JsonSchema = recipeJsonSchema();

  constructor(data: unknown, overrides: readonly Override[], fileName: string, positions: YamlPositions) {
    this.#data = data;
    this.#overrides = overrides;
    this.#fileName = fileName;
    this.#positions = positions;
  }

  problemsOf(issue: z.core.$ZodIssue): RecipeProblem[] {
    const path = issue.path.map((key) => (typeof key === 'symbol' ? String(key) : key));
    if (issue.code === 'invalid_union' && 'errors' in issue) {
      // of a path, a list and maps, what the value is or comes nearest to
      const meant = issue.errors.filter(
        (errors) => !errors.some((one) => one.path.length === 0 && one.code === 'invalid_type'),
      );
      meant.sort((a, b) => a.length - b.length);
      if (meant.length > 0) {
        return meant[0]!.flatMap((one) => this.problemsOf({ ...one, path: [...issue.path, ...one.path] }));
      }
    }
    if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => this.#unknownKey([...path, key]));
    const value = valueAt(this.#data, path);
    const schema = schemaAt(this.#schema, this.#data, path);
    const expected =
      issue.code === 'custom' || schema === undefined
        ? issue.message
        : issue.code === 'invalid_union' && 'options' in issue
          ? either((issue.options as unknown[]).map(String))
          : describeSchema(schema);
    return [
      { where: this.#where(path, false), path, got: show(value), expected, hint: this.#hint(value, schema, expected) },
    ];
  }

  #hint(value: unknown, schema: JsonSchema | undefined, expected: string): string | undefined {
    if (typeof value === 'string') {
      const choices = schema === undefined ? [] : choicesOf(schema);
      const meant = nearest(value, choices.length > 0 ? choices : expected.split(/, | or /));
      return meant === undefined || meant === value || !/^[\w-]+$/.test(meant) ? undefined : `Did you mean ${meant}?`;
    }
    const isPlain = typeof value === 'number' || typeof value === 'boolean';
    return isPlain && expected.startsWith('text') ? 'Put it in quotes' : undefined;
  }

  #unknownKey(path: KeyPath): RecipeProblem {
    const key = String(path.at(-1));
    const known = keysOf(schemaAt(this.#schema, this.#data, path.slice(0, -1)));
    const choices = choicesFor(this.#schema, this.#data, path) ?? [];
    const meant = nearest(key, known) ?? this.#elsewhere(key);
    const belongs = choices.length > 0 ? `It belongs to ${choices.join(', ')}` : undefined;
    return {
      where: this.#where(path, true),
      path,
      got: `the unknown key ${cut(key)}`,
      expected: known.join(', '),
      hint: belongs ?? (meant === undefined ? undefined : `Did you mean ${meant}?`),
    };
  }

  /** A key that exists in another map of the recipe, or by another name. */
  #elsewhere(key: string): string | undefined {
    const camel = key.replace(/[-_]+(\w)/g, (_, letter: string) => letter.toUpperCase());
    if (Object.hasOwn(NAMES_ELSEWHERE, camel)) return NAMES_ELSEWHERE[camel];
    return allKeyPaths(this.#schema).find((path) => path.slice(path.lastIndexOf('.') + 1) === camel);
  }

  /** The last override that set the key, a map around it or, where the file has nothing, something in it; else the place in the file. */
  #where(path: KeyPath, wantsKey: boolean): string {
    const holder = wantsKey || valueAt(this.#data, path) !== undefined ? path : path.slice(0, -1);
    const cause =
      this.#overrides.findLast((one) => startsWith(path, one.path)) ??
      (this.#positions.has(holder) ? undefined : this.#overrides.findLast((one) => startsWith(one.path, holder)));
    if (cause !== undefined) return `--set ${cause.text}`;
    const position = wantsKey ? this.#positions.ofKey(path) : this.#positions.ofValue(path);
    return `${this.#fileName}:${position}`;
  }
}

function startsWith(path: KeyPath, start: KeyPath): boolean {
  return start.every((key, i) => i < path.length && String(key) === String(path[i]));
}

function valueAt(data: unknown, path: KeyPath): unknown {
  return path.reduce<unknown>(
    (node, key) =>
      typeof node === 'object' && node !== null ? (node as Record<string | number, unknown>)[key] : undefined,
    data,
  );
}
