import type { Signal } from '@preact/signals';
import { oneOfCodec } from '../../state/codecs.ts';
import { shared } from '../../state/shared.ts';

export const lensColours = ['probability', 'entropy'] as const;
/** What colours a cell of the lens. */
export const lensColour: Signal<(typeof lensColours)[number]> = shared(
  'predict.lens',
  'probability',
  oneOfCodec(lensColours),
);
