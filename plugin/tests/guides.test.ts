// The code of docs/guides: every file that a guide shows compiles against the published types, every
// configuration is one, and the tests that a guide shows pass. Needs `npm run build`.
// @vitest-environment node
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const guides = join(root, 'docs/guides');
// Inside the package, so that its own name leads to what it publishes.
const place = join(root, 'target/guides');

/** Blocks of all guides: language, file name if it has one, text. */
function blocks(): { page: string; language: string; name: string; text: string }[] {
  return readdirSync(guides).flatMap((page) => {
    const text = readFileSync(join(guides, page), 'utf8');
    const found = text.matchAll(/^```(\w+)(?: ([\w.-]+))?\n(.*?)^```$/gms);
    return [...found].map(([, language = '', name = '', body = '']) => ({
      page,
      language,
      name,
      text: body,
    }));
  });
}

const CONFIG = {
  compilerOptions: {
    target: 'ES2022',
    module: 'ESNext',
    moduleResolution: 'bundler',
    lib: ['ES2022', 'DOM', 'DOM.Iterable'],
    jsx: 'react-jsx',
    types: [],
    strict: true,
    noUnusedLocals: true,
    experimentalDecorators: true,
    skipLibCheck: true,
    noEmit: true,
  },
  include: ['*'],
};

const VITEST = `import { defineConfig } from 'vitest/config';
const published = (path) => new URL('../../dist/esm/' + path, import.meta.url).pathname;
export default defineConfig({
  test: { environment: 'happy-dom' },
  resolve: {
    alias: [
      { find: /^@farad\\/capacitor$/, replacement: published('index.js') },
      { find: /^@farad\\/capacitor\\/testing$/, replacement: published('testing/index.js') },
    ],
  },
});
`;

beforeAll(() => {
  rmSync(place, { recursive: true, force: true });
  mkdirSync(place, { recursive: true });
  const code = blocks().filter(({ language, name }) => /^tsx?$/.test(language) && name);
  expect(code.length).toBeGreaterThan(7);
  for (const { name, text } of code) writeFileSync(join(place, name), text);
  const configs = blocks().filter(
    ({ language, text }) => language === 'json' && text.includes('"Farad"'),
  );
  expect(configs.length).toBeGreaterThan(2);
  configs.forEach(({ text }, index) => {
    const typed = `import type {} from '@farad/capacitor';
import type { CapacitorConfig } from '@capacitor/cli';
export const config: CapacitorConfig = ${text.trim()};\n`;
    writeFileSync(join(place, `config-${index}.ts`), typed);
  });
  writeFileSync(join(place, 'tsconfig.json'), JSON.stringify(CONFIG));
  writeFileSync(join(place, 'vitest.config.js'), VITEST);
});

/** Runs one of the project's own tools there; what it said is the failure. */
function run(tool: string, ...args: string[]): string {
  try {
    const file = join(root, 'node_modules', tool);
    const env = { ...process.env, NO_COLOR: '1' };
    return execFileSync('node', [file, ...args], {
      cwd: place,
      encoding: 'utf8',
      env,
      stdio: 'pipe',
    });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    expect.fail(stdout + stderr);
  }
}

test('every file that a guide shows compiles', () => {
  run('typescript/bin/tsc', '-p', place);
});

test('the tests that a guide shows pass', () => {
  expect(run('vitest/vitest.mjs', 'run', '--root', place)).toMatch(/Tests +4 passed/);
});

test('no code block of a guide is left out', () => {
  const left = blocks().filter(
    ({ language, name }) => /^(tsx?|jsx?|html)$/.test(language) && !name,
  );
  expect(left.map(({ page, text }) => `${page}: ${text}`)).toEqual([]);
});
