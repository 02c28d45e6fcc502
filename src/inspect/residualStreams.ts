import { float32, type HostTensor } from '../base/tensor.ts';
import type { Edits } from './edits.ts';
import type { Inspection } from './inspection.ts';
import type { Reading } from './reading.ts';
import { predictingStack, residualNames, valuesOf } from './stream.ts';

/** The residual streams of the predicting stack at some positions: [layers + 1, positions, D]. */
export async function residualStreams(
  inspection: Inspection,
  reading: Reading,
  edits: Edits,
  positions: readonly number[],
): Promise<{ readonly layers: string[]; readonly streams: HostTensor }> {
  const layers = residualNames(predictingStack(inspection.pass));
  const task = { label: 'residual streams', outputs: (pass: Inspection['pass']) => valuesOf(pass, layers) };
  const found = await inspection.run(task, [{ reading, edits }]);
  const width = found[layers[0]!]!.shape[2]!;
  const data = new Float32Array(layers.length * positions.length * width);
  layers.forEach((name, i) => {
    positions.forEach((position, j) => {
      const row = found[name]!.data.subarray(position * width, (position + 1) * width);
      data.set(row, (i * positions.length + j) * width);
    });
  });
  return { layers, streams: float32([layers.length, positions.length, width], data) };
}
