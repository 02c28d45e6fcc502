/** How a value is written in the page's address. `parse` gives undefined for what is not one: the value then stays as it is at first. */
export interface Codec<T> {
  parse(text: string): T | undefined;
  format(value: T): string;
}
