import type { ComponentChildren, JSX } from 'preact';
import { t } from '../../i18n/steps.ts';
import { Formula, type FormulaFacts } from './formulas.tsx';
import type { StageName } from './stages.ts';
import { stages } from './state.ts';

interface Props {
  readonly name: StageName;
  readonly facts: FormulaFacts;
  readonly children: ComponentChildren;
}

export const stageId = (name: StageName): string => `stage-${name}`;

/** One stage: its number and name, its formula, a sentence, and the numbers. */
export function Stage({ name, facts, children }: Props): JSX.Element {
  const number = stages.value.indexOf(name) + 1;
  return (
    <section class="stage" id={stageId(name)} data-stage={name} aria-labelledby={`${stageId(name)}-title`}>
      <div class="stage-head">
        <h3 id={`${stageId(name)}-title`} tabIndex={-1}>
          <span class="stage-number">{number}</span> {t(`stage.${name}`)}
        </h3>
        <Formula stage={name} facts={facts} />
        <p class="muted">{t(`stage.${name}.says`)}</p>
      </div>
      <div class="stage-numbers">{children}</div>
    </section>
  );
}
