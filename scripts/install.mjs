#!/usr/bin/env node
/**
 * The package's install script: makes sure the native addon is there. In this order: a prebuilt
 * platform package; a build of this package's sources against the system's FFmpeg; or a message that
 * names the one command to type. It downloads nothing.
 *
 * Package managers increasingly run a dependency's install script only when the project allows it.
 * Where it was left out, `node node_modules/codec-patch-stream/scripts/install.mjs` does the same by hand.
 */
import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import * as path from 'node:path';
import { root, Stop } from './lib/shell.mjs';
import { aptCommand, buildNeeds, missingPackages } from './lib/system.mjs';
import { buildNative, checkNode } from './lib/setup.mjs';

const require = createRequire(path.join(root, 'package.json'));

function prebuilt() {
  try {
    return require.resolve(`@codec-patch-stream/${process.platform}-${process.arch}`);
  } catch {
    return undefined;
  }
}

async function install() {
  // In a clone the builds belong to `npm run build`, `npm test` and `npm run demo`.
  if (fs.existsSync(path.join(root, '.git'))) return;
  checkNode();
  if (prebuilt()) return;
  if (process.platform !== 'linux') {
    throw new Stop(
      `Expected Linux but this is ${process.platform}: no other platform is supported yet.`,
    );
  }
  const missing = missingPackages(buildNeeds);
  if (missing.length > 0) {
    throw new Stop(
      'codec-patch-stream is built from source at install and needs a C++20 compiler, CMake >= 3.22 and the\n' +
        `development files of FFmpeg >= 5.1. Missing here: ${missing.join(', ')}\n` +
        `On Debian 12, Ubuntu 24.04 and newer, type this and install again:\n\n  ${aptCommand(missing)}\n`,
    );
  }
  await buildNative({ target: 'cps_addon' });
  const build = path.join(root, 'build');
  require(path.join(build, 'Release', 'codec_patch_stream.node'));
  // Only the addon is of use from here on; the object files are twenty times its size.
  for (const name of fs.readdirSync(build)) {
    if (name !== 'Release') fs.rmSync(path.join(build, name), { recursive: true, force: true });
  }
}

try {
  await install();
} catch (error) {
  process.stderr.write(`\n${error instanceof Stop ? error.message : error.stack}\n`);
  process.exitCode = 1;
}
