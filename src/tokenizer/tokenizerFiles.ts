import { QkvError } from '../base/errors.ts';
import { loadTokenizer } from './tokenizer.ts';

/** Special tokens by role, as text. */
export interface SpecialTokenRoles {
  readonly pad?: string;
  readonly bos?: string;
  readonly eos?: string;
  readonly unk?: string;
  readonly cls?: string;
  readonly sep?: string;
  readonly mask?: string;
}

const roles = ['pad', 'bos', 'eos', 'unk', 'cls', 'sep', 'mask'];

export interface TokenizerFilesOptions {
  readonly specialTokens: SpecialTokenRoles;
  /** The longest input that the model takes, in tokens. */
  readonly modelMaxLength: number;
}

/** File name → text, to be written beside `config.json`. */
export type TokenizerFiles = Readonly<
  Record<'tokenizer.json' | 'tokenizer_config.json' | 'special_tokens_map.json', string>
>;

/**
 * The files of a tokenizer in a model folder. `PreTrainedTokenizerFast` makes `AutoTokenizer.from_pretrained(folder)` in
 * Python read `tokenizer.json` alone, whatever the model: the class of Marian models would ask for SentencePiece files.
 *
 * @throws QkvError `tokenizer` when a special token is not in the vocabulary.
 */
export function tokenizerFiles(tokenizerJson: unknown, options: TokenizerFilesOptions): TokenizerFiles {
  const { specialTokens, modelMaxLength } = options;
  if (!Number.isSafeInteger(modelMaxLength) || modelMaxLength < 1) {
    const got = String(modelMaxLength);
    throw new QkvError('usage', { where: 'tokenizerFiles: modelMaxLength', got, expected: 'a positive integer' });
  }
  const map: Record<string, string> = {};
  for (const [role, token] of Object.entries(specialTokens)) {
    if (!roles.includes(role)) {
      throw new QkvError('usage', {
        where: 'tokenizerFiles: specialTokens',
        got: role,
        expected: roles.join(', '),
      });
    }
    if (token !== undefined) map[`${role}_token`] = token;
  }
  const config = {
    tokenizer_class: 'PreTrainedTokenizerFast',
    ...map,
    model_max_length: modelMaxLength,
    clean_up_tokenization_spaces: false,
  };
  loadTokenizer(tokenizerJson, config); // refuses what could not be opened again
  return {
    'tokenizer.json': `${JSON.stringify(tokenizerJson, null, 1)}\n`,
    'tokenizer_config.json': `${JSON.stringify(config, null, 2)}\n`,
    'special_tokens_map.json': `${JSON.stringify(map, null, 2)}\n`,
  };
}
