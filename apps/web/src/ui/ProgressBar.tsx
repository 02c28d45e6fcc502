import { t } from '../i18n/shell.ts';
import type { Progress } from '../worker/contract.ts';
import { bytesText } from './bytesText.ts';

interface Props {
  readonly progress: Progress | null;
  /** What is opened, before there is a progress to tell. */
  readonly name: string;
}

export function ProgressBar({ progress, name }: Props) {
  const { what, file = name, bytes, total } = progress ?? {};
  const text =
    what === undefined
      ? t('progress.opening', { name })
      : what === 'compiling'
        ? t('progress.compiling')
        : t(`progress.${what}`, { file });
  const isKnown = bytes !== undefined && total !== undefined && total > 0;
  return (
    <div class="progress" role="status">
      <span>
        <bdi>{text}</bdi>
      </span>
      <progress aria-label={text} max={isKnown ? total : undefined} value={isKnown ? bytes : undefined} />
      {isKnown && (
        <span class="muted number">{t('progress.of', { done: bytesText(bytes), total: bytesText(total) })}</span>
      )}
    </div>
  );
}
