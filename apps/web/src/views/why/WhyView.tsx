import type { Signal } from '@preact/signals';
import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import type { Findings } from '../../../../../src/why/experiment.ts';
import { t } from '../../i18n/why.ts';
import { textCodec } from '../../state/codecs.ts';
import { type Language, language } from '../../state/settings.ts';
import { shared } from '../../state/shared.ts';
import { Tabs } from '../../ui/Tabs.tsx';
import { ExperimentText } from './ExperimentText.tsx';
import { say } from './FindingsParts.tsx';
import { MasksTry } from './MasksTry.tsx';
import { PositionsTry } from './PositionsTry.tsx';
import { ScaleTry } from './ScaleTry.tsx';
import { experimentNames, loadFindings, loadText } from './stored.ts';
import './why.css';

const chosen: Signal<string> = shared('why', '', textCodec);

/** What can be tried by hand, by experiment. */
const tries: Readonly<Record<string, ComponentType>> = { scale: ScaleTry, positions: PositionsTry, masks: MasksTry };
/** Those that are there whether or not an experiment was measured. */
const names: readonly string[] = [...new Set([...experimentNames, ...Object.keys(tries)])];

interface Loaded {
  readonly name: string;
  readonly language: Language;
  readonly findings: Findings | null;
  readonly text: string | null;
}

/** Why attention is as it is: experiments with their numbers, and some to try by hand. */
export default function WhyView() {
  const name = names.includes(chosen.value) ? chosen.value : names[0]!;
  const Try = tries[name];
  const now = language.value;
  const [loaded, setLoaded] = useState<Loaded | null>(null);
  const [hasFailed, setFailed] = useState(false);
  useEffect(() => {
    let isCurrent = true;
    setFailed(false);
    const found = experimentNames.includes(name) ? loadFindings(name) : Promise.resolve(null);
    Promise.all([found, loadText(name, now)]).then(
      ([findings, text]) => isCurrent && setLoaded({ name, language: now, findings, text }),
      () => isCurrent && setFailed(true),
    );
    return () => {
      isCurrent = false;
    };
  }, [name, now]);
  const here = loaded?.name === name ? loaded : null;
  return (
    <div class="why">
      <Tabs
        label={t('experiments')}
        panel="why-experiment"
        value={name}
        tabs={names.map((value) => ({ value, text: shortName(value) }))}
        onChange={(value) => (chosen.value = value)}
      />
      <div class="why-experiment" id="why-experiment" role="tabpanel" aria-labelledby={`why-experiment-tab-${name}`}>
        {here?.findings && (
          <header class="why-head">
            <h1>{say(here.findings.title)}</h1>
            <p class="muted small">
              {t('seed', { seed: here.findings.seed })} <code>qkv why {name}</code>
            </p>
          </header>
        )}
        {here?.findings?.isQuick && <p class="warning">{t('quick')}</p>}
        {Try && (
          <section class="why-try" aria-label={t('try')}>
            <h2>{t('try')}</h2>
            <Try />
          </section>
        )}
        {hasFailed && <p role="alert">{t('failed')}</p>}
        {here === null && !hasFailed && <p class="muted">{t('loading')}</p>}
        {here?.findings && here.language === now && <ExperimentText findings={here.findings} text={here.text} />}
        {here !== null && here.findings === null && <p class="muted">{t('unmeasured', { name })}</p>}
      </div>
    </div>
  );
}

/** One that this view has no word for goes by its own name. */
function shortName(name: string): string {
  switch (name) {
    case 'scale':
    case 'heads':
    case 'positions':
    case 'masks':
    case 'parallel':
    case 'distance':
    case 'complexity':
    case 'masking':
    case 'sentences':
    case 'sharing':
    case 'distillation':
      return t(`name.${name}`);
    default:
      return name;
  }
}
