// What `npm pack` would publish, and that it can be used as published. Needs `npm run build`.
// @vitest-environment node
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const run = (program: string, ...args: string[]) =>
  execFileSync(program, args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

/**
 * What may be published, folder by folder: nothing of the Rust side but its libraries, no tests, no
 * tools. `cargo xtask pack` holds it against the whole list.
 */
const PUBLISHED = [
  /^android\/(build\.gradle|consumer-rules\.pro|libraries\.json|src\/main\/AndroidManifest\.xml)$/,
  /^android\/src\/main\/(kotlin\/dev\/farad\/capacitor\/\w+\.kt|jniLibs\/[\w-]+\/libfarad\.so)$/,
  /^bindings\/(kotlin\/dev\/farad\/core\/farad\.kt|swift\/Farad(Core\.swift|FFI\.h|FFI\.modulemap))$/,
  /^ios\/(libraries\.json|Sources\/FaradCapacitor\/\w+\.(swift|xcprivacy)|Frameworks\/.*)$/,
  /^(Package\.swift|FaradCapacitor\.podspec)$/,
  /^dist\/(esm\/)?(testing\/)?[\w.-]+\.(js|cjs|d\.ts|map)$/,
  /^(README|CHANGELOG)\.md$/,
  /^LICENSE-(APACHE|MIT)$/,
  /^package\.json$/,
];

test('the package has what it needs and nothing else', () => {
  const [packed] = JSON.parse(run('npm', 'pack', '--dry-run', '--json', '--ignore-scripts')) as [
    { files: { path: string }[] },
  ];
  const paths = packed.files.map(({ path }) => path);
  expect(paths.filter((path) => !PUBLISHED.some((rule) => rule.test(path)))).toEqual([]);
  for (const path of ['dist/plugin.js', 'dist/plugin.cjs', 'dist/esm/index.d.ts', 'README.md']) {
    expect(paths).toContain(path);
  }
});

test('the pod has what CocoaPods requires of every pod', () => {
  const pod = readFileSync(`${root}/FaradCapacitor.podspec`, 'utf8');
  const set = [...pod.matchAll(/^ {2}s\.(\w+) = /gm)].map(([, name]) => name);
  const required = ['name', 'version', 'summary', 'homepage', 'license', 'authors', 'source'];
  expect(required.filter((name) => !set.includes(name))).toEqual([]);
});

test.each(['', '/testing'])('@farad/capacitor%s can be required', (entry) => {
  const names = run('node', '-p', `Object.keys(require('@farad/capacitor${entry}')).join()`);
  expect(names.trim()).toBe(entry ? 'FaradMock' : 'Farad');
});

test('the mock can be imported without a browser', () => {
  const code = `const { FaradMock } = await import('@farad/capacitor/testing');
    console.log((await new FaradMock().ready()).current.version)`;
  expect(run('node', '--input-type=module', '-e', code).trim()).toBe('1.0.0');
});

test('the page without a bundler gets one global', () => {
  const code = `globalThis.capacitorExports = require('@capacitor/core');
    globalThis.window = globalThis;
    new Function(require('fs').readFileSync('dist/plugin.js', 'utf8') + ';globalThis.farad = capacitorFarad')();
    console.log(Object.keys(farad.Farad).length)`;
  expect(Number(run('node', '-e', code))).toBeGreaterThan(12);
});
