import type { HubOptions } from '../../src/hub/hubSnapshot.node.ts';
import type { HeadName } from '../../src/models/encoderHead.ts';
import type { Pretrained } from '../../src/pretrained/pretrained.ts';
import { Interrupted } from './errors.ts';
import { Progress } from './progress.ts';

/** What every command says of its MODEL. */
export const modelArgument =
  'a model folder, a .gguf file, the output folder of a training run, or org/name[@revision] on the hub';

/** The option of the commands that run a model. */
export const adapterFlag = ['--adapter <folder>', 'merge a LoRA adapter, as PEFT writes it, into MODEL'] as const;

/** Opens a command's MODEL, with an adapter, an encoder with another `head` than its own; a bar on stderr while it comes from the hub. */
export async function openPretrained(
  model: string,
  { head, adapter }: { readonly head?: HeadName | undefined; readonly adapter?: string | undefined } = {},
): Promise<Pretrained> {
  const { openModel } = await import('../../src/pretrained/openModel.node.ts');
  return withHub((options) => openModel(model, { ...options, head, adapter }));
}

/**
 * Calls what may fetch models or data from the hub: draws the progress of each, prints its notes, and on Ctrl-C stops it, which keeps
 * what has arrived for the next time.
 *
 * @throws Interrupted after Ctrl-C
 */
export async function withHub<T>(open: (options: HubOptions) => Promise<T>): Promise<T> {
  const controller = new AbortController();
  const stop = () => controller.abort();
  let bar: Progress | undefined;
  const end = (): void => {
    process.off('SIGINT', stop);
    bar?.[Symbol.dispose]();
    bar = undefined;
  };
  try {
    return await open({
      signal: controller.signal,
      onProgress({ id, done, total }) {
        if (!bar) {
          process.once('SIGINT', stop);
          bar = new Progress(`Fetching ${id}, MB`, megabytes(total));
        }
        bar.update(megabytes(done));
        if (done === total) end();
      },
      onNote: (note) => void process.stderr.write(`note: ${note}\n`),
    });
  } catch (error) {
    throw controller.signal.aborted ? new Interrupted() : error;
  } finally {
    end();
  }
}

const megabytes = (bytes: number): number => Number((bytes / 1e6).toFixed(1));
