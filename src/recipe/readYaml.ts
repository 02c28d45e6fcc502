import { type Document, type DocumentOptions, type ParseOptions, parseDocument } from 'yaml';

export interface ReadYaml {
  /** Absent where the text is nested too deeply to be parsed. */
  readonly document: Document | undefined;
  readonly data: unknown;
  /** What is wrong, each at its offset in the text; `data` are of use where there is none. */
  readonly faults: readonly { readonly at: number; readonly message: string }[];
}

/** A text of YAML and the plain data that it stands for, which is a tree: no alias without an anchor or within itself. */
export function readYaml(text: string, options: ParseOptions & DocumentOptions = {}): ReadYaml {
  let document: Document | undefined;
  try {
    document = parseDocument(text, { ...options, logLevel: 'error' }); // nothing on stderr beside our errors
    const faults = [...document.errors, ...document.warnings].map(({ pos, message }) => ({ at: pos[0], message }));
    if (faults.length > 0) return { document, data: undefined, faults };
    const data: unknown = document.toJS();
    JSON.stringify(data); // throws where it has a cycle or no end
    return { document, data, faults };
  } catch (error) {
    return { document, data: undefined, faults: [{ at: 0, message: reasonOf(error as Error) }] };
  }
}

function reasonOf(error: Error): string {
  if (error instanceof RangeError) return 'a value nested too deeply';
  if (error instanceof TypeError) return 'an alias within what it stands for';
  return error.message.split('\n')[0]!; // an alias that stands for nothing, or too many of them
}
