#!/usr/bin/env node
/**
 * A self-contained bundle for a GPU machine that has neither Node nor FFmpeg nor a network:
 *
 *   node scripts/gpu-bundle.mjs [--out build/gpu-bundle] [--native DIR] [--fixtures DIR] [--cache DIR] [--emulated]
 *
 * It holds this Node, the built package, a minimal LGPL FFmpeg made from the distribution's source
 * package, the native tests and benchmarks, fixtures, clips for the benchmark, licences, and
 * gpu-check.sh. Addon and tests come from the build folder of `npm test` (--native: the tests from
 * another one, up to date). FFmpeg and the clips are made once and kept in the cache
 * (~/.cache/codec-patch-stream). scripts/gpu/try-bundle.sh tries the result here. With --emulated addon
 * and tests are those over the imitation of the driver (test/native/cuda/fake_driver), so that every
 * step of gpu-check.sh can be tried without a GPU.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { buildNative, buildTypeScript } from './lib/setup.mjs';

const root = path.resolve(import.meta.dirname, '..');
const { values } = parseArgs({
  options: {
    out: { type: 'string', default: path.join(root, 'build', 'gpu-bundle') },
    native: { type: 'string' },
    emulated: { type: 'boolean', default: false },
    fixtures: { type: 'string', default: path.join(root, 'test', 'fixtures', 'cache') },
    cache: {
      type: 'string',
      default: path.join(
        process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache'),
        'codec-patch-stream',
      ),
    },
  },
});
// All clips. Of large ones that no NVDEC decodes and whose pictures stand for themselves (raw, lossless) the
// first frames alone.
const largestFixture = 2 ** 18;
const firstFrames = 4;
const ofNvdec = /\t(.*,)?(h264|hevc|vp8|vp9|av1|mpeg2|mpeg4|mjpeg)\b/;
const limitBytes = 60 * 2 ** 20;
const out = path.resolve(values.out);
const name = 'codec-patch-stream-gpu';
const stage = path.join(out, name);
const tests = ['gpu_check', 'gpu_equality_test', 'gpu_decode_test'].concat(
  ['core_test', 'ops_test', 'media_frames_test', 'pipeline_test'], // the CPU's share
);
const emulations = values.emulated
  ? new Map([
      ['gpu_check', 'cuda_check'],
      ['gpu_equality_test', 'cuda_equality_test'],
      ['gpu_decode_test', 'cuda_pipeline_test'],
    ])
  : new Map();
const clips = [
  ['h264_1080p.mp4', '1920x1080', 240, ['-c:v', 'libx264', '-preset', 'fast', '-b:v', '2M']],
  ['hevc_1080p.mp4', '1920x1080', 240, ['-c:v', 'libx265', '-preset', 'fast', '-b:v', '1.5M']],
  ['h264_2160p.mp4', '3840x2160', 60, ['-c:v', 'libx264', '-preset', 'fast', '-b:v', '4M']],
];

const run = (command, args, options = {}) =>
  execFileSync(command, args, { stdio: ['ignore', 'inherit', 'inherit'], ...options });
const capture = (command, args) =>
  execFileSync(command, args, { encoding: 'utf8', cwd: root }).trim();
const step = (text) => console.error(`gpu-bundle: ${text}`);
const copy = (from, to) => {
  fs.mkdirSync(path.dirname(to), { recursive: true });
  fs.cpSync(from, to, { recursive: true, dereference: true });
};
const need = (file, how) => {
  if (!fs.existsSync(file)) throw new Error(`${path.relative(root, file)} is missing; ${how}`);
  return file;
};

const dump = (...args) => execFileSync('objdump', args, { encoding: 'utf8', maxBuffer: 2 ** 30 });

/** The newest version of `prefix` symbols (GLIBC_, GLIBCXX_) that any of the files asks for. */
function newestSymbolVersion(files, prefix) {
  const versions = files.flatMap((file) =>
    [...dump('-T', file).matchAll(new RegExp(`\\b${prefix}(\\d+(?:\\.\\d+)+)`, 'g'))].map(
      (m) => m[1],
    ),
  );
  return versions.sort((a, b) => a.localeCompare(b, 'en', { numeric: true })).at(-1);
}

