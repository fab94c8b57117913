/** Makes a platform package: libraries, addon, licences, configuration. By hand: scripts/prebuild.mjs. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { kernelArchitectures } from './fatbin.mjs';
import { capture, must, root, run, runQuiet, step, Stop } from './shell.mjs';
import { ensureSystem, nvcc, prebuildNeeds } from './system.mjs';
import { cmakeJs, ensurePackages } from './setup.mjs';
import { ensureZig, fetchSources, sources, unpack, work, writeTools } from '../prebuild/tools.mjs';

const GLIBC = '2.28';
export const PROCESSORS = { x64: 'x86_64', arm64: 'aarch64' };
const own = path.join(root, 'scripts', 'prebuild');
const read = (file) => fs.readFileSync(file, 'utf8');

/** zlib, dav1d and FFmpeg in folder/prefix, once for each change of what they are made of. */
async function buildDependencies(folder, processor, { bin }) {
  const made = ['dependencies.sh', 'sources.json', 'requirements.txt', 'tools.mjs'];
  const digest = createHash('sha256').update(made.map((name) => read(path.join(own, name))).join());
  const wanted = digest.digest('hex');
  const stamp = path.join(folder, 'built-from');
  if (fs.existsSync(stamp) && read(stamp) === wanted) return;
  for (const name of ['src', 'prefix', 'addon', 'built-from']) {
    fs.rmSync(path.join(folder, name), { recursive: true, force: true });
  }
  fs.mkdirSync(path.join(folder, 'src'), { recursive: true });
  for (const name of Object.keys(sources)) await unpack(name, path.join(folder, 'src', name));
  step(`building zlib, dav1d and FFmpeg for ${processor} (some minutes, once)`);
  const env = { ...process.env, PATH: `${bin}:${process.env.PATH}` };
  const script = path.join(own, 'dependencies.sh');
  await must(runQuiet('bash', [script, folder, processor], { env }), 'Building the libraries');
  fs.writeFileSync(stamp, wanted);
}

const COMPILE = '-ffunction-sections -fdata-sections -fstack-protector-strong';
const LINK = [
  '-Wl,--gc-sections',
  '-Wl,-Bsymbolic',
  `-Wl,--version-script=${own}/exports.map`,
  '-s',
];

/**
 * The GPU path: nvcc's own host compiler is GCC, whose C++ library the kernels do not use (Note [Kernels without
 * a C++ library]). NVDEC's headers come without the system's, which lie beside them.
 */
function cudaSettings(folder) {
  const include = path.join(folder, 'cuda-include');
  const headers = ['/usr/local/include', '/usr/include'].find((place) =>
    fs.existsSync(path.join(place, 'ffnvcodec')),
  );
  fs.rmSync(include, { recursive: true, force: true });
  fs.mkdirSync(include);
  fs.symlinkSync(path.join(headers, 'ffnvcodec'), path.join(include, 'ffnvcodec'));
  const archs = process.env.npm_cmake_CPS_CUDA_ARCH_LIST ?? 'all';
  return [
    '--CDCPS_ENABLE_CUDA=ON',
    `--CDCPS_NVCC=${nvcc()}`,
    `--CDCPS_FFNVCODEC_INCLUDE=${include}`,
    `--CDCPS_CUDA_ARCH_LIST=${archs}`,
  ];
}

/** Toolchain file and environment with which CMake compiles by zig, against those libraries. `more`: its last lines. */
export function crossCompiling(folder, processor, more = []) {
  const bin = path.join(folder, 'bin');
  const toolchain = path.join(
    folder,
    more.length > 0 ? 'toolchain-tests.cmake' : 'toolchain.cmake',
  );
  const lines = [
    'set(CMAKE_SYSTEM_NAME Linux)',
    `set(CMAKE_SYSTEM_PROCESSOR ${processor})`,
    `set(CMAKE_C_COMPILER ${bin}/zig-cc)`,
    `set(CMAKE_CXX_COMPILER ${bin}/zig-c++)`,
    `set(CMAKE_AR ${bin}/zig-ar)`,
    `set(CMAKE_RANLIB ${bin}/zig-ranlib)`,
    `set(CMAKE_CXX_FLAGS_INIT "${COMPILE}")`,
    `set(CMAKE_SHARED_LINKER_FLAGS_INIT "${LINK.join(' ')}")`,
    `set(PKG_CONFIG_EXECUTABLE ${bin}/static-pkg-config)`,
    ...more,
  ];
  fs.writeFileSync(toolchain, `${lines.join('\n')}\n`);
  const libraries = path.join(folder, 'prefix', 'lib', 'pkgconfig');
  return { toolchain, env: { PKG_CONFIG_LIBDIR: libraries, PKG_CONFIG_PATH: '' } };
}

/** The addon, linked to those libraries; its file. */
async function buildAddon(folder, processor, cuda) {
  const { toolchain, env: libraries } = crossCompiling(folder, processor);
  const out = path.join(folder, cuda ? 'addon-cuda' : 'addon');
  const command = cmakeJs();
  const env = { ...command.env, ...libraries };
  const configure = [command.file, 'configure', '--directory', root, '--out', out];
  configure.push(`--CDCMAKE_TOOLCHAIN_FILE=${toolchain}`);
  configure.push(...(cuda ? cudaSettings(folder) : ['--CDCPS_ENABLE_CUDA=OFF']));
  step('building the addon');
  await must(runQuiet(process.execPath, configure, { env }), 'Configuring the addon');
  const build = ['--build', out, '--target', 'cps_addon', '--parallel'];
  await must(run('cmake', build, { env, stdio: ['ignore', 2, 2] }), 'Building the addon');
  return path.join(out, 'Release', 'codec_patch_stream.node');
}

