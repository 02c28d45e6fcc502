import type { ComponentType } from 'preact';
import { t as attention } from '../i18n/attention.ts';
import { t } from '../i18n/shell.ts';
import type { ModelCard } from '../worker/contract.ts';

/** A part of the page with a tab of its own. Its code is loaded when it is opened first. */
export interface View {
  /** Its name in the page's address. */
  readonly name: string;
  readonly label: () => string;
  readonly load: () => Promise<{ readonly default: ComponentType }>;
  /** False: shown without a model, and without the text fields above. */
  readonly needsModel: boolean;
  /** Models that it has something to show of. Default: all. */
  readonly suits?: (card: ModelCard) => boolean;
  /** Its keys for the help: `['←  →', 'the head before, after']`. */
  readonly keys?: () => readonly (readonly [keys: string, what: string])[];
}

/** A view is one line here, a component in `views/<name>/`, and its texts in `i18n/<name>.ts`. */
export const views: readonly View[] = [
  {
    name: 'attention',
    label: () => t('view.attention'),
    load: () => import('./attention/AttentionView.tsx'),
    needsModel: true,
    keys: () => [
      ['↑  ↓  ←  →', attention('key.grid')],
      ['Enter', attention('key.enter')],
      ['x', attention('key.x')],
      ['h', attention('key.h')],
    ],
  },
  {
    name: 'steps',
    label: () => t('view.steps'),
    load: () => import('./steps/StepsView.tsx'),
    needsModel: true,
    keys: () => [['←  →', t('key.stage')]],
  },
  {
    name: 'predict',
    label: () => t('view.predict'),
    load: () => import('./predict/PredictView.tsx'),
    needsModel: true,
  },
  {
    name: 'train',
    label: () => t('view.train'),
    load: () => import('./train/TrainView.tsx'),
    needsModel: false,
  },
  {
    name: 'why',
    label: () => t('view.why'),
    load: () => import('./why/WhyView.tsx'),
    needsModel: false,
  },
];
