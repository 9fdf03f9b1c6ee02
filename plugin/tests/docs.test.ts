// @vitest-environment node
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

// @ts-expect-error a script without types
import { pages as made } from '../scripts/docs.js';

const pages = (made as () => Record<string, string>)();
const onDisk = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');

test.each(Object.keys(pages))('the generated parts of %s are current (npm run docgen)', (path) => {
  expect(onDisk(path)).toBe(pages[path]);
});

test('the reference names every call and every event', () => {
  const source = onDisk('plugin/src/definitions.ts');
  const events = [...source.matchAll(/eventName: '(\w+)'/g)].map(([, name]) => name);
  const calls = [...source.matchAll(/^ {2}(\w+)\(.*\): Promise</gm)].map(([, name]) => name);
  expect(events.length).toBe(8);
  expect(calls.length).toBeGreaterThan(12);
  for (const name of [...events, ...calls]) {
    expect(onDisk('docs/plugin.md')).toContain(name);
    if (name !== 'removeAllListeners') expect(onDisk('README.md')).toContain(`[\`${name}`);
  }
});
