#!/usr/bin/env node
/**
 * Do the sources of native/ compile for macOS on arm64? zig brings the headers of macOS and compiles for it on any
 * machine; FFmpeg's headers are the system's. Nothing is linked or run, and no package comes of it.
 *
 *   node scripts/check-macos.mjs [FILE…]      (without: all of native/ but the loops for x86)
 */
import { spawn } from 'node:child_process';
import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import * as path from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensurePackages } from './lib/setup.mjs';
import { capture, has, inParallel, root, step, Stop } from './lib/shell.mjs';
import { ensureSystem } from './lib/system.mjs';
import { ensureZig, writeTools } from './prebuild/tools.mjs';

const TARGET = 'aarch64-macos.13.3';
const work = path.join(root, 'build', 'macos');
const require = createRequire(path.join(root, 'package.json'));

/** FFmpeg's headers without the C library's, which lie beside them. */
function ffmpegHeaders() {
  const folder = path.join(work, 'include');
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  for (const name of ['libavformat', 'libavcodec', 'libavutil', 'libswscale']) {
    const from = capture('pkg-config', ['--variable=includedir', name]);
    if (!from) throw new Stop(`FFmpeg's ${name} is not known to pkg-config`);
    fs.symlinkSync(path.join(from, name), path.join(folder, name));
  }
  return folder;
}

/** What CMake gives the addon's sources too, but for what only decides how fast they are. */
function flags() {
  const includes = [
    ffmpegHeaders(),
    require('node-addon-api').include_dir,
    require('node-api-headers').include_dir,
  ];
  return [
    ...['-std=c++20', '-O0', '-c', '-ffp-contract=off'],
    ...['-Wall', '-Wextra', '-Wshadow', '-Wno-unused-parameter', '-Werror'],
    ...['-I', path.join(root, 'native'), ...includes.flatMap((folder) => ['-isystem', folder])],
    ...['-DNAPI_VERSION=8', '-DNAPI_CPP_EXCEPTIONS', '-DNODE_ADDON_API_CPP_EXCEPTIONS_ALL'],
    ...['-DNODE_ADDON_API_DISABLE_DEPRECATED', '-DNODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS'],
    '-DCPS_VERSION="0"',
  ];
}

function sources() {
  const args = ['ls-files', '-co', '--exclude-standard', '--', 'native'];
  const isX86 = /\/simd\/avx\w*\.cpp$/;
  const all = (capture('git', args, { cwd: root }) ?? '').split('\n');
  return all.filter((file) => file.endsWith('.cpp') && !isX86.test(file));
}

/** ccache, where it is: it has what this or another checkout compiled. It wants a compiler of one word. */
function compiler(zig) {
  writeTools(work, zig, TARGET);
  const file = path.join(work, 'bin', 'zig-c++');
  if (!has('ccache')) return { command: [file], env: process.env };
  const settings = {
    CCACHE_BASEDIR: root,
    CCACHE_NOHASHDIR: '1',
    CCACHE_COMPILERCHECK: 'content',
    CCACHE_COMPILERTYPE: 'clang',
  };
  return { command: ['ccache', file], env: { ...process.env, ...settings } };
}

/** Compiles one file; what the compiler says of it, '' where that is nothing. */
function compile({ command, env }, args, file) {
  const [program, ...first] = command;
  const object = path.join(work, `${file.replaceAll('/', '-')}.o`);
  return new Promise((resolve) => {
    const all = [...first, ...args, file, '-o', object];
    const child = spawn(program, all, { cwd: root, env });
    let said = '';
    child.stdout.resume();
    child.stderr.on('data', (chunk) => (said += chunk));
    child.on('error', (error) => resolve(`${file}: ${error.message}\n`));
    child.on('close', (code) =>
      resolve(code === 0 ? '' : said || `${file}: the compiler ended with ${code}\n`),
    );
  });
}

/** The number of files that do not compile. */
export async function checkMacos(files = sources()) {
  await ensureSystem(['pkgConfig', 'avcodec', 'avformat', 'avutil', 'swscale', 'python']);
  await ensurePackages();
  const { zig } = await ensureZig();
  const args = flags();
  const tool = compiler(zig);
  const said = await inParallel(files, (file) => compile(tool, args, file));
  said.forEach((text) => process.stderr.write(text));
  const failed = said.filter(Boolean).length;
  process.stderr.write(`    ${files.length} files, ${failed} do not compile for macOS on arm64\n`);
  if (files.length === 0) throw new Stop('Expected sources in native/ but found none');
  return failed;
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  try {
    const files = process.argv.slice(2);
    step(`compiling for ${TARGET}`);
    process.exitCode = (await checkMacos(files.length > 0 ? files : undefined)) > 0 ? 1 : 0;
  } catch (error) {
    process.stderr.write(`\n${error instanceof Stop ? error.message : error.stack}\n`);
    process.exitCode = 1;
  }
}
