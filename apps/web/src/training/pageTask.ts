import { QkvError } from '../../../../src/base/errors.ts';
import { splitText } from '../../../../src/data/lines.ts';
import type { ParameterArena } from '../../../../src/nn/parameterArena.ts';
import type { LanguageModelRecipe, Recipe, TranslationRecipe } from '../../../../src/recipe/recipe.ts';
import type { Runtime } from '../../../../src/runtime/runtime.ts';
import type { TokenizerFiles } from '../../../../src/tokenizer/tokenizerFiles.ts';
import { languageModelTask } from '../../../../src/train/languageModelTask.ts';
import { samplerFor, translatorFor } from '../../../../src/train/liveModel.ts';
import { openRecipeTokenizer, trainRecipeTokenizer } from '../../../../src/train/recipeTokenizer.ts';
import type { TrainingTask } from '../../../../src/train/task.ts';
import { translationTask } from '../../../../src/train/translationTask.ts';
import { wholeText } from '../../../../src/train/wholeText.ts';
import type { TrainingSettings } from './contract.ts';
import { readPairs, readText } from './readTexts.ts';

/** Pairs that are kept for the validation loss. */
const VALIDATION_PAIRS = 200;
/** Characters that a text must have at least, in blocks. */
const LEAST_BLOCKS = 20;

interface TaskParts {
  readonly runtime: Runtime;
  readonly arena: () => ParameterArena;
  /** Those of a run that goes on; learnt from the text where there are none. */
  readonly tokenizerFiles: TokenizerFiles | undefined;
  /** Where the page lies. */
  readonly baseUrl: string;
}

/** What a run in the page trains, on what. @throws QkvError `data` for a text that is too short, `io` for one that cannot be had */
export async function pageTask(
  recipe: LanguageModelRecipe | TranslationRecipe,
  settings: TrainingSettings,
  parts: TaskParts,
): Promise<TrainingTask> {
  const { runtime, arena, baseUrl } = parts;
  if (recipe.task === 'translation') {
    const pairs = await readPairs(baseUrl);
    const [validation, train] = [pairs.slice(0, VALIDATION_PAIRS), pairs.slice(VALIDATION_PAIRS)];
    const texts = train.flatMap(({ source, target }) => [source, target]);
    const files = parts.tokenizerFiles ?? learnTokenizer(recipe, texts, settings);
    const translator = translatorFor(runtime, arena, recipe.evaluate);
    return translationTask(recipe, { train, validation, test: [] }, files, undefined, translator);
  }
  const text = settings.data === 'own' ? settings.ownText : await readText(settings.data, baseUrl);
  const least = LEAST_BLOCKS * settings.block;
  if (text.length < least) {
    throw new QkvError('data', {
      where: 'text',
      got: `${text.length} characters`,
      expected: `at least ${least}, ${LEAST_BLOCKS} blocks of ${settings.block}`,
      hint: 'Take a longer text, or shorter blocks',
    });
  }
  const { train, validation } = splitText(text, 0.1);
  const files = parts.tokenizerFiles ?? learnTokenizer(recipe, [train], settings);
  const tokenizer = openRecipeTokenizer(recipe, files);
  const encode = (of: string): readonly number[] => tokenizer.encode(of, { addSpecialTokens: false }).ids;
  const options = { seed: recipe.seed, unit: 'text', encode, where: 'text' } as const;
  const corpora = { train: await wholeText(train, options), validation: await wholeText(validation, options) };
  const given = { tokenizer, files, corpora, start: undefined };
  return languageModelTask(recipe, given, samplerFor(runtime, arena, recipe));
}

function learnTokenizer(recipe: Recipe, texts: readonly string[], { block }: TrainingSettings): TokenizerFiles {
  const { tokenizer } = recipe;
  if (tokenizer.kind === 'file' || tokenizer.kind === 'model')
    throw new Error('qkv defect: a tokenizer from elsewhere');
  return trainRecipeTokenizer(recipe, tokenizer, texts, block);
}

/** The text whose attention is watched, and its translation. */
export function watchedText({ data, ownText, block }: TrainingSettings): {
  readonly text: string;
  readonly target?: string;
} {
  switch (data) {
    case 'shakespeare':
      return { text: 'To be, or not to be' };
    case 'poems':
      return { text: '五言绝句：白日依山盡，黃河入海流。' };
    case 'translation':
      return { text: 'I like to read books.', target: '我喜欢看书。' };
    case 'own':
      return { text: [...ownText.trim()].slice(0, Math.min(20, block)).join('') };
  }
}
