// Whether the package has what phones link, as it was built together: `npm publish` asks first.
//
// Enters: the package's folder with the records that `cargo xtask android` and `cargo xtask ios` leave
// beside their libraries. Refuses: a library that is missing, of another processor, changed after it
// was built, built for other bindings or another version than the package has, or (Android) not
// aligned for pages of 16 KB.

import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Android's names of processors, and ELF's numbers of them. */
const ABIS = { 'arm64-v8a': 183, 'armeabi-v7a': 40, x86_64: 62 };
/** Slices of the XCFramework: phones, and simulators on both kinds of Mac. */
const SLICES = ['ios-arm64', 'ios-arm64_x86_64-simulator'];
/** What each has: without the module map no app finds the library. */
const SLICE = ['libfarad.a', 'Headers/FaradFFI/FaradFFI.h', 'Headers/FaradFFI/module.modulemap'];
const BINDINGS = [
  'bindings/kotlin/dev/farad/core/farad.kt',
  'bindings/swift/FaradCore.swift',
  'bindings/swift/FaradFFI.h',
];
const PAGE = 16384;

/** What is wrong, a sentence each; nothing where the package may be published. */
export function problems(root) {
  const found = [];
  const at = (path) => join(root, path);
  const digest = (path) =>
    createHash('sha256')
      .update(readFileSync(at(path)))
      .digest('hex');
  const { version } = JSON.parse(readFileSync(at('package.json'), 'utf8'));

  const needed = {
    android: Object.keys(ABIS).map((abi) => `android/src/main/jniLibs/${abi}/libfarad.so`),
    ios: [
      'ios/Frameworks/FaradFFI.xcframework/Info.plist',
      ...SLICES.flatMap((slice) =>
        SLICE.map((file) => `ios/Frameworks/FaradFFI.xcframework/${slice}/${file}`),
      ),
    ],
  };
  for (const [platform, libraries] of Object.entries(needed)) {
    const place = `${platform}/libraries.json`;
    if (!existsSync(at(place))) {
      found.push(`there are no libraries for ${platform}: run \`cargo xtask ${platform}\``);
      continue;
    }
    const record = JSON.parse(readFileSync(at(place), 'utf8'));
    if (record.version !== version) {
      found.push(`${place} is of version ${record.version}, the package of ${version}`);
    }
    for (const path of BINDINGS) {
      if (record.bindings[path] !== digest(path)) {
        found.push(`the libraries for ${platform} were built for another ${path}`);
      }
    }
    for (const path of libraries) {
      if (!existsSync(at(path))) found.push(`${path} is missing`);
      else if (record.libraries[path] !== digest(path)) {
        found.push(`${path} is not the one that was built`);
      }
    }
  }
  const jni = 'android/src/main/jniLibs';
  for (const abi of existsSync(at(jni)) ? readdirSync(at(jni)) : []) {
    const path = `${jni}/${abi}/libfarad.so`;
    if (!existsSync(at(path))) continue;
    const elf = read(readFileSync(at(path)));
    if (!elf) found.push(`${path} is no library`);
    else if (elf.machine !== ABIS[abi]) found.push(`${path} is for another processor`);
    else if (Math.min(...elf.alignments) < PAGE) {
      found.push(`${path} is not aligned for pages of 16 KB`);
    }
  }
  return found;
}

/** The processor of an ELF library, and how the segments are aligned that are loaded from it. */
function read(bytes) {
  if (bytes.length < 64 || bytes.readUInt32BE(0) !== 0x7f454c46 || bytes[5] !== 1) return undefined;
  const wide = bytes[4] === 2;
  const [table, size, many] = wide
    ? [Number(bytes.readBigUInt64LE(32)), bytes.readUInt16LE(54), bytes.readUInt16LE(56)]
    : [bytes.readUInt32LE(28), bytes.readUInt16LE(42), bytes.readUInt16LE(44)];
  const alignments = [];
  for (let index = 0; index < many; index += 1) {
    const at = table + index * size;
    if (at + size > bytes.length) return undefined;
    if (bytes.readUInt32LE(at) !== 1) continue;
    alignments.push(wide ? Number(bytes.readBigUInt64LE(at + 48)) : bytes.readUInt32LE(at + 28));
  }
  return alignments.length > 0 ? { machine: bytes.readUInt16LE(18), alignments } : undefined;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const found = problems(fileURLToPath(new URL('../..', import.meta.url)));
  for (const problem of found) console.error(`not to be published: ${problem}`);
  process.exitCode = found.length > 0 ? 1 : 0;
}
