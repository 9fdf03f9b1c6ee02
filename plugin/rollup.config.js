// From dist/esm: one file for pages without a bundler (global `capacitorFarad`), and CommonJS.

const external = ['@capacitor/core'];

export default [
  {
    input: 'dist/esm/index.js',
    output: [
      {
        file: 'dist/plugin.js',
        format: 'iife',
        name: 'capacitorFarad',
        globals: { '@capacitor/core': 'capacitorExports' },
        sourcemap: true,
        inlineDynamicImports: true,
      },
      { file: 'dist/plugin.cjs', format: 'cjs', sourcemap: true, inlineDynamicImports: true },
    ],
    external,
  },
  {
    input: 'dist/esm/testing/index.js',
    output: { file: 'dist/testing.cjs', format: 'cjs', sourcemap: true },
    external,
  },
];
