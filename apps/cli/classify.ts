import type { Command } from 'commander';
import { QkvError } from '../../src/base/errors.ts';
import type { ClassScore } from '../../src/pretrained/classify.ts';
import { type TextFlags, textCommand } from './encoderCommand.ts';

interface Flags extends TextFlags {
  choice?: string[];
}

type Item = string | readonly [string, string];

export function classifyCommand(): Command {
  return textCommand<Flags, Item, readonly ClassScore[]>({
    argument: ['[TEXT...]', 'a text, or the two of a pair; without any, lines, with a tab between the two of a pair'],
    help: [
      'A line for each text: labels with their probabilities, the most probable first; of a model for numbers the numbers.',
      'With a model of multiple choice, --choice gives the choices.',
      '',
      'Examples:',
      '  qkv classify models/sst2 "A joy from beginning to end."',
      '  qkv classify models/mnli "A man is asleep." "Nobody is awake." --json',
      '  qkv classify models/swag "She opens the door and" --choice "walks in." --choice "is a cat."',
    ],
    addOptions: (command) =>
      command.option('--choice <text>', 'one of two choices or more', (one: string, all: string[] = []) => [
        ...all,
        one,
      ]),
    ofArguments: (words) => {
      const [text, pair, third] = words;
      if (third !== undefined) {
        throw new QkvError('usage', {
          where: 'TEXT',
          got: `${words.length} texts`,
          expected: 'a text, or the two of a pair',
          hint: 'Give more as lines, with --file or on standard input',
        });
      }
      return [pair === undefined ? text! : [text!, pair]];
    },
    ofLine: (line) => {
      const [text, pair, third] = line.split('\t');
      if (third === undefined) return pair === undefined ? text! : [text!, pair];
      throw new QkvError('usage', {
        where: JSON.stringify(line.slice(0, 40)),
        got: 'several tabs',
        expected: 'one at most',
      });
    },
    predict: async ({ session, tokenizer }, items, { choice: choices }, options) => {
      const { choose, classify } = await import('../../src/pretrained/classify.ts');
      if (!choices) return (await classify(session, tokenizer, items, options)).map(({ scores }) => scores);
      const questions = items.map((text) => {
        if (typeof text === 'string') return { text, choices };
        throw new QkvError('usage', { where: '--choice', got: 'a pair of texts', expected: 'one text' });
      });
      const found = await choose(session, tokenizer, questions, options);
      return found.map((row) =>
        row.map((score, i) => ({ label: choices[i]!, score })).sort((a, b) => b.score - a.score),
      );
    },
    text: (scores) => scores.map(({ label, score }) => `${label} ${score.toFixed(4)}`).join('\t'),
    json: (scores, item) => ({
      ...(typeof item === 'string' ? { text: item } : { text: item[0], pair: item[1] }),
      scores,
    }),
  });
}
