import { z } from 'zod';
import { sentenceUnits } from '../base/sentenceUnits.ts';
import type { DataOrigin, DocumentSources, DocumentsData, RecordSource } from './dataSource.ts';
import { count, optional, path, positive } from './schemaParts.ts';

const pathList: z.ZodArray<z.ZodString> = z.array(path('A path or a glob.')).min(1);

/** Where the files of a source are: paths here, or a dataset of the hub. The rest of its keys beside these. */
const origin = {
  files: z
    .union([path('A path or a glob.'), pathList])
    .optional()
    .describe('Paths and globs, one or a list. Names ending in .gz are unpacked.'),
  hub: z
    .string()
    .min(1)
    .optional()
    .describe(
      'A dataset of the Hugging Face hub, org/name, in place of files: its parquet, jsonl, csv, tsv or txt files.',
    ),
  config: z.string().min(1).optional().describe('Of a dataset of the hub: its configuration, a folder as a rule.'),
  split: z.string().min(1).optional().describe('Of a dataset of the hub: train, validation, test.'),
  revision: z.string().min(1).optional().describe('Of a dataset of the hub: a branch, a tag or a commit.'),
  format: optional(
    z.enum(['tsv', 'csv', 'jsonl', 'parquet']).nullable(),
    null,
    'Of tables: tab-separated without quoting, comma-separated with quotes, a JSON object a line, parquet; null: what the name ends with.',
  ),
  header: optional(
    z.boolean().nullable(),
    null,
    'Of TSV and CSV: whether the first line names the columns; null: it does where a field is given by name.',
  ),
};

/** `files` and `hub` exclude each other, and the keys about the hub need it. */
const oneOrigin = {
  check: ({ files, hub, config, split, revision }: OriginKeys): boolean =>
    (files === undefined) !== (hub === undefined) && (hub !== undefined || (config ?? split ?? revision) === undefined),
  params: { error: 'either files, or hub with config, split and revision' },
};
type OriginKeys = Pick<DataOrigin, 'files' | 'hub' | 'config' | 'split' | 'revision'>;

/** A table, or several of the same columns, one after the other. */
export const recordSource: z.ZodType<RecordSource> = z
  .union([path('A path or a glob.'), pathList, z.strictObject(origin).refine(oneOrigin.check, oneOrigin.params)])
  .describe('Tables (TSV, CSV, JSONL, parquet): a path or glob, a list of them, or a map that says more.');

/** A field of a table. */
export const fieldName: z.ZodUnion<readonly [z.ZodString, z.ZodInt]> = z
  .union([z.string().min(1), count])
  .describe('The name of a field, or the number of a column from 1.');

type Source = z.ZodType<RecordSource>;
// an alias: an interface would need the index signature of a shape, which hides its keys
type RecordsShape<Fields extends z.ZodType> = {
  format: z.ZodLiteral<'records'>;
  train: Source;
  validation: Source;
  test: z.ZodDefault<z.ZodNullable<Source>>;
  fields: Fields;
};

/**
 * `data:` of a task whose examples are rows of tables, with the task's own names of fields:
 *
 *     data: recordsData(z.strictObject({ text: fieldName, label: fieldName }))
 */
export function recordsData<Fields extends z.ZodType>(
  fields: Fields,
): z.ZodObject<RecordsShape<Fields>, z.core.$strict> {
  return z
    .strictObject({
      format: z.literal('records').describe('Rows of tables: TSV, CSV, JSONL, parquet.'),
      train: recordSource,
      validation: recordSource,
      test: optional(recordSource.nullable(), null, 'For the score at the end; null: none.'),
      fields: fields.describe(
        'Where the parts of an example stand: the names of fields, or the numbers of columns from 1.',
      ),
    })
    .describe('Rows of tables.');
}

type DocumentsShape = {
  format: z.ZodLiteral<'documents'>;
  train: z.ZodType<DocumentSources>;
  validation: z.ZodType<DocumentsData['validation']>;
  shuffle: z.ZodDefault<z.ZodNullable<z.ZodType<{ buffer: number }>>>;
};

/** `data:` of a task that reads running text, as documents or as the sentences of documents. */
export function documentsData(unit: 'text' | 'sentences'): z.ZodObject<DocumentsShape, z.core.$strict> {
  const sentences = optional(
    z.enum(sentenceUnits),
    'lines',
    'Whether each line is a sentence, or is split into its sentences (Unicode rules, any language), or into clauses, behind commas and semicolons too.',
  );
  const source = z
    .strictObject({
      ...origin,
      field: optional(fieldName.nullable(), null, 'Of tables: the field that is the text; null: the files are text.'),
      documents: optional(
        z.enum(['blank-lines', 'records', 'files']).nullable(),
        null,
        'What a document is: what stands between blank lines, a record of a table or a line of text, a whole file; null: blank-lines of text, records of tables.',
      ),
      ...(unit === 'sentences' && { sentences }),
      weight: optional(
        positive,
        1,
        'How often each document is read in an epoch, in expectation: 0.5, each second one, others in every epoch; 2, all twice.',
      ),
      limit: optional(count.nullable(), null, 'Documents at most, from the start; null: all.'),
    })
    .refine(oneOrigin.check, oneOrigin.params);
  const text = path('A text file or a glob.');
  const list = z.array(z.union([text, source])).min(1);
  const held = z
    .strictObject({ fraction: positive.lt(1).describe('Share of the training documents, drawn by the seed.') })
    .describe('Holds training documents out.');
  return z.strictObject({
    format: z.literal('documents').describe('Documents of text files and tables, of one source or several.'),
    train: z
      .union([text, source, list])
      .describe('Text files (UTF-8, a path or a glob), a map that says more, or a list of these.'),
    validation: z
      .union([text, source, list, held])
      .describe('The same for validation, or the share of training documents that is held out.'),
    shuffle: optional(
      z.strictObject({ buffer: count.describe('Examples that are shuffled together.') }).nullable(),
      null,
      'Reads near places together, as an order of examples comes out of a buffer; null: any order of all examples of an epoch.',
    ),
  }) as unknown as z.ZodObject<DocumentsShape, z.core.$strict>;
}
