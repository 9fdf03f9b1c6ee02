#!/usr/bin/env node
// Runs the command that lies in the package for this platform, which npm installed beside this one.
// Everything goes through: arguments, terminal, exit code, signals.

import { spawn } from 'node:child_process';
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

const child = spawn(program, process.argv.slice(2), { stdio: 'inherit' });
child.on('error', (error) => {
  console.error(`farad: ${program} cannot be run: ${error.message}`);
  process.exit(1);
});
// The terminal sends its signals to both; what is sent to this process alone is handed on.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => child.kill(signal));
}
child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
