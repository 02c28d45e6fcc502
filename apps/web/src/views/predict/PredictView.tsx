import { useSignal } from '@preact/signals';
import type { JSX } from 'preact';
import { ErrorBox } from '../../ui/ErrorBox.tsx';
import { AlignmentPanel } from './AlignmentPanel.tsx';
import { Alternatives } from './Alternatives.tsx';
import { AttributionPanel } from './AttributionPanel.tsx';
import { BreakPanel } from './BreakPanel.tsx';
import { LensTable } from './LensTable.tsx';
import { OutcomePanel } from './OutcomePanel.tsx';
import { isEncoder, isTranslator, tokens } from './state.ts';
import { TextPanel } from './TextPanel.tsx';
import { WriteOn } from './WriteOn.tsx';
import './predict.css';

/** What the model says at each place, what else it could say, why, and what happens when a part of it is broken. */
export default function PredictView(): JSX.Element {
  const pointed = useSignal<number | null>(null);
  return (
    <div class="predict" aria-busy={tokens.value.isBusy}>
      {tokens.value.error && <ErrorBox error={tokens.value.error} />}
      <TextPanel pointed={pointed} />
      <div class="predict-panels">
        <div>
          <Alternatives />
          {!isEncoder.value && <WriteOn />}
        </div>
        <div>
          <AttributionPanel />
          {isTranslator.value && <AlignmentPanel />}
        </div>
        <div>
          <BreakPanel />
          <OutcomePanel />
        </div>
      </div>
      <LensTable />
    </div>
  );
}
