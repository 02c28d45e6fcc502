import { QkvError } from '../base/errors.ts';
import type { DataRecord, FieldName } from '../data/records.ts';
import type { Model } from '../models/model.ts';
import type { EvaluateOptions, Evaluation, EvaluationKind, KindOptions, Subject } from './evaluation.ts';
import { Example } from './example.ts';
import { type KindName, kindNames } from './kindNames.ts';
import { evaluationKinds, kindsFor, taskOf } from './kinds.ts';

/** Names of options in messages; a command line has its own. */
export type NameOption = (option: string) => string;

/**
 * Measures a model on records: what kind of evaluation it is follows from the model, or is said. Metrics are those of
 * `src/eval`, which equal the reference implementations.
 *
 *     const { metrics, predictions } = await evaluateModel(subject, readRecords({ files: 'dev.tsv' }), { metrics: ['accuracy'] });
 *
 * @throws QkvError `usage` for a kind, a metric or an option that does not fit the model, `data` for a record that is wrong,
 * with its file and line
 */
export async function evaluateModel(
  subject: Subject,
  records: AsyncIterable<DataRecord> | Iterable<DataRecord>,
  options: EvaluateOptions & { readonly kind?: KindName } = {},
): Promise<Evaluation> {
  const { name, metrics } = planEvaluation(subject.model, options);
  const kind = evaluationKinds[name];
  const { fields = {}, batchSize = 32, signal, onProgress, kind: _, metrics: __, ...kindOptions } = options;
  const examples = await Array.fromAsync(records, (record) => new Example(record, fieldsOf(kind, record, fields)));
  if (examples.length === 0) throw new QkvError('data', { where: 'data', got: 'no record', expected: 'one or more' });
  const found = await kind.evaluate(subject, examples, {
    ...kindOptions,
    metrics,
    running: { batchSize, signal, onProgress: (done) => onProgress?.(done) },
  });
  return {
    kind: name,
    examples: examples.length,
    metrics: Object.fromEntries(metrics.map((metric) => [metric, found.metrics[metric]!])),
    settings: found.settings ?? {},
    truncated: found.truncated ?? 0,
    predictions: found.predictions.map((prediction, i) => {
      const { where, fields: own } = examples[i]!.record;
      return { where, ...(own['id'] !== undefined && { id: own['id'] }), ...prediction };
    }),
  };
}

/** The kind and the metrics that options mean for a model. @throws QkvError `usage` for what does not fit it, or would do nothing */
export function planEvaluation(
  model: Model,
  options: EvaluateOptions & { readonly kind?: KindName },
  nameOf: NameOption = (option) => option,
): { readonly name: KindName; readonly metrics: readonly string[] } {
  const fit = kindsFor(model);
  const name = options.kind ?? fit[0]!;
  const does = `a ${model.family} model ${model.kind === 'encoder' ? `with the head ${taskOf(model)}` : `(${model.kind})`}`;
  if (!fit.includes(name)) {
    const got = kindNames.includes(name) ? `${name}, of ${does}` : name;
    throw new QkvError('usage', { where: nameOf('kind'), got, expected: `one of ${fit.join(', ')}, which fit it` });
  }
  const kind = evaluationKinds[name];
  const known = kind.metricsOf(model);
  const metrics = options.metrics ?? known;
  for (const metric of metrics) {
    if (known.includes(metric)) continue;
    const others = fit.filter((one) => evaluationKinds[one].metricsOf(model).includes(metric));
    throw new QkvError('usage', {
      where: nameOf('metrics'),
      got: `${metric}, for ${name} with ${does}`,
      expected: `one of ${known.join(', ')}`,
      ...(others.length > 0 && { hint: `${metric} is a metric of ${nameOf('kind')} ${others.join(' or ')}` }),
    });
  }
  for (const [option, value] of Object.entries(options)) {
    if (value === undefined || GENERAL.has(option)) continue;
    const acts = kind.options[option as keyof KindOptions];
    if (acts && (acts.length === 0 || metrics.some((metric) => acts.includes(metric)))) continue;
    throw new QkvError('usage', {
      where: nameOf(option),
      got: acts ? `the metrics ${metrics.join(', ')}` : `the kind ${name}`,
      expected: acts ? `${acts.join(' or ')}, where it acts` : `one of ${actsIn(option)}, where it acts`,
    });
  }
  for (const role of Object.keys(options.fields ?? {})) {
    if (Object.hasOwn(kind.roles, role)) continue;
    const expected = `one of ${Object.keys(kind.roles).join(', ')}`;
    throw new QkvError('usage', { where: nameOf('fields'), got: `${role}, for ${name}`, expected });
  }
  return { name, metrics };
}

const GENERAL = new Set(['kind', 'metrics', 'fields', 'batchSize', 'signal', 'onProgress']);

function actsIn(option: string): string {
  return kindNames.filter((name) => Object.hasOwn(evaluationKinds[name].options, option)).join(', ');
}

/** Of the roles of a kind those that the record has, or must have. */
function fieldsOf(
  { roles, optional = [] }: EvaluationKind,
  { fields }: DataRecord,
  given: Readonly<Record<string, FieldName>>,
): Record<string, FieldName> {
  const all: Record<string, FieldName> = { ...roles, ...given };
  const isThere = ([role, field]: [string, FieldName]): boolean =>
    !optional.includes(role) || given[role] !== undefined || Object.hasOwn(fields, field);
  return Object.fromEntries(Object.entries(all).filter(isThere));
}
