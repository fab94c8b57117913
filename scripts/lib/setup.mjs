/** npm packages, native build and TypeScript build, each skipped when nothing changed. */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import * as os from 'node:os';
import * as path from 'node:path';
import { bin, capture, must, root, run, runQuiet, step, Stop } from './shell.mjs';
import { nvcc } from './system.mjs';

const at = (...parts) => path.join(root, ...parts);
const read = (file) => (fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : undefined);
const digest = (...texts) => createHash('sha256').update(texts.join('\0')).digest('hex');

export function checkNode() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < 20) throw new Stop(`Expected Node.js 20 or newer but this is ${process.version}`);
}

/** npm ci, exactly as the lock file says. No package's install script runs: some download. */
export async function ensurePackages() {
  const folder = at('node_modules');
  const stat = fs.lstatSync(folder, { throwIfNoEntry: false });
  // A link belongs to another checkout; npm ci would empty that one's folder.
  if (stat?.isSymbolicLink()) return;
  const stamp = at('node_modules', '.installed-from');
  const wanted = digest(read(at('package-lock.json')), process.version, process.arch);
  if (read(stamp) === wanted) return;
  step('npm ci');
  await must(runQuiet('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund']), 'npm ci');
  fs.writeFileSync(stamp, wanted);
}

/** Where scripts/build-from-source.mjs puts what a build needs and the project has not. */
export const tools = at('build', 'tools');

/** The folder of an npm package, wherever npm put it: beside this package, inside it, or there. */
export function toolPlace(name) {
  for (const from of [root, tools]) {
    try {
      const manifest = createRequire(path.join(from, 'package.json')).resolve(
        `${name}/package.json`,
      );
      return path.dirname(manifest);
    } catch {
      // Not there.
    }
  }
  return undefined;
}

/** The command of cmake-js, and an environment in which it finds node-addon-api. */
export function cmakeJs() {
  const places = Object.fromEntries(
    ['cmake-js', 'node-addon-api'].map((name) => {
      const place = toolPlace(name);
      if (place === undefined) throw new Stop(`The npm package ${name} is not installed`);
      return [name, place];
    }),
  );
  return {
    file: path.join(places['cmake-js'], 'bin', 'cmake-js'),
    env: { ...process.env, NODE_PATH: path.dirname(places['node-addon-api']) },
  };
}

/**
 * Architectures that CUDA sources are compiled for in a clone: the GPUs that are here, else the
 * oldest that nvcc 13 knows, which is enough to compile and to test on the host. All of them (what
 * an installation builds, and a release) take minutes: npm_cmake_CPS_CUDA_ARCH_LIST=all.
 */
function cudaArchs() {
  if (!fs.existsSync(at('.git'))) return undefined;
  const given = ['CPS_CUDA_ARCH_LIST', 'CODEC_CUDA_ARCH_LIST'].some(
    (name) => process.env[`npm_cmake_${name}`] !== undefined,
  );
  if (given || !nvcc()) return undefined;
  const gpus = capture('nvidia-smi', ['--query-gpu=compute_cap', '--format=csv,noheader']);
  const found = [...new Set(gpus?.match(/^\d+\.\d+$/gm))];
  return found.length > 0 ? found.join(' ') : '75';
}

/**
 * CMake goes on with no cache that was made for another folder (a copied checkout): forgets what it
 * keeps of such a configuration in `dir`.
 */
export function forgetForeignCache(dir) {
  const cache = read(path.join(dir, 'CMakeCache.txt'));
  const [, home] = /^CMAKE_HOME_DIRECTORY:INTERNAL=(.*)$/m.exec(cache ?? '') ?? [];
  const real = (folder) => (fs.existsSync(folder) ? fs.realpathSync(folder) : folder);
  if (home === undefined || real(home) === real(root)) return;
  step(`${path.relative(root, dir)} was configured for ${home}; configuring it anew`);
  for (const name of ['CMakeCache.txt', 'CMakeFiles', 'configured-with']) {
    fs.rmSync(path.join(dir, name), { recursive: true, force: true });
  }
}

/**
 * One build folder for the addon, the native tests and benchmarks, so the core is compiled once.
 * Once a run has asked for tests or benchmarks they stay configured; `npm run demo` still builds
 * only the addon. `gpuTests`: what only a GPU runs, true unless it was said otherwise before. `once`:
 * the folder is not built in again.
 */
