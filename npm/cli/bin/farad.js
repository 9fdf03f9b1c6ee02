#!/usr/bin/env node
// Runs the command that lies in the package for this platform, which npm installed beside this one.
// Everything goes through: arguments, terminal, exit code, signals, the file that --passphrase-fd names.

import { spawn } from 'node:child_process';
import { fstatSync } from 'node:fs';
import { createRequire } from 'node:module';
import { constants } from 'node:os';

const platform = `${process.platform}-${process.arch}`;
const name = `@farad/cli-${platform}`;
const file = process.platform === 'win32' ? 'farad.exe' : 'farad';

let program;
try {
  program = createRequire(import.meta.url).resolve(`${name}/bin/${file}`);
} catch {
  console.error(
    `farad: there is no ${name}. Either this platform has none (build the command with cargo), or it was ` +
      'left out: install @farad/cli with its optional dependencies.',
  );
  process.exit(1);
}

const args = process.argv.slice(2);
// What is open beyond the terminal's three is handed on only where it is named.
const stdio = [0, 1, 2];
const named = args.findIndex((arg) => /^--passphrase-fd(=|$)/.test(arg));
const given = named < 0 ? '' : (args[named].split('=')[1] ?? args[named + 1]);
const fd = /^[0-9]{1,3}$/.test(given) ? Number(given) : 0;
if (fd > 2 && isOpen(fd)) {
  stdio[fd] = fd;
}

const child = spawn(program, args, { stdio: Array.from(stdio, (own) => own ?? 'ignore') });
child.on('error', (error) => {
  console.error(`farad: ${program} cannot be run: ${error.message}`);
  process.exit(1);
});
// The terminal sends its signals to both; what is sent to this process alone is handed on.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => child.kill(signal));
}
child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));

function isOpen(fd) {
  try {
    fstatSync(fd);
    return true;
  } catch {
    return false;
  }
}
