import { brief } from '../base/brief.ts';
import { QkvError } from '../base/errors.ts';
import type { DataRecord } from '../data/records.ts';
import type { StartingPoint } from './recipeModel.ts';

/** The names of a task's classes, and the number of each. */
export class LabelNames {
  readonly names: readonly string[];
  readonly #index: ReadonlyMap<string, number>;
  readonly #takesNumbers: boolean;

  constructor(names: readonly string[]) {
    this.names = names;
    this.#index = new Map(names.map((name, i) => [name, i]));
    this.#takesNumbers = !names.some((name) => /^\d+$/.test(name));
  }

  /**
   * The recipe's names; else those found in the training data, sorted, numbers by their size, in the order that the model
   * which is trained further has them where it has the same.
   *
   * @throws QkvError `data` where there is only one
   */
  static of(given: readonly string[] | null, found: Iterable<string>, start: StartingPoint | undefined): LabelNames {
    if (given !== null) return new LabelNames(given);
    const all = [...new Set(found)];
    const areNumbers = all.every((name) => /^\d+$/.test(name));
    const names = all.sort((a, b) => (areNumbers ? Number(a) - Number(b) : a < b ? -1 : 1));
    if (names.length < 2) {
      throw new QkvError('data', { where: 'training labels', got: brief(names), expected: 'at least two classes' });
    }
    const before = Object.values(start?.config['id2label'] ?? {}) as string[];
    return new LabelNames(before.toSorted().join('\n') === names.toSorted().join('\n') ? before : names);
  }

  /** @throws QkvError `data` for a label that is none of the names, and no number of one */
  indexOf(label: string, { where }: Pick<DataRecord, 'where'>): number {
    const index = this.#index.get(label);
    if (index !== undefined) return index;
    if (this.#takesNumbers && /^\d+$/.test(label) && Number(label) < this.names.length) return Number(label);
    throw new QkvError('data', { where, got: `label ${brief(label)}`, expected: `one of ${brief(this.names)}` });
  }

  /** What config.json says of them. */
  get config(): { readonly id2label: object; readonly label2id: object } {
    return {
      id2label: Object.fromEntries(this.names.map((name, i) => [String(i), name])),
      label2id: Object.fromEntries(this.names.map((name, i) => [name, i])),
    };
  }
}
