import type { Exportable } from '../../export/save.ts';
import { opened } from '../../state/open.ts';
import { edits } from '../../state/scene.ts';
import type { Choice, HeadSteps } from '../../worker/contract.ts';
import { answer, keyTokens, position, queryTokens, temperature } from './state.ts';
import { stepsPicture } from './stepsPicture.ts';

const BY_KEY = ['products', 'scaled', 'masked', 'weights'] as const;
const MATRICES = ['keys', 'values'] as const;
const VECTORS = ['query', 'context', 'concat', 'attentionOut'] as const;
/** Of each sublayer of the layer. */
const PARTS = ['before', 'input', 'out', 'sum', 'after'] as const;

/** The numbers of the page, and one picture of the head. */
export function stepsExport(): Exportable | null {
  const shown = answer.peek().value;
  const card = opened.peek().card;
  if (shown === null || card === null) return null;
  const { steps, choices, before } = shown;
  const keys = keyTokens.peek().map(({ text }) => text);
  const token = queryTokens.peek()[position.peek()]?.text ?? '';
  return {
    name: `${card.name}-${steps.place.path}-head-${steps.head}-position-${steps.position}`,
    svg: () => stepsPicture(steps, { token, keys, model: card.name }),
    table: () => table(steps, choices, before, keys),
    json: () => ({
      model: card.name,
      token,
      keyTokens: keys,
      temperature: temperature.peek(),
      edits: edits.peek(),
      ...numbers(steps, choices),
      ...(before && { unedited: numbers(before.steps, before.choices) }),
    }),
  };
}

function numbers(steps: HeadSteps, choices: readonly Choice[] | null): object {
  const { place, keys, values, headSize, ...rest } = steps;
  const rows = (matrix: Float32Array): Float32Array[] =>
    Array.from(steps.weights, (_, k) => matrix.subarray(k * headSize, (k + 1) * headSize));
  return { path: place.path, headSize, ...rest, keys: rows(keys), values: rows(values), predictions: choices };
}

/** A number a line: what it is, its key (position and token) or token, its index, and its value without the edits. */
function table(
  steps: HeadSteps,
  choices: readonly Choice[] | null,
  before: { readonly steps: HeadSteps; readonly choices: readonly Choice[] | null } | null,
  keys: readonly string[],
): (string | number)[][] {
  const rows: (string | number)[][] = [['name', 'key', 'token', 'index', 'value', 'unedited']];
  for (const name of VECTORS) {
    for (const [i, x] of steps[name].entries()) rows.push([name, '', '', i, x, before?.steps[name][i] ?? '']);
  }
  for (const [at, sublayer] of steps.sublayers.entries()) {
    for (const part of PARTS) {
      const old = before?.steps.sublayers[at]?.[part];
      for (const [i, x] of sublayer[part].entries()) {
        rows.push([`${sublayer.name}.${part}`, '', '', i, x, old?.[i] ?? '']);
      }
    }
  }
  for (const name of MATRICES) {
    for (const [i, x] of steps[name].entries()) {
      const key = Math.floor(i / steps.headSize);
      rows.push([name, key, keys[key]!, i % steps.headSize, x, before?.steps[name][i] ?? '']);
    }
  }
  for (const name of BY_KEY) {
    for (const [key, x] of steps[name].entries())
      rows.push([name, key, keys[key]!, '', x, before?.steps[name][key] ?? '']);
  }
  for (const name of ['logit', 'probability'] as const) {
    for (const { token, [name]: value } of choices ?? []) {
      const old = before?.choices?.find((choice) => choice.token.id === token.id)?.[name];
      rows.push([name, '', token.text, token.id, value, old ?? '']);
    }
  }
  return rows;
}
