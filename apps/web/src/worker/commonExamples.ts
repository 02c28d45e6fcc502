import type { Tokenizer } from '../../../../src/tokenizer/tokenizer.ts';
import type { ModelCard, TextInput } from './contract.ts';

/** Texts to begin with, for a model whose folder has none: those that it has words and room for. */
export function commonExamples(
  { kind, maskToken, maxLength }: Pick<ModelCard, 'kind' | 'maskToken' | 'maxLength'>,
  { encode, specialIds }: Tokenizer,
): TextInput[] {
  const fits = ({ text, pair }: TextInput): boolean => {
    try {
      const { ids } = encode(text, pair === undefined ? {} : { pair });
      return ids.length <= maxLength && (specialIds.unk === undefined || !ids.includes(specialIds.unk));
    } catch {
      return false; // a tokenizer without a token for the unknown refuses it
    }
  };
  return textsFor[kind](maskToken).filter(fits);
}

const textsFor: Readonly<Record<ModelCard['kind'], (mask: string | null) => TextInput[]>> = {
  encoder: (mask) => [
    { text: `The animal didn't cross the street because ${mask ?? 'it'} was too tired.` },
    { text: `这只猫没有过马路，因为${mask ?? '它'}太累了。` },
    { text: 'The cat sat on the mat.', pair: 'The cat lay on the rug.' },
  ],
  causal: () => [{ text: 'Once upon a time, there was' }, { text: '从前，有一只小猫' }],
  'encoder-decoder': () => [{ text: 'The cat is sleeping on the table.' }, { text: '今天天气很好。' }],
};
