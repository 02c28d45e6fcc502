import { gradientTimesInput, integratedGradients } from '../../../../src/inspect/attribution.ts';
import { directLogitAttribution } from '../../../../src/inspect/directLogit.ts';
import type { Inspection } from '../../../../src/inspect/inspection.ts';
import type { Reading } from '../../../../src/inspect/reading.ts';
import { attentionRollout } from '../../../../src/inspect/rollout.ts';
import type { Attribution, AttributionMethod, Edits } from './contract.ts';

interface Question {
  readonly method: AttributionMethod;
  readonly position: number;
  readonly token: number;
}

/** How much each token, or each part of the model, is behind the logit of a token. */
export async function explain(
  inspection: Inspection,
  reading: Reading,
  edits: Edits,
  { method, position, token }: Question,
): Promise<Attribution> {
  const none = { method, source: new Float32Array(0), target: new Float32Array(0), parts: [] };
  const score = { position, token };
  switch (method) {
    case 'gradient-input':
    case 'integrated-gradients': {
      const attribute = method === 'gradient-input' ? gradientTimesInput : integratedGradients;
      const { source, target } = await attribute(inspection, reading, score, { edits });
      return { ...none, source, target };
    }
    case 'rollout': {
      const { encoder, decoder } = await attentionRollout(inspection, reading, edits);
      const [length, sourceLength] = [reading.ids.length, reading.sourceIds?.length ?? 0];
      const width = decoder ? length + sourceLength : length;
      const row = (decoder ?? encoder!).slice(position * width, (position + 1) * width);
      return { ...none, target: row.slice(0, length), source: row.slice(length) };
    }
    case 'direct-logit': {
      const { parts } = await directLogitAttribution(inspection, reading, score, { edits });
      return { ...none, parts };
    }
  }
}
