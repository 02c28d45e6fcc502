import { availableParallelism } from 'node:os';
import { QkvError } from '../../src/base/errors.ts';
import type { GenerateOptions } from '../../src/generate/options.ts';
import type { GenerationSession } from '../../src/generate/session.ts';
import type { Pretrained } from '../../src/pretrained/pretrained.ts';
import type { Runtime } from '../../src/runtime/runtime.ts';
import type { Tokenizer } from '../../src/tokenizer/tokenizer.ts';
import { openPretrained } from './openPretrained.ts';

/** A model, opened and ready to run on ONNX Runtime. */
export interface RunningModel extends AsyncDisposable {
  readonly pretrained: Pretrained;
  readonly tokenizer: Tokenizer;
  readonly runtime: Runtime;
  readonly session: GenerationSession;
  /** How the model generates when nothing else is said. */
  readonly defaults: GenerateOptions;
}

/**
 * `pretrained`: what is open already. `isMany`: there are many texts, which engine threads side by side are best for; else all threads work on one.
 *
 * @throws QkvError where there is no such model, or it has no tokenizer.
 */
export async function openRunning(
  name: string,
  {
    isMany = false,
    adapter,
    pretrained: opened,
  }: { readonly isMany?: boolean; readonly adapter?: string | undefined; readonly pretrained?: Pretrained } = {},
): Promise<RunningModel> {
  const [pretrained, { GenerationSession }, { createNodeRuntime }, { generationDefaults }] = await Promise.all([
    opened ?? openPretrained(name, { adapter }),
    import('../../src/generate/session.ts'),
    import('../../src/runtime/node/node.ts'),
    import('../../src/pretrained/generationDefaults.ts'),
  ]);
  const { model, arena } = pretrained;
  const tokenizer = requireTokenizer(pretrained);
  const defaults = generationDefaults(model, pretrained.generationConfig);
  const runtime = await createNodeRuntime(isMany ? { lanes: availableParallelism(), threads: 1 } : {});
  const session = new GenerationSession(runtime, model, arena.tensors);
  return {
    pretrained,
    tokenizer,
    runtime,
    session,
    defaults,
    async [Symbol.asyncDispose]() {
      session[Symbol.dispose]();
      await runtime[Symbol.asyncDispose]();
    },
  };
}

/** @throws QkvError `tokenizer` for a model without one */
export function requireTokenizer({ tokenizer, location }: Pretrained): Tokenizer {
  if (tokenizer) return tokenizer;
  throw new QkvError('tokenizer', {
    where: location,
    got: 'no tokenizer.json',
    expected: 'one beside config.json, to turn text into tokens',
    hint: 'AutoTokenizer.from_pretrained(…).save_pretrained(FOLDER) in Python writes one',
  });
}

/** Refuses a model of the other kind, and says which command is for it. */
export function requireKind(running: RunningModel, kind: 'causal' | 'encoder-decoder', command: string): void {
  const { model } = running.pretrained;
  if (model.kind === kind) return;
  const does = model.kind === 'causal' ? 'continues a text' : 'makes a target of a source';
  throw new QkvError('usage', {
    where: `qkv ${command}`,
    got: `a ${model.family} model, which ${does}`,
    expected: kind === 'causal' ? 'a model that continues a text' : 'an encoder-decoder model',
    hint: `For this model: qkv ${model.kind === 'causal' ? 'generate' : 'translate'}`,
  });
}
