import { type ErrorCode, QkvError } from '../../src/base/errors.ts';

/** The value, or undefined where it was refused as it should be: by a QkvError of one of these codes that says where and what, readably. */
export async function refusedOr<T>(codes: readonly ErrorCode[], get: () => Promise<T>): Promise<T | undefined> {
  try {
    return await get();
  } catch (error) {
    if (!(error instanceof QkvError)) throw error;
    const { where, got, expected } = error.parts;
    if (!codes.includes(error.code)) throw new Error(`the code ${error.code}: ${error.message}`, { cause: error });
    if (where === '' || (got === undefined && expected === undefined && !where.includes('\n'))) {
      throw new Error(`an error that does not say what was got or expected: ${error.message}`, { cause: error });
    }
    if (error.message.split('\n').some((line) => line.length > 4000)) {
      throw new Error(`an error of lines that nobody reads: ${error.message.slice(0, 300)}…`, { cause: error });
    }
    return undefined;
  }
}
