import { expect, it } from 'vitest';
import { createNodeRuntime } from '../../src/runtime/node/node.ts';
import { createReferenceRuntime } from '../../src/runtime/reference/reference.ts';
import { brokenPromises } from './runtimeContract.ts';

const runtimes = {
  reference: async () => createReferenceRuntime(),
  node: () => createNodeRuntime({ threads: 1, spinning: false }),
};

it.each(Object.entries(runtimes))('%s keeps what the interface promises', async (_, create) => {
  await using runtime = await create();
  expect(await brokenPromises(runtime)).toEqual([]);
});
