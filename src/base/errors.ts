/**
 * Every error that the user can cause is a `QkvError`: it has a stable `code` and says where, what was got, what was
 * expected and what to do. An error of any other class is a defect of qkv itself.
 */
export type ErrorCode =
  | 'shape' // shapes that do not fit, found while tracing
  | 'dtype'
  | 'graph' // an ill-formed graph, or a value that does not exist in it
  | 'gradient' // a derivative that was asked for does not exist
  | 'config' // a model's configuration: unknown, unsupported or impossible values
  | 'checkpoint' // weights: missing, unexpected, mis-shaped, damaged
  | 'tokenizer'
  | 'data' // training or evaluation data
  | 'recipe' // a training recipe
  | 'usage' // a wrong command line or a wrong argument of a library call
  | 'run' // a training run: output folder in use, snapshot damaged, loss not finite
  | 'runtime' // the engine below failed
  | 'io'; // a file that cannot be read or written

export interface ErrorParts {
  /** File, key, operator or argument at fault, e.g. `config.json: hidden_size` or `matmul`. */
  readonly where: string;
  readonly got?: string;
  readonly expected?: string;
  /** What the reader can do about it. */
  readonly hint?: string;
  readonly cause?: unknown;
}

export class QkvError extends Error {
  override readonly name = 'QkvError';
  readonly code: ErrorCode;
  readonly parts: ErrorParts;

  constructor(code: ErrorCode, given: ErrorParts) {
    const parts = cutLines(given);
    const facts = [parts.got && `got ${parts.got}`, parts.expected && `expected ${parts.expected}`].filter(Boolean);
    const head = facts.length > 0 ? `${parts.where}: ${facts.join(', ')}` : parts.where;
    super(parts.hint ? `${head}. ${parts.hint}` : head, parts.cause === undefined ? undefined : { cause: parts.cause });
    this.code = code;
    this.parts = parts;
  }
}

/** What comes from a file, the name of a key say, may have any length; a message that is read has not. */
function cutLines(parts: ErrorParts): ErrorParts {
  const texts = (['where', 'got', 'expected'] as const).flatMap((name) => {
    const text = parts[name];
    return text === undefined ? [] : [[name, text.replace(/(.{1000}).+/gu, '$1…')]];
  });
  return { ...parts, ...Object.fromEntries(texts) };
}

/** For states that only a defect of qkv can reach. */
export function unreachable(what: never | string): never {
  throw new Error(`qkv defect: unreachable state: ${String(what)}`);
}
