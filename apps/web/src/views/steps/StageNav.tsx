import type { JSX } from 'preact';
import { t } from '../../i18n/steps.ts';
import { Button } from '../../ui/Button.tsx';
import { goTo, next, previous } from './goTo.ts';
import { show, stage, stages } from './state.ts';

/** The stages as a list to jump in, and the way to the next and the one before. */
export function StageNav(): JSX.Element {
  const all = stages.value;
  const at = all.indexOf(stage.value);
  return (
    <nav class="stage-nav" aria-label={t('sequence')}>
      <div class="stage-walk">
        <Button kind="icon" label={t('previous')} isDisabled={at <= 0} onClick={previous}>
          ↑
        </Button>
        <span class="muted small">{t('stage.of', { number: at + 1, count: all.length })}</span>
        <Button kind="icon" label={t('next')} isDisabled={at === all.length - 1} onClick={next}>
          ↓
        </Button>
      </div>
      <ol>
        {all.map((name, i) => (
          <li key={name}>
            <button type="button" aria-current={name === stage.value ? 'step' : undefined} onClick={() => goTo(name)}>
              <span class="stage-number">{i + 1}</span> {t(`stage.${name}`)}
            </button>
          </li>
        ))}
      </ol>
      {/* biome-ignore lint/a11y/useSemanticElements: two buttons, no form */}
      <div class="stage-show" role="group" aria-label={t('show')}>
        {(['all', 'one'] as const).map((value) => (
          <Button key={value} kind="plain" isPressed={show.value === value} onClick={() => (show.value = value)}>
            {t(`show.${value}`)}
          </Button>
        ))}
      </div>
    </nav>
  );
}
