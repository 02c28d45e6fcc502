import { defineConfig } from 'vitest/config';

/** Numerical parity: every case in the folder that QKV_PARITY names, fixtures/parity where it names none. */
export default defineConfig({
  test: {
    include: ['test/parity/**/*.parity.ts'],
    reporters: ['verbose'],
    disableConsoleIntercept: true,
    pool: 'forks',
    maxWorkers: 1,
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