export async function buildNative({ tests, bench, gpuTests, target, once } = {}) {
  const dir = at('build');
  const stamp = path.join(dir, 'configured-with');
  forgetForeignCache(dir);
  const cache = read(path.join(dir, 'CMakeCache.txt'));
  const withTests = tests || /CPS_BUILD_TESTS:\w+=ON/.test(cache ?? '');
  const withBench = bench || /CPS_BUILD_BENCH:\w+=ON/.test(cache ?? '');
  const args = ['--directory', root, '--out', dir, '--CDCMAKE_EXPORT_COMPILE_COMMANDS=ON'];
  args.push(`--CDCPS_BUILD_TESTS=${withTests ? 'ON' : 'OFF'}`);
  args.push(`--CDCPS_BUILD_BENCH=${withBench ? 'ON' : 'OFF'}`);
  const withGpu = gpuTests ?? !/CPS_BUILD_GPU_TESTS:\w+=OFF/.test(cache ?? '');
  args.push(`--CDCPS_BUILD_GPU_TESTS=${withGpu ? 'ON' : 'OFF'}`);
  if (once) args.push('--CDCPS_PRECOMPILED=ON');
  const archs = cudaArchs();
  if (archs) args.push(`--CDCPS_CUDA_ARCH_LIST=${archs}`);
  // Include paths come out of the npm packages: another lock file, another configuration. cmake-js
  // takes cache variables from the environment too (npm_cmake_CPS_ENABLE_CUDA=OFF).
  const given = Object.entries(process.env).filter(([name]) => name.startsWith('npm_cmake_'));
  const wanted = digest(read(at('package-lock.json')), process.version, ...args, ...given.flat());
  if (!cache || read(stamp) !== wanted) {
    step('configuring the native build');
    const { file, env } = cmakeJs();
    await must(
      runQuiet(process.execPath, [file, 'configure', ...args], { env }),
      'Configuring the native build',
    );
    fs.writeFileSync(stamp, wanted);
  }
  if (!fs.existsSync(path.join(dir, 'Release', 'codec_patch_stream.node'))) {
    step('building the native core (a minute or two, once)');
  }
  const what = ['--config', 'Release', '--parallel', String(os.availableParallelism())];
  if (target) what.push('--target', ...[target].flat());
  await must(runQuiet('cmake', ['--build', dir, ...what]), 'The native build');
}

/** Names, sizes and times of all files below `folders`: what a compiler would look at. */
function snapshot(...folders) {
  const rows = folders.flatMap((folder) =>
    fs.readdirSync(at(folder), { recursive: true, withFileTypes: true }).map((entry) => {
      const file = path.join(entry.parentPath ?? entry.path, entry.name);
      const { size, mtimeMs } = fs.statSync(file);
      return entry.isFile() ? `${file} ${size} ${mtimeMs}` : '';
    }),
  );
  return digest(...rows.sort(), read(at('tsconfig.json')), read(at('package-lock.json')));
}

/** tsc into dist/. Starting tsc to learn that nothing changed takes seconds; looking does not. */
export async function buildTypeScript() {
  const stamp = at('build', 'typescript-built-from');
  const wanted = snapshot('src', 'adapters', 'packages/cli/src');
  const cli = at('packages', 'cli');
  const command = path.join(cli, 'dist', 'main.js');
  const built = fs.existsSync(at('dist', 'src', 'index.js')) && fs.existsSync(command);
  if (built && read(stamp) === wanted) return;
  // Without its output, tsc's own memory of the last run would be wrong.
  if (!built) {
    for (const name of ['tsbuildinfo', 'tsbuildinfo.cli']) {
      fs.rmSync(at('build', name), { force: true });
    }
  }
  await must(run(bin('tsc'), ['-p', root]), 'The TypeScript build');
  // It imports the package by its name, so the package comes first.
  await must(run(bin('tsc'), ['-p', cli]), 'The TypeScript build of the command line');
  for (const file of [at('dist', 'src', 'bin.js'), command]) fs.chmodSync(file, 0o755);
  fs.mkdirSync(at('build'), { recursive: true });
  fs.writeFileSync(stamp, wanted);
}
