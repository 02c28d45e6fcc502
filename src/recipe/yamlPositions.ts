import { type Document, isAlias, isMap, isNode, isScalar, isSeq, type LineCounter } from 'yaml';
import type { KeyPath } from './recipeError.ts';

/** Finds the line and column of keys and values in a parsed file. */
export class YamlPositions {
  readonly #document: Document;
  readonly #lines: LineCounter;

  constructor(document: Document, lines: LineCounter) {
    this.#document = document;
    this.#lines = lines;
  }

  /** `line:column` of the value at `path`, or, where there is none, of the nearest thing around it. */
  ofValue(path: KeyPath): string {
    return this.#find(path, false);
  }

  /** `line:column` of the key that ends `path`. */
  ofKey(path: KeyPath): string {
    return this.#find(path, true);
  }

  has(path: KeyPath): boolean {
    return path.length === 0 || this.#document.hasIn(path);
  }

  #find(path: KeyPath, wantsKey: boolean): string {
    let node: unknown = this.#document.contents;
    let offset = isNode(node) ? (node.range?.[0] ?? 0) : 0;
    for (const [depth, key] of path.entries()) {
      if (isAlias(node)) node = node.resolve(this.#document);
      let keyNode: unknown;
      if (isMap(node)) {
        const pair = node.items.find((item) => String(isScalar(item.key) ? item.key.value : item.key) === String(key));
        keyNode = pair?.key;
        node = pair?.value;
      } else {
        node = isSeq(node) && typeof key === 'number' ? node.items[key] : undefined;
      }
      const isLast = depth === path.length - 1;
      const place = (isLast && wantsKey) || !isNode(node) || isMap(node) ? (keyNode ?? node) : node;
      if (!isNode(place)) break;
      offset = place.range?.[0] ?? offset;
    }
    const { line, col } = this.#lines.linePos(offset);
    return `${Math.max(1, line)}:${Math.max(1, col)}`;
  }
}
