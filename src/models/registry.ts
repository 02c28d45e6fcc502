import { QkvError } from '../base/errors.ts';
import { parseGpt2 } from './gpt2.ts';
import { parseMarian } from './marian.ts';
import type { Model } from './model.ts';
import { parseTransformer } from './originalTransformer.ts';

/** Families by the `model_type` of their config.json. */
const families: Readonly<Record<string, (json: unknown, file?: string) => Model>> = {
  transformer: parseTransformer,
  marian: parseMarian,
  gpt2: parseGpt2,
};

export function isKnownFamily(modelType: unknown): boolean {
  return typeof modelType === 'string' && Object.hasOwn(families, modelType);
}

/** The model that a config.json describes. @throws QkvError `config` */
export function parseModel(json: unknown, file = 'config.json'): Model {
  const modelType =
    typeof json === 'object' && json !== null ? (json as Record<string, unknown>)['model_type'] : undefined;
  if (!isKnownFamily(modelType)) {
    throw new QkvError('config', {
      where: `${file}: model_type`,
      got: JSON.stringify(modelType) ?? 'nothing',
      expected: `one of ${Object.keys(families).join(', ')}`,
    });
  }
  return families[modelType as string]!(json, file);
}
