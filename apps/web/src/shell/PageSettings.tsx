import { t } from '../i18n/shell.ts';
import { language, theme, themes } from '../state/settings.ts';
import { Select } from '../ui/Select.tsx';

/** Language and theme. */
export function PageSettings() {
  return (
    <>
      <Select
        label={t('language')}
        isLabelHidden
        value={language.value}
        options={[
          { value: 'en', text: 'English' },
          { value: 'zh', text: '中文' },
        ]}
        onChange={(chosen) => (language.value = chosen)}
      />
      <Select
        label={t('theme')}
        isLabelHidden
        value={theme.value}
        options={themes.map((value) => ({ value, text: t(`theme.${value}`) }))}
        onChange={(chosen) => (theme.value = chosen)}
      />
    </>
  );
}
