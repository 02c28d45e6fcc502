import type { Command } from 'commander';
import type { FilledText } from '../../src/pretrained/fillMask.ts';
import { type TextFlags, textCommand } from './encoderCommand.ts';
import { wholeNumber } from './values.ts';

interface Flags extends TextFlags {
  top: number;
}

export function fillMaskCommand(): Command {
  return textCommand<Flags, string, FilledText>({
    argument: ['[TEXT...]', 'texts with masks; without any, the lines of --file or of standard input'],
    help: [
      'The mask is written as the model has it: [MASK] with BERT, DistilBERT and ALBERT, <mask> with RoBERTa.',
      '',
      'Example:',
      '  qkv fill-mask models/bert-base-uncased "Paris is the [MASK] of France." --top 3',
    ],
    addOptions: (command) => command.option('--top <n>', 'words for each mask', wholeNumber('--top', { min: 1 }), 5),
    ofArguments: (words) => [...words],
    ofLine: (line) => line,
    predict: async ({ session, tokenizer }, texts, { top }, options) => {
      const { fillMask } = await import('../../src/pretrained/fillMask.ts');
      return fillMask(session, tokenizer, texts, { ...options, top });
    },
    text: ({ text, masks }) =>
      [
        text,
        ...masks.map((words) => words.map((word) => `  ${word.probability.toFixed(4)} ${word.text}`).join('\n')),
      ].join('\n'),
    json: (filled, text) => ({ text, filled: filled.text, masks: filled.masks }),
  });
}
