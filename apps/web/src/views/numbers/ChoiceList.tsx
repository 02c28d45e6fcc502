import type { JSX } from 'preact';
import { TokenText } from '../../ui/TokenText.tsx';
import type { Token } from '../../worker/contract.ts';
import { Bar } from './Bar.tsx';
import type { Change } from './changes.ts';
import { formatPercent } from './formatNumber.ts';

interface Props {
  readonly label: string;
  readonly changes: readonly Change[];
  /** Whether `before` is another answer than `after`. */
  readonly isCompared: boolean;
  /** Names of the columns. */
  readonly words: { readonly token: string; readonly before: string; readonly now: string };
  /** The token that stands there. */
  readonly standing?: number | undefined;
  readonly onChoose?: (token: Token) => void;
  readonly chooseLabel?: (token: Token) => string;
}

/** Tokens with their probabilities as numbers and bars, those without the edits beside them. */
export function ChoiceList({ label, changes, isCompared, words, standing, onChoose, chooseLabel }: Props): JSX.Element {
  return (
    <table class="choices">
      <caption class="hidden-text">{label}</caption>
      <thead>
        <tr>
          <th scope="col">{words.token}</th>
          {isCompared && (
            <th scope="col" class="is-number is-before">
              {words.before}
            </th>
          )}
          <th scope="col" class="is-number">
            {words.now}
          </th>
          <td />
        </tr>
      </thead>
      <tbody>
        {changes.map(({ token, before, after }) => (
          <tr key={token.id} class={token.id === standing ? 'is-picked' : undefined}>
            <th scope="row">
              {onChoose ? (
                <button type="button" class="token" aria-label={chooseLabel?.(token)} onClick={() => onChoose(token)}>
                  <TokenText text={token.text} />
                </button>
              ) : (
                <span class="token">
                  <TokenText text={token.text} />
                </span>
              )}
            </th>
            {isCompared && <td class="is-number is-before">{before === null ? '·' : formatPercent(before)}</td>}
            <td class="is-number">{after === null ? '·' : formatPercent(after)}</td>
            <td class="is-bar">
              {isCompared && <Bar value={before ?? 0} from={0} to={1} kind="before" />}
              <Bar value={after ?? 0} from={0} to={1} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
