import { useState } from 'preact/hooks';
import { t } from '../../i18n/why.ts';
import { isDark, language } from '../../state/settings.ts';
import { Button } from '../../ui/Button.tsx';
import { colourOf, rampOn } from '../../ui/heat.ts';
import { rove } from '../../ui/rove.ts';
import { entropy, softmax } from './drawScores.ts';

/** Made up, with something to see in each row. [query][key] */
const scores: readonly (readonly number[])[] = [
  [1.2, 0.3, -0.4, 0.1, -1],
  [1.5, 0.8, 0.2, -0.3, 0.6],
  [-0.2, 1.9, 0.5, 0.4, -0.6],
  [0.3, -0.5, 1.4, 0.9, 0.7],
  [0.6, 1.1, -0.1, 2, 0.2],
];
const size = scores.length;
const texts = { en: ['The', 'cat', 'sat', 'down', '.'], zh: ['猫', '坐', '了', '下来', '。'] };

type Preset = 'none' | 'causal' | 'padding';
const presets: Readonly<Record<Preset, (query: number, key: number) => boolean>> = {
  none: () => false,
  causal: (query, key) => key > query,
  padding: (_, key) => key >= size - 2,
};

/** A small attention whose cells are masked by hand. */
export function MasksTry() {
  const [masked, setMasked] = useState<readonly boolean[]>(() => maskOf('causal'));
  const [at, setAt] = useState(0);
  const tokens = texts[language.value];
  const ramp = rampOn(isDark());
  const rows = scores.map((row, query) =>
    softmax(row.map((score, key) => (masked[query * size + key] ? Number.NEGATIVE_INFINITY : score))),
  );
  const toggle = (index: number): void => setMasked(masked.map((one, i) => (i === index ? !one : one)));
  return (
    <>
      <p>{t('masks.what')}</p>
      {/* biome-ignore lint/a11y/useSemanticElements: a group of buttons, no form */}
      <div class="why-controls" role="group" aria-label={t('masks.presets')}>
        {(Object.keys(presets) as Preset[]).map((name) => (
          <Button
            key={name}
            isPressed={maskOf(name).every((one, i) => one === masked[i])}
            onClick={() => setMasked(maskOf(name))}
          >
            {t(`masks.${name}`)}
          </Button>
        ))}
      </div>
      <div class="why-masks">
        <table>
          <caption>
            {t('masks.scores')} <span class="muted">{t('masks.query')}</span>
          </caption>
          <thead>
            <tr>
              <td />
              {tokens.map((token) => (
                <th key={token} scope="col">
                  {token}
                </th>
              ))}
            </tr>
          </thead>
          <tbody
            onKeyDown={(event) => {
              const next = rove(event.key, at, size * size, size);
              if (next === null) return;
              event.preventDefault();
              setAt(next);
              event.currentTarget.querySelectorAll('button')[next]?.focus();
            }}
          >
            {scores.map((row, query) => (
              <tr key={query}>
                <th scope="row">{tokens[query]}</th>
                {row.map((score, key) => {
                  const index = query * size + key;
                  const isOff = masked[index]!;
                  const names = { query: tokens[query]!, key: tokens[key]! };
                  return (
                    <td key={key}>
                      <button
                        type="button"
                        class="why-cell"
                        aria-pressed={isOff}
                        aria-label={
                          isOff ? t('masks.cell.off', names) : t('masks.cell', { ...names, score: score.toFixed(1) })
                        }
                        tabIndex={index === at ? 0 : -1}
                        onClick={() => {
                          setAt(index);
                          toggle(index);
                        }}
                      >
                        {isOff ? '−∞' : score.toFixed(1)}
                      </button>
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
        <table class="why-weights">
          <caption>{t('masks.weights')}</caption>
          <thead>
            <tr>
              <td />
              {tokens.map((token) => (
                <th key={token} scope="col">
                  {token}
                </th>
              ))}
              <th scope="col">{t('masks.entropy')}</th>
            </tr>
          </thead>
          <tbody>
            {rows.map((row, query) => (
              <tr key={query}>
                <th scope="row">{tokens[query]}</th>
                {row.some((weight) => weight > 0) ? (
                  <>
                    {row.map((weight, key) => (
                      <td key={key} class="number">
                        <span class="why-swatch" style={{ background: colourOf(ramp, weight, 1) }} />
                        {weight.toFixed(3)}
                      </td>
                    ))}
                    <td class="number">{entropy(row).toFixed(3)}</td>
                  </>
                ) : (
                  <td colSpan={size + 1} class="muted small">
                    {t('masks.all')}
                  </td>
                )}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function maskOf(preset: Preset): boolean[] {
  return Array.from({ length: size * size }, (_, i) => presets[preset](Math.floor(i / size), i % size));
}
