import { cut } from '../base/brief.ts';
import { QkvError } from '../base/errors.ts';

export type KeyPath = readonly (string | number)[];

export interface RecipeProblem {
  /** `file:line:column` or the override at fault, e.g. `--set train.steps=x`. */
  readonly where: string;
  readonly path: KeyPath;
  readonly got: string;
  readonly expected: string;
  readonly hint: string | undefined;
}

/** All that is wrong with a recipe, a problem a line. */
export class RecipeError extends QkvError {
  readonly problems: readonly RecipeProblem[];

  constructor(file: string, problems: readonly RecipeProblem[]) {
    const [first] = problems;
    if (first !== undefined && problems.length === 1) {
      const { got, expected, hint } = first;
      super('recipe', { where: place(first), got, expected, ...(hint !== undefined && { hint }) });
    } else {
      super('recipe', { where: [`${file}: ${problems.length} problems`, ...problems.map(sentence)].join('\n  ') });
    }
    this.problems = problems;
  }
}

function place({ where, path }: RecipeProblem): string {
  return path.length === 0 ? where : `${where}: ${formatPath(path)}`;
}

function sentence(problem: RecipeProblem): string {
  const { got, expected, hint } = problem;
  return `${place(problem)}: got ${got}, expected ${expected}${hint === undefined ? '' : `. ${hint}`}`;
}

/** `data.train[0]` */
export function formatPath(path: KeyPath): string {
  return path.map((key, i) => (typeof key === 'number' ? `[${key}]` : i === 0 ? cut(key) : `.${cut(key)}`)).join('');
}
