import type { Model } from '../models/model.ts';
import { classification } from './classification.ts';
import type { EvaluationKind, ModelTask } from './evaluation.ts';
import { type KindName, kindNames } from './kindNames.ts';
import { languageModel } from './languageModel.ts';
import { maskedLanguageModel } from './maskedLanguageModel.ts';
import { minimalPairs } from './minimalPairs.ts';
import { multipleChoice } from './multipleChoice.ts';
import { questionAnswering } from './questionAnswering.ts';
import { sequenceToSequence } from './sequenceToSequence.ts';
import { similarity } from './similarity.ts';
import { tokenClassification } from './tokenClassification.ts';

export const evaluationKinds: Readonly<Record<KindName, EvaluationKind>> = {
  classification,
  'token-classification': tokenClassification,
  'question-answering': questionAnswering,
  'multiple-choice': multipleChoice,
  'sequence-to-sequence': sequenceToSequence,
  'language-model': languageModel,
  'masked-language-model': maskedLanguageModel,
  'minimal-pairs': minimalPairs,
  similarity,
};

export function taskOf(model: Model): ModelTask {
  return model.kind === 'encoder' ? model.head.name : model.kind;
}

/** The kinds that are for a model, its default first. */
export function kindsFor(model: Model): readonly KindName[] {
  const task = taskOf(model);
  const fit = kindNames.filter((name) => evaluationKinds[name].models.includes(task));
  // a head for words and sentences is for words first
  return task === 'pretraining' ? [...fit.filter((name) => name !== 'classification'), 'classification'] : fit;
}
