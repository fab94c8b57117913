/**
 * What bare-root.sh runs inside of a bare system: installs the tarballs, runs the README's block, and calls in a worker,
 * one of them aborted; prints JSON. Fails where something is not as it must be.
 */
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const project = '/opt/project';
// Programs of another processor start through their emulator.
const emulator = process.argv[2] ? [process.argv[2]] : [];
const env = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/root', LANG: 'C.UTF-8' };
function node(...args) {
  const [file, ...rest] = [...emulator, '/usr/local/bin/node', ...args];
  const stdio = ['ignore', 'pipe', 'inherit'];
  const run = spawnSync(file, rest, { cwd: project, env, encoding: 'utf8', stdio });
  if (run.status === 0) return run.stdout;
  process.stderr.write(`${args.join(' ')} ended with ${run.status ?? run.signal}\n`);
  process.exit(1);
}
function timed(work) {
  const started = process.hrtime.bigint();
  work();
  return Number((process.hrtime.bigint() - started) / 1_000_000n) / 1000;
}
function expect(holds, what) {
  if (holds) return;
  process.stderr.write(`${what}\n`);
  process.exitCode = 1;
}
/** Apparent sizes, as npm counts them. */
function bytes(folder) {
  return fs
    .readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .reduce((sum, entry) => sum + fs.statSync(path.join(entry.parentPath, entry.name)).size, 0);
}

const programs = ['gcc', 'g++', 'cc', 'clang', 'cmake', 'make', 'ffmpeg', 'python3'];
const folders = ['/usr/bin', '/bin', '/usr/local/bin'];
for (const name of programs) {
  expect(!folders.some((folder) => fs.existsSync(path.join(folder, name))), `${name} is here`);
}

const tarballs = fs.readdirSync('/opt/tarballs').map((name) => path.join('/opt/tarballs', name));
const npm = [
  '/usr/local/lib/npm/bin/npm-cli.js',
  'install',
  '--offline',
  '--no-audit',
  '--no-fund',
];
const installSeconds = timed(() => node(...npm, ...tarballs));
const modules = path.join(project, 'node_modules');
const { packages } = JSON.parse(fs.readFileSync(path.join(modules, '.package-lock.json'), 'utf8'));
const names = Object.keys(packages);
expect(names.length <= 5, `Expected at most 5 packages but there are ${names.join(', ')}`);
const installed = bytes(modules);
expect(installed <= 25e6, `Expected at most 25 MB but they take ${installed} bytes`);

let said = '';
const patchesSeconds = timed(() => (said = node('five-lines.mjs')));
expect(said.includes('[ 1024, 3, 14, 14 ] [ 1024, 3 ]'), `The README's block printed: ${said}`);
const first = installSeconds + patchesSeconds;
expect(emulator.length > 0 || first < 20, `Expected patches within 20 s but it took ${first} s`);

/** In a worker, after a call there that was aborted: each video's patches by block matching, and its pictures. */
const videos = ['video.mp4', ...fs.readdirSync('/opt/clips').map((name) => `/opt/clips/${name}`)];
const program = `
const { Worker, isMainThread, parentPort } = require('node:worker_threads');
const { createHash } = require('node:crypto');
const { basename } = require('node:path');
const { decodeOnly, patchStream } = require('codec-patch-stream');
const sampled = { sequenceLength: 16, outputDtype: 'fp32' };
const bytes = ({ data }) => new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
const ways = [
  async (videoPath) => (await patchStream({ videoPath, ...sampled, kKeep: 1024 })).patches,
  async (videoPath) =>
    (await patchStream({ videoPath, ...sampled, kKeep: 256, energy: 'adjacent' })).patches,
  async (videoPath) => (await decodeOnly({ videoPath, ...sampled, size: { exact: [112, 112] } })).frames,
];
async function results() {
  const signal = AbortSignal.abort();
  const said = await patchStream({ videoPath: 'video.mp4', signal }).catch(({ name }) => name);
  const lines = [said];
  for (const videoPath of ${JSON.stringify(videos)}) {
    const hash = createHash('sha256');
    for (const way of ways) hash.update(bytes(await way(videoPath)));
    lines.push(basename(videoPath) + ' ' + hash.digest('hex').slice(0, 16));
  }
  return lines;
}
if (isMainThread) new Worker(__filename).on('message', (lines) => console.log(JSON.stringify(lines)));
else results().then((lines) => parentPort.postMessage(lines));
`;
fs.writeFileSync(path.join(project, 'worker.cjs'), program);
const [aborted, ...hashes] = JSON.parse(node('worker.cjs'));
expect(aborted === 'AbortError', `Expected an AbortError but received ${aborted}`);

const { header } = process.report.getReport();
const report = {
  system: /PRETTY_NAME="(.*)"/.exec(fs.readFileSync('/etc/os-release', 'utf8'))[1],
  glibc: header.glibcVersionRuntime,
  node: `${process.version} ${process.arch}${emulator.length > 0 ? ', emulated' : ''}`,
  packages: names.length,
  bytes: installed,
  installSeconds,
  patchesSeconds,
  hashes,
};
process.stdout.write(`${JSON.stringify(report, null, 1)}\n`);
