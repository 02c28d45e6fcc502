import { brief } from '../base/brief.ts';
import { QkvError } from '../base/errors.ts';
import { decodeUtf8 } from './utf8.ts';

/** `module.name`, as a pickle names a Python class or function. */
export class PickleGlobal {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

/** Python's tuple; its list is a JavaScript array, its dict (and OrderedDict) a Map. */
export class PickleTuple {
  readonly items: readonly PickleValue[];
  constructor(items: readonly PickleValue[]) {
    this.items = items;
  }
}

/** What `persistentLoad` or a constructor made: opaque to the interpreter. */
export abstract class PickleObject {
  abstract readonly kind: string;
}

export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | PickleGlobal
  | PickleTuple
  | PickleValue[]
  | Map<string | number, PickleValue>
  | PickleObject;

export interface PickleRules {
  /** The globals that may be named. Those with a function may be called with a tuple of arguments. */
  readonly globals: ReadonlyMap<string, ((args: readonly PickleValue[]) => PickleValue) | null>;
  persistentLoad(id: PickleValue): PickleValue;
  readonly where: string;
}

/** The bytes end before the pickle does. */
export class PickleTooShort extends Error {}

const maxMarks = 1000;

/**
 * Evaluates one pickle at `start` and returns its value and where it ends. Only the operators that protocols 2 to 5 use for
 * plain data, for references to storages and for calls of the rules' globals are known; nothing else is done, so a pickle
 * can neither import nor call anything. Memory is in proportion to the bytes. Throws `QkvError('checkpoint')` for an
 * operator or a global that is not known, by its name, and `PickleTooShort` where the bytes end too early.
 *
 * Operators: https://github.com/python/cpython/blob/main/Lib/pickletools.py
 */
export function readPickle(bytes: Uint8Array, start: number, rules: PickleRules): { value: PickleValue; end: number } {
  return new Interpreter(bytes, start, rules).run();
}

export function pickleFault(where: string, got: string, expected: string): QkvError {
  return new QkvError('checkpoint', {
    where,
    got,
    expected,
    hint: 'Only files that hold tensors and nothing else are read; nothing in them is ever executed',
  });
}

/** A short text for messages. */
export function describe(value: PickleValue): string {
  if (value instanceof PickleGlobal) return value.name;
  if (value instanceof PickleTuple) return `a tuple of ${value.items.length}`;
  if (value instanceof Map) return `a dict of ${value.size}`;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (value instanceof PickleObject) return value.kind;
  if (typeof value === 'string') return brief(value);
  return value === null ? 'None' : String(value);
}

class Interpreter {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #rules: PickleRules;
  #at: number;
  readonly #stack: PickleValue[] = [];
  readonly #marks: number[] = [];
  readonly #memo = new Map<number, PickleValue>();

  constructor(bytes: Uint8Array, start: number, rules: PickleRules) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#at = start;
    this.#rules = rules;
  }

