#!/usr/bin/env node
/**
 * The native tests, compiled as the platform package of arm64 is and run under qemu: the loops and the FFmpeg of that
 * processor against what the tests know.
 *
 *   node scripts/prebuild/emulated-tests.mjs SYSTEM [TARGET…]     (ops_test core_test pipeline_test without)
 *
 * SYSTEM is a folder with glibc for arm64, as bare-root.sh leaves one. Needs what scripts/prebuild.mjs --arch arm64
 * has made, qemu-aarch64-static, and Debian's googletest. Fixtures as for `npm test`.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { cacheDir } from '../fixtures.mjs';
import { crossCompiling, PROCESSORS } from '../lib/prebuild.mjs';
import { has, must, root, run, runQuiet, step, Stop } from '../lib/shell.mjs';
import { work } from './tools.mjs';

const GOOGLETEST = '/usr/src/googletest';

async function main(system, targets) {
  const emulator = 'qemu-aarch64-static';
  if (!has(emulator)) throw new Stop(`Expected ${emulator} (Debian: qemu-user-static)`);
  if (!fs.existsSync(GOOGLETEST)) throw new Stop(`Expected ${GOOGLETEST} (Debian: googletest)`);
  if (!system || !fs.existsSync(path.join(system, 'lib', 'ld-linux-aarch64.so.1'))) {
    throw new Stop(`Expected a system for arm64 but received ${system ?? 'nothing'}`);
  }
  const folder = path.join(work, 'arm64');
  if (!fs.existsSync(path.join(folder, 'built-from'))) {
    throw new Stop('Run node scripts/prebuild.mjs --arch arm64 first');
  }
  const command = [emulator, '-L', fs.realpathSync(system)];
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
  const [system, ...targets] = process.argv.slice(2);
  await main(system, targets.length > 0 ? targets : ['ops_test', 'core_test', 'pipeline_test']);
} catch (error) {
  process.stderr.write(`\n${error instanceof Stop ? error.message : error.stack}\n`);
  process.exitCode = 1;
}
