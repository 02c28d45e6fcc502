import { generate } from '../generate/generate.ts';
import type { GenerateOptions } from '../generate/options.ts';
import { GenerationSession } from '../generate/session.ts';
import type { CausalModel, EncoderDecoderModel, EncoderModel } from '../models/model.ts';
import type { ParameterArena } from '../nn/parameterArena.ts';
import { EncoderSession } from '../predict/session.ts';
import { fillMask } from '../pretrained/fillMask.ts';
import type { LanguageModelRecipe, TranslationEvaluation } from '../recipe/recipe.ts';
import type { Runtime, Tensors } from '../runtime/runtime.ts';
import type { Tokenizer } from '../tokenizer/tokenizer.ts';
import type { Predictor } from './headTask.ts';
import type { Answer } from './instructionTask.ts';
import type { Continue } from './languageModelTask.ts';
import type { Fill } from './maskedLanguageModelTask.ts';
import type { TrainingTask } from './task.ts';
import type { Translate } from './translationTask.ts';

/** A model in training. The weights are those of this step until the promise that was asked for is fulfilled. */
export interface LiveWeights {
  /** Optimizer steps done. */
  readonly step: number;
  readonly runtime: Runtime;
  readonly task: TrainingTask;
  /** By path, to be read only. */
  readonly parameters: Tensors;
}

/*
 * Generation with the weights that are being trained: a session reads them where they are. `arena` is asked for when the
 * first text is generated, since a task is made before the trainer that owns the arena.
 */

/** Sentences that are translated together, of similar length. */
const BATCH = 64;

export interface WritingOptions extends Pick<TranslationEvaluation, 'beam' | 'maxLength'> {
  /** Of beams. */
  readonly lengthPenalty?: number;
  /** Whether special tokens are shown, but for those that begin and end a text. */
  readonly keepsSpecial?: boolean;
}

export function translatorFor(
  runtime: Runtime,
  arena: () => ParameterArena,
  evaluate: WritingOptions,
): (model: EncoderDecoderModel, tokenizer: Tokenizer) => Translate {
  return (model, tokenizer) => {
    let session: GenerationSession | undefined;
    // As the published model's generation_config.json will have it.
    const options: GenerateOptions = {
      maxNewTokens: Math.min(evaluate.maxLength, model.maxLength),
      ...(model.family === 'marian' && { badWordsIds: [[model.padId!]], forcedEosId: model.eosIds[0]! }),
      ...(evaluate.beam > 1 && { numBeams: evaluate.beam, lengthPenalty: evaluate.lengthPenalty ?? 1 }),
    };
    return async (sentences, stop) => {
      session ??= new GenerationSession(runtime, model, arena().tensors);
      const sources = sentences.map((text) => tokenizer.encode(text, { maxLength: model.maxLength }).ids);
      const order = sources.map((_, i) => i).sort((a, b) => sources[a]!.length - sources[b]!.length);
      const translations: string[] = [];
      for (let start = 0; start < order.length; start += BATCH) {
        if (stop.aborted) return undefined;
        const rows = order.slice(start, start + BATCH);
        const results = await generate(
          session,
          rows.map((row) => sources[row]!),
          options,
        );
        for (const [i, row] of rows.entries()) {
          const { ids } = results[i]![0]!;
          translations[row] = evaluate.keepsSpecial
            ? tokenizer.decode(ids.filter((id) => !model.eosIds.includes(id) && id !== tokenizer.specialIds.bos))
            : tokenizer.decode(ids, { skipSpecialTokens: true });
        }
      }
      return translations;
    };
  };
}

export function samplerFor(
  runtime: Runtime,
  arena: () => ParameterArena,
  { seed, evaluate }: LanguageModelRecipe,
): (model: CausalModel, tokenizer: Tokenizer) => Continue {
  return (model, tokenizer) => {
    const prompt = tokenizer.encode(evaluate.prompt, { addSpecialTokens: false }).ids;
    let session: GenerationSession | undefined;
    return async (stop) => {
      session ??= new GenerationSession(runtime, model, arena().tensors);
      const text: number[] = [];
      // A sample longer than the model's context is written in pieces, each with the half of the context before it.
      for (let piece = 0; text.length < evaluate.sampleTokens; piece++) {
        if (stop.aborted) return undefined;
        const context = [...prompt, ...text].slice(-Math.max(1, Math.floor(model.maxLength / 2)));
        const room = model.maxLength - context.length;
        const [results] = await generate(session, [context], {
          sample: true,
          temperature: evaluate.temperature,
          ...(evaluate.topK !== null && { topK: evaluate.topK }),
          maxNewTokens: Math.min(evaluate.sampleTokens - text.length, room),
          seed: seed + piece,
        });
        const { ids, finish } = results![0]!;
        text.push(...ids);
        if (finish === 'end') break;
      }
      return tokenizer.decode(text, { skipSpecialTokens: true });
    };
  };
}

/** Answers prompts, greedily, with the weights in the arena as they are when it is called. */
export function answererFor(
  runtime: Runtime,
  arena: () => ParameterArena,
  maxLength: number,
): (model: CausalModel, tokenizer: Tokenizer) => Answer {
  return (model, tokenizer) => {
    let session: GenerationSession | undefined;
    return async (prompts, stop) => {
      session ??= new GenerationSession(runtime, model, arena().tensors);
      const answers: string[] = [];
      for (const prompt of prompts) {
        if (stop.aborted) return undefined;
        const room = model.maxLength - prompt.length;
        const [results] = await generate(session, [prompt], { maxNewTokens: Math.max(1, Math.min(maxLength, room)) });
        answers.push(tokenizer.decode(results![0]!.ids, { skipSpecialTokens: true }));
      }
      return answers;
    };
  };
}

/** Fills masks with the weights in the arena as they are when it is called. */
export function fillerFor(
  runtime: Runtime,
  arena: () => ParameterArena,
): (model: EncoderModel, tokenizer: Tokenizer) => Fill {
  return (model, tokenizer) => {
    let session: EncoderSession | undefined;
    return async (texts, stop) => {
      session ??= new EncoderSession(runtime, model, arena().tensors);
      if (stop.aborted) return undefined;
      const filled = await fillMask(session, tokenizer, texts, { top: 3 });
      return filled.map(({ masks }, i) => ({
        input: `${texts[i]} → `,
        output: masks
          .map((words) => words.map(({ text, probability }) => `${text} ${probability.toFixed(2)}`).join(', '))
          .join(' | '),
      }));
    };
  };
}

/** Runs an encoder with the weights in the arena as they are when it is called. */
export function predictorFor(runtime: Runtime, arena: () => ParameterArena): Predictor {
  return (model) => {
    let session: EncoderSession | undefined;
    return () => (session ??= new EncoderSession(runtime, model, arena().tensors));
  };
}