  run(): { value: PickleValue; end: number } {
    for (;;) {
      const op = this.#bytes[this.#take(1)]!;
      if (op === 0x2e) {
        const value = this.#pop();
        if (this.#stack.length > 0 || this.#marks.length > 0)
          throw this.#fault('values that are left over', 'one value');
        return { value, end: this.#at };
      }
      this.#step(op);
    }
  }

  #step(op: number): void {
    switch (op) {
      case 0x80: {
        const protocol = this.#byte();
        if (protocol < 2 || protocol > 5) throw this.#fault(`protocol ${protocol}`, 'protocol 2 to 5');
        return;
      }
      case 0x95: // FRAME: how many bytes follow, of no use here
        this.#take(8);
        return;
      case 0x28: // MARK
        if (this.#marks.length >= maxMarks) throw this.#fault(`${maxMarks} levels`, 'a state dict');
        this.#marks.push(this.#stack.length);
        return;
      case 0x30: // POP
        this.#pop();
        return;
      case 0x4e:
        this.#push(null);
        return;
      case 0x88:
        this.#push(true);
        return;
      case 0x89:
        this.#push(false);
        return;
      case 0x4a: // BININT
        this.#push(this.#view.getInt32(this.#take(4), true));
        return;
      case 0x4b: // BININT1
        this.#push(this.#byte());
        return;
      case 0x4d: // BININT2
        this.#push(this.#view.getUint16(this.#take(2), true));
        return;
      case 0x8a: // LONG1
        this.#push(this.#long(this.#byte()));
        return;
      case 0x47: // BINFLOAT
        this.#push(this.#view.getFloat64(this.#take(8), false));
        return;
      case 0x58: // BINUNICODE
      case 0x54: // BINSTRING, of Python 2
        this.#push(this.#text(this.#view.getUint32(this.#take(4), true)));
        return;
      case 0x8c: // SHORT_BINUNICODE
      case 0x55: // SHORT_BINSTRING, of Python 2
        this.#push(this.#text(this.#byte()));
        return;
      case 0x5d: // EMPTY_LIST
        this.#push([]);
        return;
      case 0x7d: // EMPTY_DICT
        this.#push(new Map());
        return;
      case 0x29: // EMPTY_TUPLE
        this.#push(new PickleTuple([]));
        return;
      case 0x74: // TUPLE
        this.#push(new PickleTuple(this.#popMark()));
        return;
      case 0x85: // TUPLE1 to TUPLE3
      case 0x86:
      case 0x87: {
        const items: PickleValue[] = [];
        for (let i = 0; i < op - 0x84; i++) items.unshift(this.#pop());
        this.#push(new PickleTuple(items));
        return;
      }
      case 0x61: // APPEND
        this.#append([this.#pop()]);
        return;
      case 0x65: // APPENDS
        this.#append(this.#popMark());
        return;
      case 0x73: {
        const value = this.#pop();
        this.#setItems([this.#pop(), value]);
        return;
      }
      case 0x75: // SETITEMS
        this.#setItems(this.#popMark());
        return;
      case 0x71: // BINPUT
        this.#put(this.#byte());
        return;
      case 0x72: // LONG_BINPUT
        this.#put(this.#view.getUint32(this.#take(4), true));
        return;
      case 0x94: // MEMOIZE
        this.#put(this.#memo.size);
        return;
      case 0x68: // BINGET
        this.#get(this.#byte());
        return;
      case 0x6a: // LONG_BINGET
        this.#get(this.#view.getUint32(this.#take(4), true));
        return;
      case 0x63: {
        // GLOBAL
        const module = this.#line();
        this.#global(module, this.#line());
        return;
      }
      case 0x93: {
        // STACK_GLOBAL
        const name = this.#pop();
        const module = this.#pop();
        if (typeof module !== 'string' || typeof name !== 'string') throw this.#fault('a nameless global', 'a name');
        this.#global(module, name);
        return;
      }
      case 0x52: // REDUCE
      case 0x81: {
        // NEWOBJ
        const args = this.#pop();
        const callee = this.#pop();
        if (!(args instanceof PickleTuple)) throw this.#fault(`a call with ${describe(args)}`, 'a tuple of arguments');
        const call = callee instanceof PickleGlobal ? this.#rules.globals.get(callee.name) : undefined;
        if (!call) throw this.#fault(`a call of ${describe(callee)}`, 'calls that rebuild tensors');
        this.#push(call(args.items));
        return;
      }
      case 0x62: {
        // BUILD: attributes of a dict (`_metadata`: versions of modules) do not bear on its tensors
        const state = this.#pop();
        const target = this.#stack[this.#stack.length - 1];
        if (!(target instanceof Map) || !(state instanceof Map)) {
          throw this.#fault(
            `a state for ${target === undefined ? 'nothing' : describe(target)}`,
            'attributes of a dict',
          );
        }
        return;
      }
      case 0x51: // BINPERSID
        this.#push(this.#rules.persistentLoad(this.#pop()));
        return;
      default:
        throw this.#fault(`operator 0x${op.toString(16).padStart(2, '0')}`, 'operators that state dicts need');
    }
  }

  #take(count: number): number {
    const at = this.#at;
    if (at + count > this.#bytes.length) throw new PickleTooShort();
    this.#at += count;
    return at;
  }

  #byte(): number {
    return this.#bytes[this.#take(1)]!;
  }

  #text(length: number): string {
    const at = this.#take(length);
    try {
      return decodeUtf8(this.#bytes.subarray(at, at + length));
    } catch {
      throw this.#fault('a string that is not UTF-8', 'text');
    }
  }

  #line(): string {
    const end = this.#bytes.indexOf(0x0a, this.#at);
    if (end < 0 && this.#bytes.length - this.#at <= 1000) throw new PickleTooShort();
    if (end < 0 || end - this.#at > 1000) throw this.#fault('a name of over 1000 bytes', 'the name of a global');
    const text = this.#text(end - this.#at);
    this.#at += 1;
    return text;
  }

  /** Two's complement, little-endian. */
  #long(length: number): number | bigint {
    const at = this.#take(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(this.#bytes[at + i]!);
    if (length > 0 && this.#bytes[at + length - 1]! >= 0x80) value -= 1n << BigInt(8 * length);
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }

  #push(value: PickleValue): void {
    this.#stack.push(value);
  }

  #pop(): PickleValue {
    const floor = this.#marks[this.#marks.length - 1] ?? 0;
    if (this.#stack.length <= floor) throw this.#fault('an operator without its operands', 'a value before it');
    return this.#stack.pop()!;
  }

  #popMark(): PickleValue[] {
    const mark = this.#marks.pop();
    if (mark === undefined) throw this.#fault('the end of a group', 'its begin before it');
    return this.#stack.splice(mark);
  }

  #top(): PickleValue {
    const value = this.#pop();
    this.#stack.push(value);
    return value;
  }

  #append(items: readonly PickleValue[]): void {
    const list = this.#top();
    if (!Array.isArray(list)) throw this.#fault(`items for ${describe(list)}`, 'a list');
    for (const item of items) list.push(item);
  }

  #setItems(items: readonly PickleValue[]): void {
    const dict = this.#top();
    if (!(dict instanceof Map) || items.length % 2 !== 0) throw this.#fault(`items for ${describe(dict)}`, 'a dict');
    for (let i = 0; i < items.length; i += 2) {
      const key = items[i]!;
      if (typeof key !== 'string' && typeof key !== 'number')
        throw this.#fault(`key ${describe(key)}`, 'text or a number');
      if (dict.has(key)) throw this.#fault(`key ${describe(key)} twice`, 'every key once');
      dict.set(key, items[i + 1]!);
    }
  }

  #put(index: number): void {
    this.#memo.set(index, this.#top());
  }

  #get(index: number): void {
    const value = this.#memo.get(index);
    if (value === undefined) throw this.#fault(`memo ${index}, which is empty`, 'a value stored before');
    this.#push(value);
  }

  #global(module: string, name: string): void {
    const full = `${module}.${name}`;
    if (!this.#rules.globals.has(full)) throw this.#fault(`the global ${describe(full)}`, 'globals that tensors need');
    this.#push(new PickleGlobal(full));
  }

  #fault(got: string, expected: string): QkvError {
    return pickleFault(`${this.#rules.where}: pickle, byte ${this.#at}`, got, expected);
  }
}
