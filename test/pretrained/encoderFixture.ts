import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { nodeStorage } from '../../src/checkpoint/storage.node.ts';
import type { HeadName } from '../../src/models/encoderHead.ts';
import { EncoderSession } from '../../src/predict/session.ts';
import { openTokenizer } from '../../src/pretrained/openTokenizer.ts';
import { loadPretrained } from '../../src/pretrained/pretrained.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import type { Tokenizer } from '../../src/tokenizer/tokenizer.ts';

export const fixtures: string = join(import.meta.dirname, '../../fixtures');

interface Scored {
  readonly id: number;
  readonly text: string;
  readonly probability: number;
}

interface Span {
  readonly start: number;
  readonly end: number;
}

/** What fixtures/encoders/make.py wrote. */
export interface Expected {
  readonly texts: readonly string[];
  readonly pairs: readonly (readonly [string, string])[];
  readonly choices: readonly { readonly text: string; readonly choices: readonly string[] }[];
  readonly questions: readonly { readonly question: string; readonly context: string }[];
  readonly sentence: Readonly<Record<string, readonly (readonly number[])[]>>;
  readonly fillMask: Readonly<
    Record<string, readonly { readonly text: string; readonly masks: readonly Scored[][] }[]>
  >;
  readonly classify: Readonly<Record<string, readonly unknown[]>>;
  readonly tag: readonly (readonly (Span & { word: string; label: string; probability: number })[])[];
  readonly choose: readonly (readonly number[])[];
  readonly answer: readonly {
    readonly pieces: number;
    readonly none: number;
    readonly answers: readonly (Span & { text: string; score: number })[];
  }[];
}

export function readExpected(): Expected {
  return JSON.parse(readFileSync(join(fixtures, 'encoders/expected.json'), 'utf8')) as Expected;
}

export interface OpenedEncoder extends Disposable {
  readonly session: EncoderSession;
  readonly tokenizer: Tokenizer;
}

/** A model of fixtures/ with a tokenizer of fixtures/encoders; `config` in place of fields of its config.json. */
export async function openEncoder(
  runtime: Runtime,
  folder: string,
  { tokenizer = 'bert', head, config = {} }: { tokenizer?: 'bert' | 'roberta'; head?: HeadName; config?: object } = {},
): Promise<OpenedEncoder> {
  const storage = nodeStorage(join(fixtures, folder));
  const changed = new TextEncoder().encode(
    JSON.stringify({ ...JSON.parse(readFileSync(join(fixtures, folder, 'config.json'), 'utf8')), ...config }),
  );
  const { model, arena } = await loadPretrained(
    {
      ...storage,
      size: async (name) => (name === 'config.json' ? changed.length : storage.size(name)),
      read: async (name, from, length) => (name === 'config.json' ? changed : storage.read(name, from, length)),
    },
    { head },
  );
  const session = new EncoderSession(runtime, model, arena.tensors);
  return {
    session,
    tokenizer: (await openTokenizer(nodeStorage(join(fixtures, 'encoders', tokenizer)), model.config))!,
    [Symbol.dispose]: () => session[Symbol.dispose](),
  };
}
