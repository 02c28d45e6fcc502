import type { JSX } from 'preact';
import { t } from '../../i18n/predict.ts';
import { ErrorBox } from '../../ui/ErrorBox.tsx';
import { Select } from '../../ui/Select.tsx';
import { alignedHead, alignedPath } from './alignment.ts';
import { cross } from './state.ts';

/** Which cross-attention the alignment is read from. */
export function AlignmentPanel(): JSX.Element {
  const maps = cross.value.value ?? [];
  const heads = maps[0]?.place.heads ?? 0;
  return (
    <section class="predict-panel alignment">
      <h2>{t('alignment')}</h2>
      <p class="muted small">{t('alignment.hint')}</p>
      {cross.value.error && <ErrorBox error={cross.value.error} />}
      <div class="write-on-fields">
        <Select
          label={t('alignment.layer')}
          value={alignedPath.value}
          options={[
            { value: '', text: t('alignment.mean') },
            ...maps.map(({ place }) => ({ value: place.path, text: t('alignment.layer.one', { layer: place.layer }) })),
          ]}
          onChange={(path) => (alignedPath.value = path)}
        />
        <Select
          label={t('alignment.head')}
          value={String(alignedHead.value ?? '')}
          options={[
            { value: '', text: t('alignment.mean') },
            ...Array.from({ length: heads }, (_, head) => ({ value: String(head), text: String(head) })),
          ]}
          onChange={(head) => (alignedHead.value = head === '' ? null : Number(head))}
        />
      </div>
    </section>
  );
}