/** What a binary needs besides the C library, with where the loader finds it. */
function libraries(binary, searchDir) {
  const env = { ...process.env, LD_LIBRARY_PATH: searchDir };
  const text = execFileSync('ldd', [binary], { encoding: 'utf8', env });
  const system = /^(linux-vdso|ld-linux|libc|libm|libdl|librt|libpthread)[.-]/;
  const missing = text.match(/^\s*\S+ => not found$/m);
  if (missing) throw new Error(`${binary}: ${missing[0].trim()}`);
  return [...text.matchAll(/^\s*(\S+) => (\/\S+)/gm)]
    .map(([, soname, file]) => ({ soname, file }))
    .filter(({ soname }) => !system.test(soname));
}

step('addon, TypeScript, native tests');
if (!values.native) await buildNative({ tests: true, gpuTests: true });
await buildTypeScript();
const native = path.resolve(values.native ?? path.join(root, 'build'));
const addon = need(
  path.join(root, 'build', values.emulated ? 'emulated' : 'Release', 'codec_patch_stream.node'),
  'run `npm run build` first',
);
need(path.join(root, 'dist', 'src', 'index.js'), 'run `npm run build` first');
need(path.join(values.fixtures, 'manifest.tsv'), 'run `node scripts/fixtures.mjs` first');

step('FFmpeg from the distribution source package (minutes, once)');
const recipe = path.join(root, 'scripts', 'gpu', 'build-ffmpeg.sh');
const recipeHash = createHash('sha256').update(fs.readFileSync(recipe)).digest('hex').slice(0, 12);
const ffmpeg = path.join(values.cache, `ffmpeg-${recipeHash}`);
run(recipe, [ffmpeg]);

step('assembling');
fs.rmSync(stage, { recursive: true, force: true });
copy(process.execPath, path.join(stage, 'bin', 'node'));
copy(addon, path.join(stage, 'package', 'build', 'Release', 'codec_patch_stream.node'));
copy(path.join(root, 'dist'), path.join(stage, 'package', 'dist'));
copy(path.join(root, 'package.json'), path.join(stage, 'package', 'package.json'));
for (const test of tests)
  copy(
    need(path.join(native, 'test', 'native', emulations.get(test) ?? test), 'build it'),
    path.join(stage, 'tests', test),
  );
