/** A whole number from 0 to below `below`. */
export type Random = (below: number) => number;

/** mulberry32: reproducible, good enough to choose bytes. */
export function randomSource(seed: number): Random {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

function oneOf<T>(random: Random, values: readonly T[]): T {
  return values[random(values.length)]!;
}

const extremes = [0n, 1n, 0x7fn, 0xffn, 0xffffn, 2n ** 31n, 2n ** 32n - 1n, 2n ** 53n, 2n ** 63n, -1n, -(2n ** 31n)];
const marks = '{}[]",:\\ \n0123456789-eE#&*|>\'';

/**
 * Damages a file in 1 to 4 places: bits, bytes, whole numbers at their limits, marks of text formats, its length, parts repeated,
 * moved or cut out. Of `focus` bytes at its begin most places are chosen: a header before much data.
 */
export function mutateBytes(
  original: Uint8Array,
  random: Random,
  focus: number = original.length,
): Uint8Array<ArrayBuffer> {
  let bytes = original.slice();
  for (let edits = 1 + random(4); edits > 0 && bytes.length > 0; edits--) {
    const at = random(random(8) === 0 ? bytes.length : Math.min(focus, bytes.length));
    const kind = random(20);
    if (kind < 5) bytes[at]! ^= 1 << random(8);
    else if (kind < 8) bytes[at] = random(256);
    else if (kind < 10) bytes[at] = oneOf(random, [0, 1, 0x7f, 0x80, 0xff]);
    else if (kind < 13) bytes[at] = marks.charCodeAt(random(marks.length));
    else if (kind < 15) putInteger(bytes, at, oneOf(random, extremes), oneOf(random, [1, 2, 4, 8]));
    else if (kind === 15) bytes.fill(0xff, at, at + 1 + random(8));
    else if (kind === 16) bytes.copyWithin(at, random(bytes.length), random(bytes.length) + 1);
    else if (kind === 17) bytes = bytes.slice(0, at);
    else if (kind === 18) bytes = joined(bytes.subarray(0, at), bytes.subarray(random(at + 1)));
    else if (random(4) === 0) {
      const part = bytes.subarray(at, at + 1 + random(8));
      const many = Array.from({ length: 1 + random(5000) }, () => part);
      bytes = joined(bytes.subarray(0, at), ...many, bytes.subarray(at));
    } else bytes = joined(bytes.subarray(0, at), bytes.subarray(at + random(bytes.length - at)));
  }
  return bytes;
}

function putInteger(bytes: Uint8Array, at: number, value: bigint, width: number): void {
  for (let i = 0; i < width && at + i < bytes.length; i++) bytes[at + i] = Number((value >> BigInt(8 * i)) & 0xffn);
}

function joined(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.concat(parts));
}

/** JSON as it is written, which a value in memory cannot be. */
class Raw {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}
/** An object of which a key may stand twice. */
class Members {
  readonly list: [string, Json][];
  constructor(list: [string, Json][]) {
    this.list = list;
  }
}
type Json = null | boolean | number | string | Raw | Members | Json[];

const numbers = ['0', '-0', '-1', '0.5', '1', '3', '7', '65536', '2147483648', '9007199254740993', '1e308', '1e999'];
const texts = [
  '',
  ' ',
  '.',
  '..',
  '../x',
  '/etc/passwd',
  'NaN',
  '1',
  'null',
  '__proto__',
  'constructor',
  '\0',
  '\ud800',
];
const keys = ['__proto__', 'constructor', 'toString', '', 'type', 'length'];
const deep = [200, 20_000].flatMap((depth) => [
  '['.repeat(depth) + ']'.repeat(depth),
  `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`,
]);

/**
 * Damages a JSON text in 1 to 3 places, at any depth: values of another type, at the limits of numbers or far too deep, keys that
 * are missing, twice, renamed or those of a prototype, elements repeated or exchanged. It stays JSON.
 */
export function mutateJson(original: string, random: Random): string {
  const holder: Json[] = [fromValue(JSON.parse(original))];
  for (let edits = 1 + random(3); edits > 0; edits--) edit(holder, random);
  return write(holder[0]!);
}

function fromValue(value: unknown): Json {
  if (Array.isArray(value)) return value.map(fromValue);
  if (typeof value === 'object' && value !== null) {
    return new Members(Object.entries(value).map(([key, inner]) => [key, fromValue(inner)]));
  }
  return value as Json;
}

/** Goes down from an array to some value and changes it, or the array or the object that it is in. */
function edit(holder: Json[], random: Random): void {
  let parent: Json[] | Members = holder;
  let at = 0;
  for (;;) {
    const value = valueAt(parent, at);
    const size = value instanceof Members ? value.list.length : Array.isArray(value) ? value.length : 0;
    if (size === 0 || random(4) === 0) break;
    parent = value as Json[] | Members;
    at = random(size);
  }
  const list: unknown[] = parent instanceof Members ? parent.list : parent;
  const kind = parent === holder ? 0 : random(12);
  if (kind < 7) setAt(parent, at, replacement(valueAt(parent, at), random));
  else if (kind === 7) list.splice(at, 1);
  else if (kind === 8) list.splice(random(list.length), 0, list[at]);
  else if (kind === 9) {
    const other = random(list.length);
    const value = valueAt(parent, at);
    setAt(parent, at, valueAt(parent, other));
    setAt(parent, other, value);
  } else if (parent instanceof Members) {
    const value = parent.list[at]![1];
    parent.list[at] = [random(2) === 0 ? oneOf(random, keys) : oneOf(random, parent.list)[0], value];
  } else list.splice(at, 0, ...list.slice(0, 1 + random(list.length)));
}

function valueAt(parent: Json[] | Members, at: number): Json {
  return parent instanceof Members ? parent.list[at]![1] : parent[at]!;
}

function setAt(parent: Json[] | Members, at: number, value: Json): void {
  if (parent instanceof Members) parent.list[at] = [parent.list[at]![0], value];
  else parent[at] = value;
}

function replacement(value: Json, random: Random): Json {
  // Mostly of the same type, so that what is behind the checks of types is reached.
  if (random(2) === 0) {
    if (typeof value === 'number') return new Raw(oneOf(random, [...numbers, `${value + 1}`, `${value - 1}`]));
    if (typeof value === 'string') return oneOf(random, [...texts, `${value}x`, value.slice(1), value.toUpperCase()]);
    if (typeof value === 'boolean') return !value;
  }
  const kind = random(8);
  if (kind < 2) return new Raw(oneOf(random, numbers));
  if (kind < 4) return oneOf(random, texts);
  if (kind === 4) return oneOf(random, [null, true, false]);
  if (kind === 5) return [];
  if (kind === 6) return random(4) === 0 ? new Raw(oneOf(random, deep)) : new Members([]);
  return random(2) === 0 ? [value] : new Members([[oneOf(random, keys), value]]);
}

function write(value: Json): string {
  if (value instanceof Raw) return value.text;
  if (Array.isArray(value)) return `[${value.map(write).join(',')}]`;
  if (value instanceof Members) {
    return `{${value.list.map(([key, inner]) => `${JSON.stringify(key)}:${write(inner)}`).join(',')}}`;
  }
  return JSON.stringify(value);
}
