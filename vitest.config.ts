import { defineConfig } from 'vitest/config';

/** Unit tests and the command line's end-to-end tests. Parity cases have a configuration of their own. */
export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/parity/**'],
    // A process for each file: ONNX Runtime's native library lives in one, and some tests kill what they start.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
