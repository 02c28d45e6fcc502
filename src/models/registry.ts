import { brief } from '../base/brief.ts';
import { QkvError } from '../base/errors.ts';
import { parseAlbert } from './albert.ts';
import { parseBart } from './bart.ts';
import { parseBert } from './bert.ts';
import { parseDistilbert } from './distilbert.ts';
import type { EncoderContext } from './encoderFamily.ts';
import type { HeadName } from './encoderHead.ts';
import { parseGpt2 } from './gpt2.ts';
import { parseLlama } from './llama.ts';
import { parseMarian } from './marian.ts';
import type { EncoderModel, Model } from './model.ts';
import { parseTransformer } from './originalTransformer.ts';
import { parseRoberta } from './roberta.ts';
import { parseT5 } from './t5.ts';

/** Encoders by the `model_type` of their config.json. */
const encoders: Readonly<Record<string, (json: unknown, file: string, context: EncoderContext) => EncoderModel>> = {
  bert: parseBert,
  roberta: parseRoberta,
  albert: parseAlbert,
  distilbert: parseDistilbert,
};

/** The other families by the `model_type` of their config.json. */
const families: Readonly<Record<string, (json: unknown, file?: string, stored?: ReadonlySet<string>) => Model>> = {
  transformer: parseTransformer,
  marian: parseMarian,
  gpt2: parseGpt2,
  t5: parseT5,
  bart: parseBart,
  llama: parseLlama,
};

export function isKnownFamily(modelType: unknown): boolean {
  return typeof modelType === 'string' && (Object.hasOwn(families, modelType) || Object.hasOwn(encoders, modelType));
}

/** Whether the family's models read and do not write, and have heads to choose from. */
export function isEncoderFamily(modelType: string): boolean {
  return Object.hasOwn(encoders, modelType);
}

/**
 * The model that a config.json describes; `stored` are the keys of its checkpoint, where there is one. An encoder's
 * `head` is that of its `architectures`, unless another is asked for.
 *
 * @throws QkvError `config`
 */
export function parseModel(json: unknown, file = 'config.json', stored?: ReadonlySet<string>, head?: HeadName): Model {
  const modelType =
    typeof json === 'object' && json !== null ? (json as Record<string, unknown>)['model_type'] : undefined;
  if (!isKnownFamily(modelType)) {
    throw new QkvError('config', {
      where: `${file}: model_type`,
      got: brief(modelType),
      expected: `one of ${[...Object.keys(families), ...Object.keys(encoders)].join(', ')}`,
    });
  }
  if (isEncoderFamily(modelType as string)) return encoders[modelType as string]!(json, file, { stored, head });
  if (head !== undefined) {
    throw new QkvError('usage', {
      where: 'head',
      got: head,
      expected: `no head for a ${modelType} model; one of ${Object.keys(encoders).join(', ')} has heads to choose from`,
    });
  }
  return families[modelType as string]!(json, file, stored);
}
