import { errorSentence, t } from '../i18n/shell.ts';
import type { EngineError } from '../worker/contract.ts';
import { Button } from './Button.tsx';

interface Props {
  readonly error: EngineError;
  readonly onAgain?: () => void;
}

/** What failed, in words, with the facts that the library gives and what to do. */
export function ErrorBox({ error, onAgain }: Props) {
  const facts = [
    [t('error.where'), error.where],
    [t('error.got'), error.got],
    [t('error.expected'), error.expected],
  ] as const;
  return (
    <div class="error-box" role="alert">
      <strong>{errorSentence(error)}</strong>
      {error.where === undefined && error.code !== 'files-gone' && <bdi lang="en">{error.message}</bdi>}
      {error.where !== undefined && (
        <dl lang="en">
          {facts.map(
            ([name, text]) =>
              text !== undefined && (
                <>
                  <dt lang="">{name}</dt>
                  <dd>
                    <bdi>{text}</bdi>
                  </dd>
                </>
              ),
          )}
        </dl>
      )}
      {error.hint !== undefined && <p lang="en">{error.hint}</p>}
      {onAgain && <Button onClick={onAgain}>{t('error.again')}</Button>}
    </div>
  );
}
