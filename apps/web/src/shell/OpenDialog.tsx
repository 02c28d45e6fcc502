import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { describeModel, t } from '../i18n/shell.ts';
import { opened } from '../state/open.ts';
import { modelSource, setModel } from '../state/scene.ts';
import { Button } from '../ui/Button.tsx';
import { bytesText } from '../ui/bytesText.ts';
import { Dialog } from '../ui/Dialog.tsx';
import type { ModelSource } from '../worker/contract.ts';
import { dialog } from './dialog.ts';
import { chosenFiles } from './droppedFiles.ts';
import { type Listed, modelList } from './modelLists.ts';

interface Props {
  readonly onChoose?: (source: ModelSource) => void;
  readonly onClose?: () => void;
  readonly title?: string;
}

/** Where models come from: beside the page, the command line's server, the hub, this machine. */
export function OpenDialog({
  onChoose = setModel,
  onClose = () => (dialog.value = null),
  title = t('open.title'),
}: Props) {
  const choose = (source: ModelSource): void => {
    onClose();
    onChoose(source);
  };
  return (
    <Dialog title={title} onClose={onClose}>
      <ListedModels kind="served" onChoose={choose} />
      <ListedModels kind="shipped" onChoose={choose} />
      <HubField onChoose={choose} />
      <OwnFiles onChoose={choose} />
    </Dialog>
  );
}

interface PartProps {
  readonly onChoose: (source: ModelSource) => void;
}

function ListedModels({ kind, onChoose }: PartProps & { readonly kind: 'shipped' | 'served' }) {
  const [list, setList] = useState<readonly Listed[] | null>(null);
  const [failure, setFailure] = useState<string | null>(null);
  useEffect(() => {
    modelList(kind === 'shipped' ? 'models' : 'served').then(setList, (reason: unknown) =>
      setFailure(reason instanceof Error ? reason.message : String(reason)),
    );
  }, [kind]);
  if (kind === 'served' && (list === null || list.length === 0)) return null;
  const now = modelSource.value;
  const isNow = (name: string): boolean => now?.kind === kind && now.name === name && opened.value.card !== null;
  return (
    <section>
      <h3>{t(`open.${kind}`)}</h3>
      {failure !== null && <p>{t('open.list.failed', { reason: failure })}</p>}
      {list?.length === 0 && <p class="muted">{t('open.list.empty')}</p>}
      <ul class="model-list">
        {list?.map(({ name, bytes }) => (
          <li key={name}>
            <button type="button" onClick={() => onChoose({ kind, name })}>
              <strong>
                <bdi>{name}</bdi>
              </strong>
              <span class="muted small">{describeModel(name)}</span>
              <span class="muted small number">
                {isNow(name) ? t('open.current') : bytes === undefined ? '' : bytesText(bytes)}
              </span>
            </button>
          </li>
        ))}
      </ul>
    </section>
  );
}

/** As the hub has it: an owner, a name, perhaps a revision. */
const HUB_NAME = /^[\w.-]{1,96}\/[\w.-]{1,96}(@[\w./-]{1,96})?$/;

function HubField({ onChoose }: PartProps) {
  const [id, setId] = useState('');
  const [isBad, setBad] = useState(false);
  const hint = useId();
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        const name = id.trim();
        if (HUB_NAME.test(name)) onChoose({ kind: 'hub', id: name });
        else setBad(true);
      }}
    >
      <h3>{t('open.hub')}</h3>
      <div class="hub-field">
        <input
          class="field"
          aria-label={t('open.hub.label')}
          aria-describedby={hint}
          aria-invalid={isBad}
          placeholder="org/name"
          autocomplete="off"
          spellcheck={false}
          value={id}
          onInput={(event) => {
            setId(event.currentTarget.value);
            setBad(false);
          }}
        />
        <button type="submit" class="button">
          {t('open.hub.go')}
        </button>
      </div>
      <p class="small muted" id={hint} role={isBad ? 'alert' : undefined} data-bad={isBad || undefined}>
        {isBad ? t('open.hub.bad') : t('open.hub.hint')}
      </p>
    </form>
  );
}

function OwnFiles({ onChoose }: PartProps) {
  const folder = useRef<HTMLInputElement>(null);
  const file = useRef<HTMLInputElement>(null);
  const onChange = (list: FileList | null): void => {
    if (list !== null && list.length > 0) onChoose({ kind: 'files', ...chosenFiles(list) });
  };
  return (
    <section>
      <h3>{t('open.files')}</h3>
      <div class="button-row">
        <Button onClick={() => folder.current?.click()}>{t('open.folder')}</Button>
        <Button onClick={() => file.current?.click()}>{t('open.file')}</Button>
      </div>
      <input
        type="file"
        hidden
        ref={(element) => {
          folder.current = element;
          element?.setAttribute('webkitdirectory', '');
        }}
        data-test="folder"
        onChange={(event) => onChange(event.currentTarget.files)}
      />
      <input
        type="file"
        hidden
        multiple
        ref={file}
        data-test="files"
        onChange={(event) => onChange(event.currentTarget.files)}
      />
      <p class="small muted">{t('open.files.hint')}</p>
    </section>
  );
}
