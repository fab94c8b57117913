/**
 * What the operating system must offer, and how to get it on Debian and Ubuntu. Each need is checked
 * by what it does (a program that runs, a library pkg-config knows), never by a package's name, so a
 * compiler or an FFmpeg from elsewhere is as good as the distribution's.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import { capture, has, run, step, Stop } from './shell.mjs';

const version = (text) => (text?.match(/(\d+)\.(\d+)/) ?? []).slice(1).map(Number);
const atLeast = ([major = 0, minor = 0], [a, b]) => major > a || (major === a && minor >= b);
const library = (name, lowest) => () =>
  capture('pkg-config', ['--exists', lowest ? `${name} >= ${lowest}` : name]) !== undefined;
const header = (name) => () =>
  fs.existsSync(`/usr/include/${name}`) || fs.existsSync(`/usr/local/include/${name}`);

/** nvcc, where cuda/CMakeLists.txt looks for it. */
export function nvcc() {
  const { CUDACXX, CUDA_PATH, CUDA_HOME } = process.env;
  const folders = [CUDA_PATH, CUDA_HOME, '/usr/local/cuda', '/opt/cuda'].filter(Boolean);
  const files = [CUDACXX, ...folders.map((folder) => path.join(folder, 'bin', 'nvcc'))];
  return (
    files.find((file) => file && fs.existsSync(file)) ?? capture('sh', ['-c', 'command -v nvcc'])
  );
}

// The lowest FFmpeg is 5.1 (Debian 12), as in CMakeLists.txt.
const needs = {
  compiler: {
    apt: 'g++',
    ok: () => atLeast(version(capture('c++', ['-dumpfullversion', '-dumpversion'])), [10, 0]),
  },
  cmake: { apt: 'cmake', ok: () => atLeast(version(capture('cmake', ['--version'])), [3, 22]) },
  make: { apt: 'make', ok: () => has('ninja') || has('make') },
  pkgConfig: { apt: 'pkg-config', ok: () => has('pkg-config') },
  avcodec: { apt: 'libavcodec-dev', ok: library('libavcodec', '59.37') },
  avformat: { apt: 'libavformat-dev', ok: library('libavformat', '59.27') },
  avutil: { apt: 'libavutil-dev', ok: library('libavutil', '57.28') },
  swscale: { apt: 'libswscale-dev', ok: library('libswscale') },
  swresample: { apt: 'libswresample-dev', ok: library('libswresample') },
  ffmpeg: { apt: 'ffmpeg', ok: () => has('ffmpeg') && has('ffprobe') },
  // The tests of the queue start their own.
  redis: { apt: 'redis-server', ok: () => has('redis-server') },
  nvcodec: { apt: 'libffmpeg-nvenc-dev', ok: header('ffnvcodec/dynlink_nvcuvid.h') },
  gtest: { apt: 'libgtest-dev', ok: () => library('gtest')() || header('gtest/gtest.h')() },
  dpkgSource: { apt: 'dpkg-dev', ok: () => has('dpkg-source') },
  nasm: { apt: 'nasm', ok: () => has('nasm') },
  ninja: { apt: 'ninja-build', ok: () => has('ninja') },
  makeItself: { apt: 'make', ok: () => has('make') },
  python: {
    apt: 'python3-venv',
    ok: () => capture('python3', ['-c', 'import ensurepip']) !== undefined,
  },
  clangFormat: { apt: 'clang-format-14', ok: () => clangTool('clang-format') !== undefined },
  clangTidy: { apt: 'clang-tidy-14', ok: () => clangTool('clang-tidy') !== undefined },
  clang: { apt: 'clang-14', ok: () => clangTool('clang++') !== undefined },
  clangRuntime: { apt: 'libclang-rt-14-dev', ok: hasFuzzer },
};

/**
 * Version 14 of a clang tool (Debian 12 and Ubuntu 24.04 both have it): another version lays out or
 * warns differently, and the check would depend on the machine.
 */
export function clangTool(name) {
  return [`${name}-14`, name].find((c) => /version 14\./.test(capture(c, ['--version']) ?? ''));
}

/** libFuzzer and the sanitizers' runtime of that clang. */
export function hasFuzzer() {
  const arch = process.arch === 'arm64' ? 'aarch64' : 'x86_64';
  const clang = clangTool('clang++');
  const file = clang && capture(clang, [`-print-file-name=libclang_rt.fuzzer-${arch}.a`]);
  return file !== undefined && fs.existsSync(file);
}

export const buildNeeds = [
  ...['compiler', 'cmake', 'make', 'pkgConfig'],
  ...['avcodec', 'avformat', 'avutil', 'swscale', 'swresample'],
];
/** With nvcc the GPU path is compiled and tested (on the host); that needs NVDEC's headers. */
export const testNeeds = [
  ...buildNeeds,
  'ffmpeg',
  'gtest',
  'redis',
  ...(nvcc() ? ['nvcodec'] : []),
];
/** Of the platform packages (scripts/prebuild.mjs): zig and FFmpeg's sources are fetched. */
export const prebuildNeeds = [
  'cmake',
  'makeItself',
  'pkgConfig',
  'ninja',
  'nasm',
  'dpkgSource',
  'python',
];
export const formatNeeds = ['clangFormat'];
export const lintNeeds = [...formatNeeds, 'clangTidy'];
export const sanitizeNeeds = [...testNeeds, 'clang', 'clangRuntime'];

/** apt packages that would satisfy what is missing of `names`. */
export function missingPackages(names) {
  return names.filter((name) => !needs[name].ok()).map((name) => needs[name].apt);
}

/** The command a person types to install `packages`. */
export function aptCommand(packages) {
  const sudo = process.getuid?.() === 0 ? '' : 'sudo ';
  const install = `${sudo}apt-get install -y --no-install-recommends ${packages.join(' ')}`;
  return `${sudo}apt-get update && ${install}`;
}

/** Installs what is missing where that needs no password; otherwise stops with the one command. */
export async function ensureSystem(names) {
  const packages = missingPackages(names);
  if (packages.length === 0) return;
  const isRoot = process.getuid?.() === 0;
  const mayInstall = has('apt-get') && (isRoot || capture('sudo', ['-n', 'true']) !== undefined);
  const command = aptCommand(packages);
  if (!mayInstall) {
    const elsewhere = has('apt-get') ? '' : ' (or what your distribution calls these packages)';
    throw new Stop(
      `System packages are missing. Type this, then run the same again${elsewhere}:\n\n  ${command}\n`,
    );
  }
  step(`installing system packages: ${packages.join(' ')}`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const code = await run('sh', ['-c', command.replace(/apt-get/g, 'apt-get -q')], {
    env,
    stdio: ['ignore', 2, 2],
  });
  const still = missingPackages(names);
  if (code !== 0 || still.length > 0) {
    throw new Stop(
      `apt could not provide: ${(still.length ? still : packages).join(' ')}. Tried:\n\n  ${command}\n`,
    );
  }
}
