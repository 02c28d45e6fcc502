import { QkvError, unreachable } from '../base/errors.ts';
import type { Recipe, TokenizerRecipe } from '../recipe/recipe.ts';
import { loadTokenizer, type Tokenizer } from '../tokenizer/tokenizer.ts';
import { type SpecialTokenRoles, type TokenizerFiles, tokenizerFiles } from '../tokenizer/tokenizerFiles.ts';
import { type TrainBpeOptions, trainBpe } from '../tokenizer/trainBpe.ts';

export type TrainedTokenizerRecipe = Exclude<TokenizerRecipe, { readonly kind: 'file' | 'model' }>;

/**
 * Learns a recipe's tokenizer from its training texts. Translation has an end token behind every text and a padding
 * token; Marian starts its decoder from the latter, the original Transformer from `<s>`. A language model over
 * characters has no special token but, where characters may be left out, the unknown one. Encoders have BERT's tokens.
 */
export function trainRecipeTokenizer(
  recipe: Recipe,
  tokenizer: TrainedTokenizerRecipe,
  texts: Iterable<string>,
  modelMaxLength: number,
): TokenizerFiles {
  const roles = specialTokens(recipe, tokenizer);
  const json = trainBpe(texts, {
    ...trainingOptions(tokenizer),
    specialTokens: [...Object.values(roles), ...sentinels(recipe)],
    ...(roles.unk !== undefined && { unk: roles.unk }),
    ...around(recipe, roles),
  });
  return tokenizerFiles(json, {
    // in GPT-2 one token ends a text and begins the next
    specialTokens: roles.eos === GPT2_END ? { ...roles, bos: GPT2_END } : roles,
    modelMaxLength,
  });
}

const GPT2_END = '<|endoftext|>';

function specialTokens(recipe: Recipe, tokenizer: TrainedTokenizerRecipe): SpecialTokenRoles {
  const hasUnknown =
    tokenizer.kind === 'bpe' ||
    (tokenizer.kind === 'char' &&
      (recipe.task !== 'language-model' || tokenizer.limitAlphabet !== null || tokenizer.minFrequency > 1));
  const unk = hasUnknown ? { unk: '<unk>' } : {};
  if (recipe.task === 'language-model') {
    const ends = tokenizer.kind === 'byte-bpe' || recipe.data.format === 'documents';
    return { ...(ends && { eos: GPT2_END }), ...unk };
  }
  if (recipe.task === 'instruction') return { pad: '<pad>', eos: GPT2_END, ...unk };
  if (recipe.task === 'denoising') {
    if (recipe.objective.kind === 'denoising') {
      return { bos: '<s>', pad: '<pad>', eos: '</s>', ...unk, mask: '<mask>' }; // BART's order
    }
    return { pad: '<pad>', eos: '</s>', ...unk }; // T5's
  }
  if (recipe.task !== 'translation') {
    // RoBERTa's tokens in fairseq's order, whose padding has the id 1; else BERT's
    if (recipe.model.family === 'roberta') return { bos: '<s>', pad: '<pad>', eos: '</s>', ...unk, mask: '<mask>' };
    return { pad: '[PAD]', ...(hasUnknown && { unk: '[UNK]' }), cls: '[CLS]', sep: '[SEP]', mask: '[MASK]' };
  }
  // Marian's vocabularies have </s> as 0 and <unk> as 1
  if (recipe.model.family === 'marian') return { eos: '</s>', ...unk, pad: '<pad>' };
  return { pad: '<pad>', bos: '<s>', eos: '</s>', ...unk };
}

/** T5's, whose ids count down to the last of them: `<extra_id_99>` … `<extra_id_0>`. */
function sentinels(recipe: Recipe): string[] {
  const isNeeded = recipe.task === 'denoising' && recipe.objective.kind === 'span-corruption';
  return isNeeded ? Array.from({ length: SENTINELS }, (_, i) => `<extra_id_${SENTINELS - 1 - i}>`) : [];
}
const SENTINELS = 100;

/** What stands around each text. */
function around(recipe: Recipe, roles: SpecialTokenRoles): Pick<TrainBpeOptions, 'around'> {
  if (recipe.task === 'language-model' || recipe.task === 'instruction') return {};
  if (recipe.task === 'translation') return { around: { after: roles.eos! } };
  const before = roles.cls ?? roles.bos;
  return { around: { ...(before !== undefined && { before }), after: (roles.sep ?? roles.eos)! } };
}

function trainingOptions(tokenizer: TrainedTokenizerRecipe): TrainBpeOptions {
  const { minFrequency } = tokenizer;
  switch (tokenizer.kind) {
    case 'byte-bpe':
      return { kind: 'byte', vocabSize: tokenizer.vocabSize, minFrequency };
    case 'bpe':
    case 'char':
      return {
        kind: tokenizer.kind === 'bpe' ? 'word' : 'char',
        minFrequency,
        ...(tokenizer.kind === 'bpe' && { vocabSize: tokenizer.vocabSize }),
        ...(tokenizer.limitAlphabet !== null && { limitAlphabet: tokenizer.limitAlphabet }),
      };
    default:
      return unreachable(tokenizer);
  }
}

/** Opens the files of a tokenizer and checks that it does what the task needs of it. */
export function openRecipeTokenizer(recipe: Recipe, files: TokenizerFiles): Tokenizer {
  const tokenizer = loadTokenizer(JSON.parse(files['tokenizer.json']), JSON.parse(files['tokenizer_config.json']));
  if (recipe.task !== 'translation') return tokenizer;
  const { eos } = tokenizer.specialIds;
  const last = tokenizer.encode('a').ids.at(-1);
  if (eos === undefined || last !== eos) {
    throw new QkvError('tokenizer', {
      where: 'tokenizer.json: post_processor',
      got: 'texts that do not end with the eos token',
      expected: 'one that puts it behind every text: a translation has to end',
    });
  }
  return tokenizer;
}

/** The files of an existing tokenizer, its `tokenizer_config.json` telling the roles of the special tokens. */
export function existingTokenizerFiles(json: unknown, config: unknown, maxLength: number): TokenizerFiles {
  const tokenizer = loadTokenizer(json, config);
  const roles: Record<string, string> = {};
  for (const [role, id] of Object.entries(tokenizer.specialIds)) {
    const token = tokenizer.idToToken(id);
    if (token !== undefined) roles[role] = token;
  }
  return tokenizerFiles(json, { specialTokens: roles, modelMaxLength: maxLength });
}
