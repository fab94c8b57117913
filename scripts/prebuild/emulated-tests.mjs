#!/usr/bin/env node
/**
 * The native tests, compiled as the platform package of arm64 is and run under qemu: the loops and the FFmpeg of that
 * processor against what the tests know.
 *
 *   node scripts/prebuild/emulated-tests.mjs [TARGET…]     (core_test ops_test pipeline_test without)
 *
 * Needs what scripts/prebuild.mjs --arch arm64 has made, and of Debian qemu-user-static, libc6-arm64-cross and
 * googletest. Fixtures as for `npm test`.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { cacheDir } from '../fixtures.mjs';
import { crossCompiling, PROCESSORS } from '../lib/prebuild.mjs';
import { has, must, root, run, runQuiet, step, Stop } from '../lib/shell.mjs';
import { work } from './tools.mjs';

const GOOGLETEST = '/usr/src/googletest';
const SYSTEM = '/usr/aarch64-linux-gnu';
const EMULATOR = 'qemu-aarch64-static';

async function main(targets) {
  if (!has(EMULATOR)) throw new Stop(`Expected ${EMULATOR} (Debian: qemu-user-static)`);
  if (!fs.existsSync(GOOGLETEST)) throw new Stop(`Expected ${GOOGLETEST} (Debian: googletest)`);
  if (!fs.existsSync(SYSTEM)) throw new Stop(`Expected ${SYSTEM} (Debian: libc6-arm64-cross)`);
  const folder = path.join(work, 'arm64');
  if (!fs.existsSync(path.join(folder, 'built-from'))) {
    throw new Stop('Run node scripts/prebuild.mjs --arch arm64 first');
  }
  const command = [EMULATOR, '-L', SYSTEM];
  const more = [`set(CMAKE_CROSSCOMPILING_EMULATOR ${command.join(' ')})`];
  const { toolchain, env: libraries } = crossCompiling(folder, PROCESSORS.arm64, more);
  const env = { ...process.env, ...libraries };

  const googletest = path.join(folder, 'googletest');
  const cmake = async (source, out, flags, ...what) => {
    const configure = ['-S', source, '-B', out, `-DCMAKE_TOOLCHAIN_FILE=${toolchain}`];
    configure.push('-G', 'Ninja', '-DCMAKE_BUILD_TYPE=Release', ...flags);
    await must(runQuiet('cmake', configure, { env }), `Configuring ${out}`);
    await must(runQuiet('cmake', ['--build', out, '--target', ...what], { env }), 'The build');
  };
  step('building googletest for arm64');
  const prefix = [`-DCMAKE_INSTALL_PREFIX=${googletest}`, '-DBUILD_GMOCK=OFF'];
  await cmake(GOOGLETEST, path.join(folder, 'googletest-build'), prefix, 'install');
  step(`building ${targets.join(', ')} for arm64`);
  const out = path.join(folder, 'tests');
  const flags = ['ADDON=OFF', 'TESTS=ON'].map((flag) => `-DCPS_BUILD_${flag}`);
  flags.push('-DCPS_ENABLE_CUDA=OFF', `-DGTest_DIR=${googletest}/lib/cmake/GTest`);
  await cmake(root, out, flags, ...targets);

  const failed = [];
  for (const target of targets) {
    const [file, ...args] = [...command, path.join(out, 'test', 'native', target)];
    const options = { env: { ...env, CPS_FIXTURES: cacheDir } };
    if ((await run(file, [...args, '--gtest_brief=1'], options)) !== 0) failed.push(target);
  }
  if (failed.length > 0) throw new Stop(`Failed under emulation: ${failed.join(', ')}`);
}

try {
  const targets = process.argv.slice(2);
  await main(targets.length > 0 ? targets : ['core_test', 'ops_test', 'pipeline_test']);
} catch (error) {
  process.stderr.write(`\n${error instanceof Stop ? error.message : error.stack}\n`);
  process.exitCode = 1;
}
