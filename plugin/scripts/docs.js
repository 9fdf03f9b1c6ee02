// Fills the generated parts of the docs from the comments of plugin/src: the reference in
// docs/plugin.md by @capacitor/docgen, and the table of calls in README.md. With `--check`, writes
// nothing and fails where they are not current.

import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const docgen = require('@capacitor/docgen/dist/parse.js');
const { replaceMarkdownPlaceholders } = require('@capacitor/docgen/dist/output.js');

const root = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));
const REFERENCE = 'docs/plugin.md';
const SOURCES = ['definitions', 'answers', 'events', 'errors', 'config'];

/** The pages with generated parts, by path, as they should be. */
export function pages() {
  const data = docgen.parse({
    inputFiles: SOURCES.map((name) => root(`plugin/src/${name}.ts`)),
  })('FaradPlugin');
  const read = (path) => readFileSync(root(path), 'utf8');
  return {
    [REFERENCE]: replaceMarkdownPlaceholders(read(REFERENCE), data),
    'README.md': between(read('README.md'), 'calls', calls(data.api.methods)),
  };
}

function calls(methods) {
  const seen = new Set();
  const rows = methods.flatMap((method) => {
    const event = /eventName: '(\w+)'/.exec(method.signature)?.[1];
    const name = event ?? `${method.name}()`;
    if (seen.has(name) || name === 'removeAllListeners()') return [];
    seen.add(name);
    const first = method.docs.split(/\.\s/)[0].replace(/\s+/g, ' ').replace(/\.$/, '');
    return [`| [\`${name}\`](${REFERENCE}#${method.slug}) | ${first} |`];
  });
  return ['| Call or event | What it does or tells |', '|---|---|', ...rows].join('\n');
}

function between(text, name, content) {
  const [start, end] = [`<!-- ${name}: made by npm run docgen -->`, `<!-- /${name} -->`];
  const [from, to] = [text.indexOf(start), text.indexOf(end)];
  if (from < 0 || to < from) throw new Error(`no place for ${name}`);
  return `${text.slice(0, from + start.length)}\n${content}\n${text.slice(to)}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const stale = Object.entries(pages()).filter(
    ([path, text]) => readFileSync(root(path), 'utf8') !== text,
  );
  if (process.argv.includes('--check')) {
    for (const [path] of stale) console.error(`${path} is not current: npm run docgen`);
    process.exitCode = stale.length > 0 ? 1 : 0;
  } else {
    for (const [path, text] of stale) writeFileSync(root(path), text);
  }
}
