import { QkvError } from '../../src/base/errors.ts';
import type { Inspection } from '../../src/inspect/inspection.ts';
import type { Reading } from '../../src/inspect/reading.ts';
import type { Tokenizer } from '../../src/tokenizer/tokenizer.ts';
import { openPretrained } from './openPretrained.ts';
import { openRunning, requireTokenizer } from './openRunning.ts';
import { readTexts } from './readTexts.ts';
import { tokenText } from './tokenText.ts';

/** A model of any kind, opened for inspection. */
export interface OpenInspection extends AsyncDisposable {
  readonly inspection: Inspection;
  readonly tokenizer: Tokenizer;
  /** A text as the model reads it; of an encoder-decoder model with its own translation where no target is given. Errors name `where`. */
  read(
    text: string,
    more: { readonly target?: string | undefined; readonly pair?: string | undefined; readonly where?: string },
  ): Promise<Reading>;
  textOf(id: number): string;
}

export async function openInspection(path: string, adapter: string | undefined): Promise<OpenInspection> {
  const { Inspection } = await import('../../src/inspect/inspection.ts');
  const pretrained = await openPretrained(path, { adapter });
  const { model, arena } = pretrained;
  const tokenizer = requireTokenizer(pretrained);
  const textOf = (id: number): string => tokenText(tokenizer, id);
  if (model.kind !== 'encoder') {
    const running = await openRunning(path, { adapter, pretrained });
    const inspection = new Inspection(running.session);
    return {
      inspection,
      tokenizer,
      textOf,
      async read(text, { target, pair, where }) {
        refuse('--pair', pair, 'an encoder');
        const { sourceIds, targetIds } = await readTexts(running, text, target, where);
        const { readingOf } = await import('../../src/inspect/reading.ts');
        return readingOf(model, sourceIds, targetIds);
      },
      async [Symbol.asyncDispose]() {
        inspection[Symbol.dispose]();
        await running[Symbol.asyncDispose]();
      },
    };
  }
  const { createNodeRuntime } = await import('../../src/runtime/node/node.ts');
  const { encodeTexts } = await import('../../src/pretrained/encodeTexts.ts');
  const runtime = await createNodeRuntime({});
  const inspection = new Inspection({ runtime, model, parameters: arena.tensors });
  return {
    inspection,
    tokenizer,
    textOf,
    async read(text, { target, pair, where }) {
      refuse('--target', target, 'an encoder-decoder model');
      const given = pair === undefined ? text : ([text, pair] as const);
      const [encoded] = encodeTexts(model, tokenizer.encode, [given], { nameOf: () => where ?? 'TEXT' });
      const { ids, segments = [] } = encoded!;
      return { ids, ...(model.segments > 1 && { segments }) };
    },
    async [Symbol.asyncDispose]() {
      inspection[Symbol.dispose]();
      await runtime[Symbol.asyncDispose]();
    },
  };
}

function refuse(flag: string, value: string | undefined, kind: string): void {
  if (value === undefined) return;
  throw new QkvError('usage', { where: flag, got: 'a model of another kind', expected: kind });
}
