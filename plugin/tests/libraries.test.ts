// What `npm publish` refuses. The libraries are made up; what is asked of them is real.
// @vitest-environment node
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
// @ts-expect-error a script without types
import { problems as found } from '../scripts/libraries.js';

const problems = found as (root: string) => string[];
const ANDROID = 'android/src/main/jniLibs';
const IOS = 'ios/Frameworks/FaradFFI.xcframework';
const BINDINGS = [
  'bindings/kotlin/dev/farad/core/farad.kt',
  'bindings/swift/FaradCore.swift',
  'bindings/swift/FaradFFI.h',
];

let root: string;

/** A library of one segment. */
function elf(machine: number, align: number): Buffer {
  const bytes = Buffer.alloc(64 + 56);
  bytes.writeUInt32BE(0x7f454c46);
  bytes[4] = 2;
  bytes[5] = 1;
  bytes.writeUInt16LE(machine, 18);
  bytes.writeBigUInt64LE(64n, 32);
  bytes.writeUInt16LE(56, 54);
  bytes.writeUInt16LE(1, 56);
  bytes.writeUInt32LE(1, 64);
  bytes.writeBigUInt64LE(BigInt(align), 64 + 48);
  return bytes;
}

function write(path: string, content: string | Buffer): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), content);
}

const digests = (paths: string[]) =>
  Object.fromEntries(
    paths.map((path) => [
      path,
      createHash('sha256')
        .update(readFileSync(join(root, path)))
        .digest('hex'),
    ]),
  );

function record(platform: string, libraries: string[]): void {
  const content = {
    version: '0.1.0',
    bindings: digests(BINDINGS),
    libraries: digests(libraries),
  };
  write(`${platform}/libraries.json`, JSON.stringify(content));
}

/** A package as it is published. */
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'farad-libraries-'));
  write('package.json', '{"version":"0.1.0"}');
  for (const path of BINDINGS) write(path, path);
  const so = (abi: string) => `${ANDROID}/${abi}/libfarad.so`;
  write(so('arm64-v8a'), elf(183, 16384));
  write(so('armeabi-v7a'), elf(40, 16384));
  write(so('x86_64'), elf(62, 16384));
  record('android', ['arm64-v8a', 'armeabi-v7a', 'x86_64'].map(so));
  const slices = ['ios-arm64', 'ios-arm64_x86_64-simulator'].flatMap((slice) =>
    ['libfarad.a', 'Headers/FaradFFI/FaradFFI.h', 'Headers/FaradFFI/module.modulemap'].map(
      (file) => `${IOS}/${slice}/${file}`,
    ),
  );
  for (const path of [`${IOS}/Info.plist`, ...slices]) write(path, path);
  record('ios', [`${IOS}/Info.plist`, ...slices]);
});

afterEach(() => rmSync(root, { recursive: true }));

test('a whole package may be published', () => {
  expect(problems(root)).toEqual([]);
});

test('a package without libraries is refused', () => {
  rmSync(join(root, 'android/libraries.json'));
  rmSync(join(root, IOS), { recursive: true });
  expect(problems(root)).toEqual([
    'there are no libraries for android: run `cargo xtask android`',
    `${IOS}/Info.plist is missing`,
    `${IOS}/ios-arm64/libfarad.a is missing`,
    `${IOS}/ios-arm64/Headers/FaradFFI/FaradFFI.h is missing`,
    `${IOS}/ios-arm64/Headers/FaradFFI/module.modulemap is missing`,
    `${IOS}/ios-arm64_x86_64-simulator/libfarad.a is missing`,
    `${IOS}/ios-arm64_x86_64-simulator/Headers/FaradFFI/FaradFFI.h is missing`,
    `${IOS}/ios-arm64_x86_64-simulator/Headers/FaradFFI/module.modulemap is missing`,
  ]);
});

test('a framework that no app can import is refused', () => {
  const map = `${IOS}/ios-arm64/Headers/FaradFFI/module.modulemap`;
  rmSync(join(root, map));
  expect(problems(root)).toEqual([`${map} is missing`]);
});

test('a processor that was left out is missed', () => {
  rmSync(join(root, `${ANDROID}/x86_64`), { recursive: true });
  expect(problems(root)).toEqual([`${ANDROID}/x86_64/libfarad.so is missing`]);
});

test('a library that was exchanged is refused', () => {
  write(`${IOS}/ios-arm64/libfarad.a`, 'another');
  expect(problems(root)).toEqual([`${IOS}/ios-arm64/libfarad.a is not the one that was built`]);
});

test('libraries of one version with bindings of another are refused', () => {
  write('bindings/swift/FaradFFI.h', 'changed since');
  write('package.json', '{"version":"0.2.0"}');
  expect(problems(root)).toEqual([
    'android/libraries.json is of version 0.1.0, the package of 0.2.0',
    'the libraries for android were built for another bindings/swift/FaradFFI.h',
    'ios/libraries.json is of version 0.1.0, the package of 0.2.0',
    'the libraries for ios were built for another bindings/swift/FaradFFI.h',
  ]);
});

test('a library that large pages cannot load is refused, and one of another processor', () => {
  const [arm64, arm] = [`${ANDROID}/arm64-v8a/libfarad.so`, `${ANDROID}/armeabi-v7a/libfarad.so`];
  write(arm64, elf(183, 4096));
  write(arm, elf(183, 16384));
  record('android', [arm64, arm, `${ANDROID}/x86_64/libfarad.so`]);
  expect(problems(root)).toEqual([
    `${arm64} is not aligned for pages of 16 KB`,
    `${arm} is for another processor`,
  ]);
});

test('npm asks before it publishes', () => {
  const project = fileURLToPath(new URL('../..', import.meta.url));
  const { scripts } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  expect(scripts.prepublishOnly).toBe('npm run build && node plugin/scripts/libraries.js');
  const asked = () =>
    execFileSync('node', ['plugin/scripts/libraries.js'], { cwd: project, stdio: 'pipe' });
  if (problems(project).length > 0) expect(asked).toThrow(/not to be published/);
  else expect(asked).not.toThrow();
});
