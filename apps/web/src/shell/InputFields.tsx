import { useId } from 'preact/hooks';
import { t } from '../i18n/shell.ts';
import { opened } from '../state/open.ts';
import { reading } from '../state/reading.ts';
import { input, setInput } from '../state/scene.ts';
import { Select } from '../ui/Select.tsx';
import type { TextInput } from '../worker/contract.ts';

/** What the model reads: a text, for a translator its translation too, for an encoder the second text of a pair. */
export function InputFields() {
  const card = opened.value.card;
  const kind = card?.kind;
  const now = input.value;
  return (
    <div class="inputs" data-fields={kind === 'encoder-decoder' || kind === 'encoder' ? 2 : 1}>
      <Field
        label={t(kind === 'encoder-decoder' ? 'input.source' : 'input.text')}
        value={now.text}
        onInput={(text) => setInput(withField(now, 'text', text), 'text')}
      />
      {kind === 'encoder-decoder' && (
        <Field
          label={t('input.target')}
          hint={t('input.target.hint')}
          value={now.target ?? ''}
          onInput={(target) => setInput(withField(now, 'target', target), 'target')}
        />
      )}
      {kind === 'encoder' && (
        <Field
          label={t('input.pair')}
          value={now.pair ?? ''}
          onInput={(pair) => setInput(withField(now, 'pair', pair), 'pair')}
        />
      )}
      <div class="inputs-side">
        {card !== null && card.examples.length > 0 && (
          <Select
            label={t('input.example')}
            isLabelHidden
            value=""
            options={[
              { value: '', text: t('input.example.choose') },
              ...card.examples.map((example, i) => ({ value: String(i), text: short(nameOf(example)) })),
            ]}
            onChange={(index) => {
              const example = card.examples[Number(index)];
              if (index !== '' && example !== undefined) setInput(example);
            }}
          />
        )}
        <TokenCount most={card?.maxLength ?? null} />
      </div>
    </div>
  );
}

function TokenCount({ most }: { readonly most: number | null }) {
  const tokens = reading.value.value;
  if (tokens === null || most === null) return null;
  const count = Math.max(tokens.source.length, tokens.target.length);
  return <span class="muted small number">{t('input.tokens', { count, most })}</span>;
}

interface FieldProps {
  readonly label: string;
  readonly hint?: string;
  readonly value: string;
  readonly onInput: (text: string) => void;
}

/** Grows with its text, up to a few lines. */
function Field({ label, hint, value, onInput }: FieldProps) {
  const id = useId();
  return (
    <div class="text-field">
      <label for={id}>{label}</label>
      <textarea
        id={id}
        class="field"
        rows={1}
        dir="auto"
        spellcheck={false}
        placeholder={hint}
        value={value}
        onInput={(event) => onInput(event.currentTarget.value)}
      />
    </div>
  );
}

/** The texts with one of them as it is now; an empty target or pair is none. */
function withField(from: TextInput, key: 'text' | 'target' | 'pair', text: string): TextInput {
  const { [key]: _, ...others } = from;
  return key !== 'text' && text === '' ? { ...others, text: from.text } : { ...from, [key]: text };
}

function nameOf({ text, pair }: TextInput): string {
  return pair === undefined ? text : `${text} | ${pair}`;
}

function short(text: string): string {
  const characters = [...text];
  return characters.length > 60 ? `${characters.slice(0, 59).join('')}…` : text;
}
