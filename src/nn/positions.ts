import { QkvError } from '../base/errors.ts';
import { float32, type HostTensor } from '../base/tensor.ts';

/** Where the sines and cosines of a position stand: in turn, as in the paper, or all sines first, as in Marian. */
export type SinusoidLayout = 'interleaved' | 'split';

/** 64 MiB, 16,384 positions of width 1024. They are in no checkpoint, so that a config alone could ask for any amount. */
const maxValues = 1 << 24;

/**
 * PE(pos, 2i) = sin(pos / 10000^(2i/width)), PE(pos, 2i+1) = cos(the same): [count, width]
 * (Vaswani et al. 2017, section 3.5). Computed in float64.
 */
export function sinusoidalPositions(count: number, width: number, layout: SinusoidLayout): HostTensor {
  if (width % 2 !== 0) {
    throw new QkvError('config', { where: 'sinusoidal positions', got: `width ${width}`, expected: 'an even width' });
  }
  if (count * width > maxValues) {
    throw new QkvError('config', {
      where: 'sinusoidal positions',
      got: `${count} of width ${width}`,
      expected: `at most ${maxValues} values`,
    });
  }
  const data = new Float32Array(count * width);
  const half = width / 2;
  for (let position = 0; position < count; position++) {
    for (let i = 0; i < half; i++) {
      const angle = position / 10000 ** ((2 * i) / width);
      const [sine, cosine] = layout === 'interleaved' ? [2 * i, 2 * i + 1] : [i, half + i];
      data[position * width + sine] = Math.sin(angle);
      data[position * width + cosine] = Math.cos(angle);
    }
  }
  return float32([count, width], data);
}
