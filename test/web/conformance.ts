export interface Deviating {
  readonly title: string;
  readonly tensor: string;
  readonly deviation: number;
}

/** What a runtime in a page does not compute as the reference does. */
export interface Conformance {
  readonly name: string;
  readonly compared: number;
  readonly deviating: readonly Deviating[];
}
