import type { Command } from 'commander';
import type { TaggedWord } from '../../src/pretrained/tag.ts';
import { type TextFlags, textCommand } from './encoderCommand.ts';

export function tagCommand(): Command {
  return textCommand<TextFlags, string, TaggedWord[]>({
    argument: ['[TEXT...]', 'texts; without any, the lines of --file or of standard input'],
    help: [
      'A line for each word: the word, its label (of its first token) and the probability; an empty line after each text.',
      '',
      'Example:',
      '  qkv tag models/bert-ner "Ada Lovelace was born in London."',
    ],
    ofArguments: (words) => [...words],
    ofLine: (line) => line,
    predict: async ({ session, tokenizer }, texts, _, options) => {
      const { tag } = await import('../../src/pretrained/tag.ts');
      return tag(session, tokenizer, texts, options);
    },
    text: (words) =>
      words.map(({ word, label, probability }) => `${word}\t${label}\t${probability.toFixed(4)}\n`).join(''),
    json: (words, text) => ({ text, words }),
  });
}
