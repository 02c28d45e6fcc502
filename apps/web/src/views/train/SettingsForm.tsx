import { t } from '../../i18n/train.ts';
import { dataNames, type TrainingSettings } from '../../training/contract.ts';
import { choices, type SizeName, settingsFor, sizeNames } from '../../training/settings.ts';
import { Select } from '../../ui/Select.tsx';
import { ValueSlider } from '../../ui/ValueSlider.tsx';
import { settings } from './pageTraining.ts';

const MOST_CHARACTERS = 500_000;

/** What is trained, on what: choices before a run. */
export function SettingsForm() {
  const chosen = settings.value;
  const change = (next: Partial<TrainingSettings>): void => {
    settings.value = { ...chosen, ...next };
  };
  const readFile = async (files: FileList | null | undefined): Promise<void> => {
    const file = files?.[0];
    if (file) change({ ownText: (await file.text()).slice(0, MOST_CHARACTERS) });
  };
  return (
    <form class="settings" onSubmit={(event) => event.preventDefault()}>
      <Select
        label={t('data')}
        value={chosen.data}
        options={dataNames.map((value) => ({ value, text: t(`data.${value}`) }))}
        onChange={(data) => (settings.value = settingsFor(data))}
      />
      <p class="muted small">{t(`data.${chosen.data}.what`)}</p>
      {chosen.data === 'own' && (
        <div class="text-field">
          <label for="own-text">{t('own.label')}</label>
          <textarea
            id="own-text"
            class="field"
            dir="auto"
            rows={4}
            maxLength={MOST_CHARACTERS}
            value={chosen.ownText}
            onInput={(event) => change({ ownText: event.currentTarget.value })}
            onDrop={(event) => {
              if (!event.dataTransfer?.files.length) return; // text that is dragged
              event.preventDefault();
              void readFile(event.dataTransfer.files);
            }}
          />
          <span class="settings-file">
            <label class="small" for="own-file">
              {t('own.file')}
            </label>
            <input
              id="own-file"
              type="file"
              accept="text/*,.txt,.md"
              onChange={(event) => void readFile(event.currentTarget.files)}
            />
            <span class="muted small">{t('own.count', { count: chosen.ownText.length })}</span>
          </span>
        </div>
      )}
      <div class="settings-sizes">
        {sizeNames.map((name) => (
          <SizeSlider key={name} name={name} value={chosen[name]} onChange={(value) => change({ [name]: value })} />
        ))}
      </div>
    </form>
  );
}

/** A slider over the values that are offered. */
function SizeSlider({
  name,
  value,
  onChange,
}: {
  readonly name: SizeName;
  readonly value: number;
  readonly onChange: (value: number) => void;
}) {
  const values: readonly number[] = choices[name];
  return (
    <ValueSlider
      label={t(`size.${name}`)}
      values={values}
      value={value}
      shown={t('count', { count: value })}
      onChange={onChange}
    />
  );
}
