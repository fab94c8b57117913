#!/usr/bin/env node
/**
 * Builds the native addon of an installed package from its sources, against the system's FFmpeg: for systems
 * without a platform package, for CUDA, or for an FFmpeg of one's own. The result is preferred to the
 * platform package.
 *
 *   npx codec-patch-stream-build
 *
 * cmake-js and node-addon-api are taken from the project, else fetched by npm for this build only.
 */
import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import * as path from 'node:path';
import { must, root, runQuiet, step, Stop } from './lib/shell.mjs';
import { aptCommand, buildNeeds, missingPackages } from './lib/system.mjs';
import { buildNative, checkNode, toolPlace, tools } from './lib/setup.mjs';

const require = createRequire(path.join(root, 'package.json'));

async function fetchTools() {
  if (['cmake-js', 'node-addon-api'].every((name) => toolPlace(name))) return;
  const { devDependencies: versions } = require('./package.json');
  step('fetching cmake-js and node-addon-api');
  fs.mkdirSync(tools, { recursive: true });
  fs.writeFileSync(path.join(tools, 'package.json'), '{ "private": true }\n');
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline'];
  const names = ['cmake-js', 'node-addon-api'].map((name) => `${name}@${versions[name]}`);
  await must(runQuiet('npm', ['install', ...flags, ...names], { cwd: tools }), 'npm install');
}

async function build() {
  checkNode();
  if (process.platform !== 'linux') {
    throw new Stop(`Expected Linux but this is ${process.platform}: the addon is not built there`);
  }
  const missing = missingPackages(buildNeeds);
  if (missing.length > 0) {
    throw new Stop(
      'Building codec-patch-stream from source needs a C++20 compiler, CMake >= 3.22 and the\n' +
        `development files of FFmpeg >= 5.1. Missing here: ${missing.join(', ')}\n` +
        `On Debian 12, Ubuntu 24.04 and newer, type this and build again:\n\n  ${aptCommand(missing)}\n`,
    );
  }
  await fetchTools();
  const isClone = fs.existsSync(path.join(root, '.git'));
  await buildNative({ target: 'cps_addon', once: !isClone });
  const folder = path.join(root, 'build');
  const addon = path.join(folder, 'Release', 'codec_patch_stream.node');
  require(addon);
  // In a clone the rest is of use for the next build; elsewhere it is twenty times the addon's size.
  if (!isClone) {
    for (const name of fs.readdirSync(folder)) {
      if (name !== 'Release') fs.rmSync(path.join(folder, name), { recursive: true, force: true });
    }
  }
  process.stdout.write(`${addon}\n`);
}

try {
  await build();
} catch (error) {
  process.stderr.write(`\n${error instanceof Stop ? error.message : error.stack}\n`);
  process.exitCode = 1;
}
