import { t } from '../../i18n/attention.ts';
import type { HeadStatistics, Place } from '../../worker/contract.ts';
import { mainStatistics } from './attentionState.ts';

const patterns = ['previous', 'first', 'self', 'induction', 'duplicate'] as const;
/** A head that puts this much of its weight on one kind of token is named after it. */
const NAMED = 0.4;

/** How spread and how far the head looks, in means over the text, and what it mostly looks at. */
export function HeadFacts({ place, head }: { readonly place: Place; readonly head: number }) {
  const { value, isBusy } = mainStatistics.value;
  const facts = value?.find((one) => one.place.path === place.path && one.head === head);
  if (facts === undefined) return <p class="head-facts" />;
  const pattern = place.kind === 'cross' ? null : strongest(facts);
  return (
    <p class="head-facts muted small" aria-busy={isBusy}>
      {t('facts.entropy', { entropy: facts.entropy.toFixed(2) })}
      {place.kind !== 'cross' && ` · ${t('facts.distance', { distance: facts.distance.toFixed(1) })}`}
      {pattern && ` · ${t(`facts.${pattern}`, { share: Math.round(100 * facts[pattern]) })}`}
    </p>
  );
}

function strongest(facts: HeadStatistics): (typeof patterns)[number] | null {
  const best = patterns.reduce((a, b) => (facts[b] > facts[a] ? b : a));
  return facts[best] >= NAMED ? best : null;
}