const manifest = fs.readFileSync(path.join(values.fixtures, 'manifest.tsv'), 'utf8');
for (const line of manifest.split('\n').filter(Boolean)) {
  const file = line.split('\t')[0];
  const from = need(path.join(values.fixtures, file), 'run `node scripts/fixtures.mjs`');
  const to = path.join(stage, 'fixtures', file);
  const whole = ofNvdec.test(line) || !/\bintra-only\b/.test(line);
  if (whole || fs.statSync(from).size <= largestFixture) {
    copy(from, to);
    continue;
  }
  fs.mkdirSync(path.dirname(to), { recursive: true });
  const first = ['-map', '0:v:0', '-c', 'copy', '-frames:v', String(firstFrames)];
  run('ffmpeg', ['-v', 'error', '-y', '-i', from, ...first, to]);
}
fs.writeFileSync(path.join(stage, 'fixtures', 'manifest.tsv'), manifest);
for (const file of ['report.cjs', 'js-check.cjs', 'js-features.cjs']) {
  copy(path.join(root, 'scripts', 'gpu', file), path.join(stage, file));
}
copy(path.join(root, 'scripts', 'gpu-check.sh'), path.join(stage, 'gpu-check.sh'));
const licences = path.join(stage, 'licences');
copy(path.join(ffmpeg, 'install', 'licences'), licences);
copy(path.join(root, 'LICENSE'), path.join(licences, 'codec-patch-stream'));
const cudaLicence = `The addon and tests/gpu_* contain NVIDIA's CUDA runtime (static), which its EULA,
attachment A, allows to be handed on: https://docs.nvidia.com/cuda/eula/
`;
fs.writeFileSync(path.join(licences, 'CUDA'), cudaLicence);
for (const name of ['nodejs', 'libstdc++6', 'zlib1g']) {
  const file = `/usr/share/doc/${name}/copyright`;
  if (fs.existsSync(file)) copy(file, path.join(licences, name));
}
const binaries = [addon, process.execPath, ...tests.map((test) => path.join(stage, 'tests', test))];
const lib = path.join(ffmpeg, 'install', 'lib');
for (const binary of binaries) {
  // It would win over LD_LIBRARY_PATH, and name a folder of this machine.
  if (/\bRPATH\b/.test(dump('-p', binary))) throw new Error(`${binary} has an RPATH`);
  for (const { soname, file } of libraries(binary, lib))
    copy(file, path.join(stage, 'lib', soname));
}
for (const [file, size, frames, codec] of clips) {
  // The imitation decodes on the processor.
  const [folder, drawn, count] = values.emulated
    ? ['gpu-clips-small', '320x180', 30]
    : ['gpu-clips', size, frames];
  const target = path.join(values.cache, folder, file);
  if (!fs.existsSync(target)) {
    fs.mkdirSync(path.dirname(target), { recursive: true });
    const source = `testsrc2=size=${drawn}:rate=30`;
    run('ffmpeg', [
      ...['-v', 'error', '-f', 'lavfi', '-i', source, '-frames:v', String(count)],
      ...[...codec, '-pix_fmt', 'yuv420p', '-g', '30', target],
    ]);
  }
  copy(target, path.join(stage, 'clips', file));
}
// Whatever is a fixture has to be read by the FFmpeg that goes with it.
const opens = `
  const { openVideo } = require('./package/dist/src/index.js');
  Promise.all(process.argv.slice(1).map((file) =>
    openVideo('fixtures/' + file, {}).then((video) => video.close(), (error) => console.log(error.message))));
`;
const good = manifest.split('\n').filter((line) => line && !/\tbad\b/.test(line));
const unread = execFileSync(
  path.join(stage, 'bin', 'node'),
  ['-e', opens, ...good.map((line) => line.split('\t')[0])],
  {
    encoding: 'utf8',
    cwd: stage,
    env: { ...process.env, LD_LIBRARY_PATH: path.join(stage, 'lib') },
  },
);
if (unread) throw new Error(`The bundle's FFmpeg does not read\n${unread}`);
const stripped = [
  ...tests.map((t) => `tests/${t}`),
  'bin/node',
  'package/build/Release/codec_patch_stream.node',
];
for (const file of stripped) run('strip', ['--strip-unneeded', path.join(stage, file)]);
const emulated = values.emulated ? ', over an imitation of the driver' : '';
const { version } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'));
const dirty = capture('git', ['status', '--porcelain', '--untracked-files=no']) ? ', changed' : '';
const commit = capture('git', ['rev-parse', '--short', 'HEAD']) + dirty;
const shipped = [
  ...stripped.map((file) => path.join(stage, file)),
  ...fs.readdirSync(path.join(stage, 'lib')).map((file) => path.join(stage, 'lib', file)),
];
const glibc = newestSymbolVersion(shipped, 'GLIBC_');
const text = `codec-patch-stream ${version} (${commit}${emulated}); Node ${process.version}; needs glibc >= ${glibc}\n`;
fs.writeFileSync(path.join(stage, 'VERSION'), text);
step(text.trim());

step('packing');
const archive = path.join(out, `${name}.tar.xz`);
const level = values.emulated ? '-1' : '-9';
run('tar', ['-C', out, '--owner=0', '--group=0', '-cJf', archive, name], {
  env: { ...process.env, XZ_OPT: `${level} -T1` },
});
const { size } = fs.statSync(archive);
console.log(`${archive}: ${(size / 2 ** 20).toFixed(1)} MiB`);
if (size >= limitBytes && !values.emulated)
  throw new Error(`The bundle is larger than ${limitBytes / 2 ** 20} MiB`);
