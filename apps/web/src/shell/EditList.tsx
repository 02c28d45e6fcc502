import { t } from '../i18n/edits.ts';
import {
  clearEdits,
  editCausalMask,
  editHead,
  editMlp,
  editPositions,
  editScoreFactor,
  hasEdits,
  hideToken,
} from '../state/edits.ts';
import { reading } from '../state/reading.ts';
import { edits } from '../state/scene.ts';
import { Button } from '../ui/Button.tsx';
import { isolated } from '../ui/isolated.ts';
import { CloseSign } from '../ui/signs.tsx';

/** What a person changed in the model; each can be taken back. */
export function EditList() {
  const now = edits.value;
  if (!hasEdits(now)) return null;
  const tokenAt = (side: 'source' | 'target', position: number): string => {
    const token = reading.value.value?.[side][position];
    return token === undefined ? t('hidden.at', { position }) : `${isolated(token.text)} (${position})`;
  };
  const items = [
    ...(now.heads ?? []).map(({ path, head, how }) => ({
      text: t(`head.${how}`, { path, head }),
      undo: () => editHead(path, head, null),
    })),
    ...(now.hidden ?? []).map(({ side, position }) => ({
      text: t('hidden', { token: tokenAt(side, position) }),
      undo: () => hideToken(side, position, false),
    })),
    ...(now.mlps ?? []).map((path) => ({ text: t('mlp', { path }), undo: () => editMlp(path, false) })),
    ...(now.scoreFactor === undefined
      ? []
      : [{ text: t('score', { factor: now.scoreFactor.toPrecision(3) }), undo: () => editScoreFactor(1) }]),
    ...(now.causalMask === false ? [{ text: t('causal'), undo: () => editCausalMask(true) }] : []),
    ...(now.positions === false ? [{ text: t('positions'), undo: () => editPositions(true) }] : []),
  ];
  return (
    <section class="edits" aria-label={t('list')}>
      <h2>{t('title')}</h2>
      <ul>
        {items.map(({ text, undo }) => (
          <li key={text}>
            {text}
            <Button kind="icon" label={t('remove', { what: text })} onClick={undo}>
              <CloseSign />
            </Button>
          </li>
        ))}
      </ul>
      <Button kind="plain" onClick={clearEdits}>
        {t('clear')}
      </Button>
    </section>
  );
}
