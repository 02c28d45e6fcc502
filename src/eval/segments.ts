import { QkvError } from '../base/errors.ts';

/** One segment's references, or one reference per segment: `references[i]` always belongs to `hypotheses[i]`. */
export type References = readonly string[] | readonly (readonly string[])[];

export interface Segment {
  readonly hypothesis: string;
  /** At least one. */
  readonly references: readonly string[];
}

/**
 * The characters that Python's `str.split()` and `str.strip()` call whitespace. JavaScript's `\s` differs: it has U+FEFF
 * and lacks U+001C–U+001F and U+0085. Scores are compared with a Python program, so its set is the one that counts.
 */
const SPACE = String.raw`\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000`;
const SPACES = new RegExp(`[${SPACE}]+`);
const OUTER_SPACES = new RegExp(`^[${SPACE}]+|[${SPACE}]+$`, 'g');
const TRAILING_SPACES = new RegExp(`[${SPACE}]+$`);

/** The words between runs of whitespace; none for an empty or blank line. */
export function splitWords(line: string): string[] {
  return line.split(SPACES).filter((word) => word !== '');
}

export function trim(line: string): string {
  return line.replace(OUTER_SPACES, '');
}

export function trimEnd(line: string): string {
  return line.replace(TRAILING_SPACES, '');
}

/** Puts each hypothesis beside its references. Throws `data` on none, on unequal numbers and on a hypothesis without any. */
export function pairSegments(where: string, hypotheses: readonly string[], references: References): Segment[] {
  if (hypotheses.length === 0) {
    throw new QkvError('data', { where: `${where}: hypotheses`, got: 'none', expected: 'at least one' });
  }
  if (hypotheses.length !== references.length) {
    throw new QkvError('data', {
      where: `${where}: references`,
      got: `references for ${references.length} segments`,
      expected: `${hypotheses.length}, one entry per hypothesis`,
      hint: 'Several references for a segment are a list: [["first of segment 0", "second of segment 0"], …]',
    });
  }
  return hypotheses.map((hypothesis, i) => {
    const given = references[i]!;
    const list = typeof given === 'string' ? [given] : given;
    if (list.length === 0) {
      throw new QkvError('data', { where: `${where}: references[${i}]`, got: 'none', expected: 'at least one' });
    }
    return { hypothesis, references: list };
  });
}

/** The `nrefs` field of a signature: how many references each segment has, or `var`. */
export function referenceCount(segments: readonly Segment[]): string {
  const counts = new Set(segments.map((segment) => segment.references.length));
  return counts.size === 1 ? String([...counts][0]) : 'var';
}

/** Throws `usage` when `options` has a key that is not in `known`. */
export function checkOptions(where: string, options: object, known: readonly string[]): void {
  for (const key of Object.keys(options)) {
    if (!known.includes(key)) {
      throw new QkvError('usage', { where, got: `unknown option '${key}'`, expected: known.join(', ') });
    }
  }
}

/** Throws `usage` when `value` is not one of `allowed`. */
export function checkChoice(where: string, value: string, allowed: readonly string[]): void {
  if (!allowed.includes(value)) throw new QkvError('usage', { where, got: `'${value}'`, expected: allowed.join(', ') });
}
