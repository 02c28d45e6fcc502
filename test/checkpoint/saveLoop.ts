/** Child of the kill-safety test: saves a snapshot of every step from the given one on, until it is killed. */
import { latestSnapshot, saveSnapshot } from '../../src/checkpoint/snapshot.node.ts';

const [runFolder] = process.argv.slice(2);
const latest = await latestSnapshot(runFolder!, (damaged) => {
  throw new Error(JSON.stringify(damaged));
});
for (let step = (latest?.step ?? 0) + 1; ; step++) {
  // Large enough that kills fall inside the writing of a file; all values tell the step.
  const data = new Float32Array(200_000).fill(step);
  const files = {
    'model.safetensors': { tensors: [{ name: 'w', dtype: 'F32', shape: [data.length], data }] as const },
    'state.json': new TextEncoder().encode(JSON.stringify({ step })),
  };
  await saveSnapshot(runFolder!, step, files, { keep: 1 + (step % 2) });
  process.stdout.write(`${step}\n`);
}
