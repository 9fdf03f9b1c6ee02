import { defineConfig } from 'vite';

export default defineConfig({
  // Relative URLs: the WebView serves the folder from its root, a test from wherever it lies.
  base: './',
  build: { target: 'es2022', assetsInlineLimit: 0 },
  // The plugin is linked from this repository, which has a copy of its own.
  resolve: { dedupe: ['@capacitor/core'] },
});