const capabilities = (archs) => archs.map((arch) => (arch / 10).toFixed(1)).join(', ');

/** What it was made of and how, as text, for whoever wants to make it again (and the LGPL asks for it). */
function configuration(folder, processor, zig, kernels) {
  const version = (file, args) => execFileSync(file, args, { encoding: 'utf8' }).trim();
  const ffmpeg = read(path.join(folder, 'src', 'ffmpeg', 'config.h'));
  const [, flags] = /#define FFMPEG_CONFIGURATION "(.*)"/.exec(ffmpeg);
  const [, licence] = /#define FFMPEG_LICENSE "(.*)"/.exec(ffmpeg);
  const { version: package_ } = JSON.parse(read(path.join(root, 'package.json')));
  const where = (text) => text.replaceAll(folder, 'FOLDER').replaceAll(own, 'scripts/prebuild');
  const packages = Object.entries(sources).flatMap(([name, { version, files }]) => [
    `${name} ${version}`,
    ...Object.entries(files).map(([file, sum]) => `  ${sum}  ${file}`),
  ]);
  return [
    `codec-patch-stream ${package_} for ${processor}, glibc ${GLIBC} and newer, made by`,
    'node scripts/prebuild.mjs of its repository.',
    '',
    "Debian's source packages, with Debian's patches, and the SHA-256 of their files:",
    '',
    ...packages,
    '',
    `FFmpeg's licence as configured: ${licence}`,
    `FFmpeg's configuration: ${where(flags)}`,
    '',
    'zlib and dav1d: scripts/prebuild/dependencies.sh',
    `Compiler: zig ${version(zig, ['version'])}, -target ${processor}-linux-gnu.${GLIBC}`,
    `Compiler flags of the addon: ${COMPILE}, and those of CMakeLists.txt (Release)`,
    `Linker flags of the addon: ${where(LINK.join(' '))}`,
    ...(kernels
      ? [
          `Kernels: ${version(nvcc(), ['--version']).split('\n').at(-2)}, its runtime linked in`,
          `  for compute capability ${capabilities(kernels.code)}, and PTX ${capabilities(kernels.ptx)}`,
        ]
      : []),
    '',
  ].join('\n');
}

/** The licence of CUDA's runtime, as a toolkit or its wheels have it. */
function cudaLicence() {
  const top = capture('sh', ['-c', `'${nvcc()}' --dryrun -x cu /dev/null 2>&1`]);
  const toolkit = path.resolve(/TOP=(.+)/.exec(top ?? '')?.[1] ?? '/usr/local/cuda');
  const wheels = path.join(toolkit, 'dist-info');
  const [wheel = 'none'] = fs.existsSync(wheels)
    ? fs.readdirSync(wheels).filter((name) => name.startsWith('nvidia_cuda_runtime'))
    : [];
  const files = [
    ...['EULA.txt', 'LICENSE'].map((name) => path.join(toolkit, name)),
    path.join(wheels, wheel, 'licenses', 'License.txt'),
  ];
  const file = files.find((one) => fs.existsSync(one));
  if (!file) throw new Stop(`Expected the licence of CUDA among ${files.join(', ')}`);
  return file;
}

function fillPackage(arch, addon, folder, { zig, home }, cuda) {
  const target = path.join(root, 'packages', `linux-${arch}${cuda ? '-cuda' : ''}`);
  const licences = path.join(target, 'licences');
  fs.rmSync(licences, { recursive: true, force: true });
  fs.mkdirSync(licences, { recursive: true });
  const copy = (from, name) => fs.copyFileSync(from, path.join(licences, name));
  for (const [name, { licences: files }] of Object.entries(sources)) {
    for (const file of files) copy(path.join(folder, 'src', name, file), `${name}-${file}`);
  }
  // The C++ runtime and what else zig links in.
  for (const name of ['libcxx', 'libcxxabi', 'libunwind']) {
    copy(path.join(home, 'lib', name, 'LICENSE.TXT'), `${name}-LICENSE.TXT`);
  }
  copy(path.join(home, 'LICENSE'), 'zig-LICENSE');
  if (cuda) copy(cudaLicence(), 'cuda-LICENSE.txt');
  fs.copyFileSync(path.join(root, 'LICENSE'), path.join(target, 'LICENSE'));
  const kernels = cuda ? kernelArchitectures(addon) : undefined;
  const text = configuration(folder, PROCESSORS[arch], zig, kernels);
  fs.writeFileSync(path.join(target, 'configuration.txt'), text);
  // Not written over: a process may have loaded the old one.
  const file = path.join(target, 'codec_patch_stream.node');
  fs.copyFileSync(addon, `${file}.new`);
  fs.renameSync(`${file}.new`, file);
  return file;
}

export async function prebuild(arch, { cuda = false } = {}) {
  const processor = PROCESSORS[arch];
  if (!processor) throw new Stop(`Expected x64 or arm64 for --arch but received ${arch}`);
  if (cuda && arch !== 'x64') throw new Stop(`Expected x64 with --cuda but received ${arch}`);
  if (cuda && !nvcc()) throw new Stop('Expected nvcc for --cuda but it is not here');
  await ensureSystem(cuda ? [...prebuildNeeds, 'nvcodec'] : prebuildNeeds);
  await ensurePackages();
  const folder = path.join(work, arch);
  fs.mkdirSync(folder, { recursive: true });
  const tools = await ensureZig();
  writeTools(folder, tools.zig, `${processor}-linux-gnu.${GLIBC}`);
  await fetchSources();
  await buildDependencies(folder, processor, tools);
  const addon = await buildAddon(folder, processor, cuda);
  return fillPackage(arch, addon, folder, tools, cuda);
}
