#!/usr/bin/env node
/**
 * tfjs-node's own binding, built against a TensorFlow that pip has: its npm package would download
 * both. Everything goes into build/tfjs-node; the last line printed is the folder of the package.
 *
 *   node scripts/tfjs-node.mjs [--include FOLDER --lib FOLDER]
 *
 * --include has tensorflow/c/c_api.h, --lib has libtensorflow_cc.so.2 (or libtensorflow.so.2) and
 * libtensorflow_framework.so.2. Without them the wheel tensorflow-cpu is downloaded (270 MB).
 */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as path from 'node:path';
import { fileURLToPath } from 'node:url';
import { root, step, Stop } from './lib/shell.mjs';

export const PACKAGE = '@tensorflow/tfjs-node';
const VERSION = '4.22.0';
const folder = path.join(root, 'build', 'tfjs-node');
const home = path.join(folder, 'node_modules', PACKAGE);
const binding = path.join(home, 'lib', 'napi-v8', 'tfjs_binding.node');

function run(command, args, options = {}) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', ...options });
  if (status !== 0) {
    throw new Stop(`${command} ${args.slice(0, 4).join(' ')} … failed\n${stdout}\n${stderr}`);
  }
  return stdout;
}

/** The npm package with what it depends on, but for its install script. */
function installPackage() {
  if (fs.existsSync(path.join(home, 'package.json'))) return;
  step(`npm install ${PACKAGE}@${VERSION}`);
  fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(path.join(folder, 'package.json'), '{ "private": true }\n');
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline'];
  run('npm', ['install', ...flags, `${PACKAGE}@${VERSION}`], { cwd: folder, timeout: 300_000 });
}

/** Headers and libraries out of the wheel of tensorflow-cpu. */
function unpackTensorFlow() {
  const at = path.join(folder, 'tensorflow');
  if (fs.existsSync(path.join(at, 'complete'))) return at;
  step('pip download tensorflow-cpu');
  const wheels = path.join(folder, 'wheel');
  const flags = ['--no-deps', '--only-binary=:all:', '--disable-pip-version-check', '-q'];
  run('python3', ['-m', 'pip', 'download', ...flags, '-d', wheels, 'tensorflow-cpu'], {
    timeout: 600_000,
  });
  const wheel = path.join(wheels, fs.readdirSync(wheels)[0]);
  const unpack = [
    'import sys, zipfile',
    'z = zipfile.ZipFile(sys.argv[1])',
    "names = [n for n in z.namelist() if n.startswith('tensorflow/include/') or n.startswith('tensorflow/libtensorflow')]",
    'z.extractall(sys.argv[2], names)',
  ];
  run('python3', ['-c', unpack.join('\n'), wheel, folder]);
  fs.rmSync(wheels, { recursive: true });
  fs.writeFileSync(path.join(at, 'complete'), '');
  return at;
}

function build(include, lib) {
  step("compiling tfjs-node's binding");
  const sources = ['tfjs_backend.cc', 'tfjs_binding.cc'].map((n) => path.join(home, 'binding', n));
  const napi = path.join(root, 'node_modules', 'node-api-headers', 'include');
  const cc = fs.existsSync(path.join(lib, 'libtensorflow_cc.so.2'))
    ? 'libtensorflow_cc.so.2'
    : 'libtensorflow.so.2';
  const flags = ['-std=c++17', '-O1', '-w', '-fPIC', '-shared', '-DNAPI_VERSION=8'];
  fs.mkdirSync(path.dirname(binding), { recursive: true });
  run('g++', [
    ...flags,
    ...['-I', include, '-I', napi, ...sources, '-o', `${binding}.new`],
    ...['-L', lib, `-l:${cc}`, '-l:libtensorflow_framework.so.2', `-Wl,-rpath,${lib}`],
  ]);
  fs.renameSync(`${binding}.new`, binding);
}

/** The folder of tfjs-node's package, built; throws Stop where something cannot be had. */
export function ensureTfjsNode({ include, lib } = {}) {
  installPackage();
  if (!fs.existsSync(binding)) {
    const at = include && lib ? undefined : unpackTensorFlow();
    build(include ?? path.join(at, 'include'), lib ?? at);
  }
  return home;
}

/** The same without building anything; undefined where it is not built. */
export const builtTfjsNode = () => (fs.existsSync(binding) ? home : undefined);

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const given = (name) => {
    const i = process.argv.indexOf(name);
    return i < 0 ? undefined : process.argv[i + 1];
  };
  try {
    console.log(ensureTfjsNode({ include: given('--include'), lib: given('--lib') }));
  } catch (error) {
    console.error(error instanceof Stop ? error.message : error);
    process.exitCode = 1;
  }
}
