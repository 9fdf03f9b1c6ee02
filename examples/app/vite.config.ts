import { defineConfig } from 'vite';

// Relative URLs: the WebView serves the folder from its root, a test from wherever it lies.
export default defineConfig({ base: './', build: { target: 'es2022', assetsInlineLimit: 0 } });
