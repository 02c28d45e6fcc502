import { t } from '../i18n/shell.ts';
import { notify } from '../state/notice.ts';
import { Menu } from '../ui/Menu.tsx';
import { type Exportable, saveCsv, saveJson, savePng, saveSvg } from './save.ts';

/** Saves a picture and its numbers. `picture` is called when a person asks. */
export function ExportMenu({ picture }: { readonly picture: () => Exportable | null }) {
  const item = (text: string, save: (picture: Exportable) => void | Promise<void>) => ({
    text,
    onChoose: async () => {
      try {
        const made = picture();
        if (made !== null) await save(made);
      } catch (thrown) {
        notify(t('export.failed', { reason: thrown instanceof Error ? thrown.message : String(thrown) }));
      }
    },
  });
  return (
    <Menu
      label={t('export')}
      items={[
        item(t('export.svg'), saveSvg),
        item(t('export.png'), savePng),
        item(t('export.csv'), saveCsv),
        item(t('export.json'), saveJson),
      ]}
    />
  );
}
