import type { Command } from 'commander';

export interface CommandEntry {
  /** One line for `qkv --help`. */
  readonly summary: string;
  readonly load: () => Promise<Command>;
}

/** All commands, in the order in which help lists them. */
export const commands: Readonly<Record<string, CommandEntry>> = {
  train: {
    summary: 'train a model by a recipe',
    load: async () => (await import('./train.ts')).trainCommand(),
  },
  translate: {
    summary: 'translate sentences',
    load: async () => (await import('./translate.ts')).translateCommand(),
  },
  generate: {
    summary: 'continue a text',
    load: async () => (await import('./generate.ts')).generateCommand(),
  },
  chat: {
    summary: 'talk with a model that has a chat template',
    load: async () => (await import('./chat.ts')).chatCommand(),
  },
  embed: {
    summary: 'a vector for each text',
    load: async () => (await import('./embed.ts')).embedCommand(),
  },
  'fill-mask': {
    summary: 'the words that a mask may stand for',
    load: async () => (await import('./fillMask.ts')).fillMaskCommand(),
  },
  classify: {
    summary: 'what a text is, or a pair of texts',
    load: async () => (await import('./classify.ts')).classifyCommand(),
  },
  tag: {
    summary: 'a label for each word of a text',
    load: async () => (await import('./tag.ts')).tagCommand(),
  },
  answer: {
    summary: 'find the answer to a question in a text',
    load: async () => (await import('./answer.ts')).answerCommand(),
  },
  look: {
    summary: 'look inside a model: the page, or its attention as a picture',
    load: async () => (await import('./look.ts')).lookCommand(),
  },
  inspect: {
    summary: 'look inside: predictions, lenses, attribution, any value',
    load: async () => (await import('./inspect.ts')).inspectCommand(),
  },
  curves: {
    summary: 'validation losses of runs, side by side',
    load: async () => (await import('./curves.ts')).curvesCommand(),
  },
  why: {
    summary: 'why attention is as it is: small experiments',
    load: async () => (await import('./why.ts')).whyCommand(),
  },
  eval: {
    summary: 'measure a model on data, with the metrics of its task',
    load: async () => (await import('./eval.ts')).evalCommand(),
  },
  convert: {
    summary: 'write a model as a Hugging Face folder',
    load: async () => (await import('./convert.ts')).convertCommand(),
  },
  export: {
    summary: 'write a model as ONNX, for ONNX Runtime and transformers.js',
    load: async () => (await import('./export.ts')).exportCommand(),
  },
  check: {
    summary: "prove that a model gives the reference's numbers",
    load: async () => (await import('./check.ts')).checkCommand(),
  },
  tokenizer: {
    summary: 'train a tokenizer, encode and decode with one',
    load: async () => (await import('./tokenizer.ts')).tokenizerCommand(),
  },
  doctor: {
    summary: 'check that everything that qkv needs works here',
    load: async () => (await import('./doctor.ts')).doctorCommand(),
  },
  bench: {
    summary: 'where the benchmarks are',
    load: async () => (await import('./bench.ts')).benchCommand(),
  },
};
