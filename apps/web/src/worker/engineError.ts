import { QkvError } from '../../../../src/base/errors.ts';
import type { EngineError } from './contract.ts';
import { Superseded } from './jobs.ts';

/** What was thrown, in the form in which it crosses threads. Codes: those of `QkvError`, `superseded`, and `defect` for the rest. */
export function engineErrorOf(thrown: unknown): EngineError {
  if (thrown instanceof QkvError) {
    const { cause: _, ...parts } = thrown.parts;
    return { code: thrown.code, message: thrown.message, ...parts };
  }
  if (thrown instanceof Superseded) return { code: 'superseded', message: thrown.message };
  if (thrown instanceof RangeError) {
    // an array that the browser has no memory for
    return { code: 'runtime', message: thrown.message, where: 'memory', got: thrown.message };
  }
  return { code: 'defect', message: thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown) };
}

/** An `EngineError` on the page's side, with a stack. */
export class EngineFailure extends Error implements EngineError {
  override readonly name = 'EngineFailure';
  readonly code: string;
  readonly where?: string;
  readonly got?: string;
  readonly expected?: string;
  readonly hint?: string;

  constructor({ message, ...parts }: EngineError) {
    super(message);
    this.code = parts.code;
    Object.assign(this, parts);
  }
}
