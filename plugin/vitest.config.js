import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    root: import.meta.dirname,
    environment: 'happy-dom',
    // What hangs ends some time; what is slow on a busy machine passes.
    testTimeout: 600_000,
    hookTimeout: 600_000,
  },
});
