import type { SentenceUnit } from '../base/sentenceUnits.ts';

/** Where data come from: files here, or a dataset of the hub. */
export interface DataOrigin {
  files?: string | string[] | undefined;
  hub?: string | undefined;
  config?: string | undefined;
  split?: string | undefined;
  revision?: string | undefined;
  format: 'tsv' | 'csv' | 'jsonl' | 'parquet' | null;
  header: boolean | null;
}

/** Tables: a path or a glob, a list of them, or a map that says more. */
export type RecordSource = string | string[] | DataOrigin;

/** `data:` of a task whose examples are rows of tables; `Fields` are the task's own names of fields. */
export interface RecordsData<Fields> {
  format: 'records';
  train: RecordSource;
  validation: RecordSource;
  test: RecordSource | null;
  fields: Fields;
}

/** Running text: files or tables, and what a document of them is. */
export interface DocumentSource extends DataOrigin {
  field: string | number | null;
  documents: 'blank-lines' | 'records' | 'files' | null;
  /** Of tasks whose examples are made of sentences. */
  sentences?: SentenceUnit | undefined;
  weight: number;
  limit: number | null;
}

export type DocumentSources = string | DocumentSource | (string | DocumentSource)[];

/** `data:` of a task that reads running text. */
export interface DocumentsData {
  format: 'documents';
  train: DocumentSources;
  validation: DocumentSources | { fraction: number };
  shuffle: { buffer: number } | null;
}

/** Sources as the list of maps that they stand for. */
export function documentSourcesOf(sources: DocumentSources): DocumentSource[] {
  return [sources]
    .flat()
    .map((source) =>
      typeof source === 'string'
        ? { files: source, format: null, header: null, field: null, documents: null, weight: 1, limit: null }
        : source,
    );
}

/** A source as the map that it stands for. */
export function originOf(source: RecordSource): DataOrigin {
  return typeof source === 'string' || Array.isArray(source) ? { files: source, format: null, header: null } : source;
}

/** What a source is written as, with each path of it changed. `key` leads to the path. */
export function mapPaths<T>(source: T, change: (path: string, key: (string | number)[]) => string): T {
  const map = (node: unknown, key: (string | number)[]): unknown => {
    if (typeof node === 'string') return change(node, key);
    if (Array.isArray(node)) return node.map((one, i) => map(one, [...key, i]));
    if (typeof node !== 'object' || node === null || !('files' in node)) return node;
    return { ...node, files: map(node.files, [...key, 'files']) };
  };
  return map(source, []) as T;
}
