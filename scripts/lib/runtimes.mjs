/**
 * The battery of runtimes: a user's program (scripts/runtimes) under every Node that the package
 * supports, Bun and Deno, Jest and Vitest, and under limits of the process. Each line is compared
 * with what the same program says under the Node that runs this, with a build of one's own. What cannot be
 * had here (a runtime that npm does not give, rights for a mount) is skipped and said.
 */
import { spawn, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { bin, capture, has, root, step, Stop } from './shell.mjs';

const cache = path.join(root, 'build', 'runtimes');
const program = 'program.cjs';
const arch = process.arch;

/** Where npm puts each runtime; packages of these names hold the program itself. */
const RUNTIMES = {
  'Node 20': { npm: `node-linux-${arch}@20`, file: `node-linux-${arch}/bin/node` },
  'Node 22': { npm: `node-linux-${arch}@22`, file: `node-linux-${arch}/bin/node` },
  'Node 24': { npm: `node-linux-${arch}@24`, file: `node-linux-${arch}/bin/node` },
  'Node 26': { npm: `node-linux-${arch}@26`, file: `node-linux-${arch}/bin/node` },
  Bun: {
    npm: `@oven/bun-linux-${arch === 'arm64' ? 'aarch64' : 'x64'}`,
    file: `@oven/bun-linux-${arch === 'arm64' ? 'aarch64' : 'x64'}/bin/bun`,
  },
  Deno: { npm: `@deno/linux-${arch}-glibc`, file: `@deno/linux-${arch}-glibc/deno` },
  Vitest: { npm: 'vitest', file: 'vitest/vitest.mjs' },
};
const NEXT = { npm: ['next@16', 'react@19', 'react-dom@19'], file: 'next/dist/bin/next' };

/** The file of a runtime, installed once into build/runtimes; or why not. */
function install(name, { npm, file } = RUNTIMES[name]) {
  const folder = path.join(cache, name.replace(' ', '-').toLowerCase());
  const target = path.join(folder, 'node_modules', file);
  if (!fs.existsSync(target)) {
    fs.mkdirSync(folder, { recursive: true });
    fs.writeFileSync(path.join(folder, 'package.json'), '{ "private": true }\n');
    const args = [
      'install',
      '--ignore-scripts',
      '--no-audit',
      '--no-fund',
      '--prefer-offline',
      ...[npm].flat(),
    ];
    const result = spawnSync('npm', args, { cwd: folder, encoding: 'utf8', timeout: 180_000 });
    if (result.status !== 0 || !fs.existsSync(target)) {
      return { missing: `npm could not install ${[npm].flat().join(', ')}` };
    }
  }
  if (!file.endsWith('.mjs')) fs.chmodSync(target, 0o755);
  return { file: target };
}

/** A project that uses the package: copies, so that nothing of this clone is in the way. */
function makeProject(video) {
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'cps-runtimes-')));
  const own = path.join(folder, 'node_modules', 'codec-patch-stream');
  fs.mkdirSync(path.join(own, 'build', 'Release'), { recursive: true });
  for (const name of ['package.json', 'dist', 'build/Release/codec_patch_stream.node']) {
    fs.cpSync(path.join(root, name), path.join(own, name), { recursive: true });
  }
  for (const name of ['onnxruntime-node', '@tensorflow']) {
    fs.symlinkSync(path.join(root, 'node_modules', name), path.join(folder, 'node_modules', name));
  }
  const scripts = path.join(root, 'scripts', 'runtimes');
  fs.cpSync(path.join(scripts, program), path.join(folder, program));
  fs.cpSync(path.join(scripts, 'user-test.cjs'), path.join(folder, 'user.test.cjs'));
  fs.writeFileSync(path.join(folder, 'package.json'), '{ "name": "project", "private": true }\n');
  fs.cpSync(video, path.join(folder, 'video.mp4'));
  const large = ['-f', 'lavfi', '-i', 'testsrc2=size=1920x1080:rate=25:duration=1'];
  const encoder = ['-c:v', 'libx264', '-preset', 'veryfast', '-bf', '3', '-pix_fmt', 'yuv420p'];
  const args = ['-v', 'error', ...large, ...encoder, path.join(folder, 'large.mp4')];
  if (capture('ffmpeg', args) === undefined) throw new Error('ffmpeg cannot make an H.264 video');
  fs.chmodSync(folder, 0o755); // for the line that runs as somebody else
  return folder;
}

const platformPackage = path.join(root, 'packages', `linux-${arch}`);
const prebuilt = fs.existsSync(path.join(platformPackage, 'codec_patch_stream.node'));

/** In `modules` the platform package takes the place of a build of one's own. */
function usePlatformPackage(modules) {
  fs.rmSync(path.join(modules, 'codec-patch-stream', 'build'), { recursive: true, force: true });
  const home = path.join(modules, '@codec-patch-stream', path.basename(platformPackage));
  fs.cpSync(platformPackage, home, { recursive: true });
}

/** A project's node_modules with Next.js and the package. The file of Next.js tells where it is. */
function nextModules(project, nextFile, platform) {
  const modules = path.join(project, platform ? 'next-platform' : 'next');
  const installed = path.resolve(nextFile, '..', '..', '..', '..');
  fs.cpSync(installed, modules, { recursive: true, verbatimSymlinks: true });
  const own = path.join(modules, 'codec-patch-stream');
  fs.cpSync(path.join(project, 'node_modules', 'codec-patch-stream'), own, { recursive: true });
  if (platform) usePlatformPackage(modules);
  return modules;
}

function execute([command, ...args], { cwd, env = {}, timeout = 120_000 }) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, NODE_OPTIONS: '', ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout,
      killSignal: 'SIGKILL',
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk) => (stdout += chunk));
    child.stderr.on('data', (chunk) => (stderr += chunk));
    child.on('error', (error) => resolve({ status: error.message, stdout, stderr }));
    child.on('close', (code, signal) => resolve({ status: signal ?? code, stdout, stderr }));
  });
}

const lastLine = (text) => text.trim().split('\n').at(-1) ?? '';

/** What the program says must be `truth`, word for word. */
const sameAs = (truth) => (result) =>
  result.status === 0 && lastLine(result.stdout) === truth ? undefined : 'another result';
/** It works, or says that memory is short; never anything else. */
const sameOrCode = (truth, codes) => (result) => {
  const line = lastLine(result.stdout);
  if (line === truth) return undefined;
  return codes.some((code) => line.includes(`"code":"${code}"`)) ? undefined : 'another result';
};
/** The same, with one more thing that the program was asked for: what `notes` say. */
const sameWithNote = (truth, code, words) => (result) => {
  if (result.status !== 0) return 'no result';
  const { notes, ...rest } = JSON.parse(lastLine(result.stdout));
  if (JSON.stringify(rest) !== truth) return 'another result';
  const said = notes.length === 1 && notes[0].startsWith(`${code}: `) && notes[0].includes(words);
  return said ? undefined : `not the note ${code} with ${words}`;
};
/**
 * Too few threads: a right result, or the error that says so; nothing that blames the video. What
 * Node needs itself it must have: without, it ends before the program's first line.
 */
const withFewThreads = (truth) => (result) => {
  if (!result.stdout.startsWith('started')) return undefined;
  const all = JSON.parse(truth);
  for (const name of ['worker', 'imported']) delete all[name];
  return sameOrCode(JSON.stringify(all), ['ERR_CPS_LIMIT'])(result);
};
/** Too little memory: every call works or says so, and the video is not to blame. */
const withLittleMemory = (result) => {
  // Node itself may not come up, or not load the addon; V8 ends the process when it finds no memory.
  if (!result.stdout.startsWith('started') || /Fatal.*memory/i.test(result.stderr))
    return undefined;
  const { outcomes = [], code } = JSON.parse(lastLine(result.stdout));
  const fine = ['worked', 'ERR_CPS_OUT_OF_MEMORY', 'ERR_CPS_LIMIT', 'ERR_CPS_BACKEND_UNAVAILABLE'];
  const other = [...outcomes, ...(code ? [code] : [])].filter((outcome) => !fine.includes(outcome));
  return other.length === 0 ? undefined : `${other.join(', ')} for lack of memory`;
};
const exitsWithZero = ({ status }) => (status === 0 ? undefined : `exit status ${status}`);

const isRoot = process.getuid?.() === 0;

/** A control group of our own whose threads can be limited, for as long as this process lives. */
function pidsGroup() {
  for (const parent of ['/sys/fs/cgroup/pids', '/sys/fs/cgroup']) {
    const group = path.join(parent, `cps-runtimes-${process.pid}`);
    try {
      fs.mkdirSync(group);
    } catch {
      continue;
    }
    process.once('exit', () => fs.rmdirSync(group));
    if (fs.existsSync(path.join(group, 'pids.max'))) return group;
  }
  return undefined;
}

/** Lines: name, command, what to expect; or why it is skipped. */
function makeLines(project, truth, { platform: onlyPlatform }) {
  const node = process.execPath;
  const video = path.join(project, 'video.mp4');
  const run = (...command) => [...command, program, video];
  const same = sameAs(truth);
  const lines = [];
  const add = (name, command, check = same, options = {}) =>
    lines.push({ name, command, check, ...options });
  const skip = (name, why) => lines.push({ name, skipped: why });

  for (const name of Object.keys(RUNTIMES)) {
    const { file, missing } = install(name);
    if (!file) skip(name, missing);
    else if (name === 'Deno') {
      add(name, run(file, 'run', '--allow-all', '--node-modules-dir=manual'));
      add('Deno without --allow-ffi', run(file, 'run', '--allow-read', '--allow-env'), (result) =>
        result.stdout.includes('--allow-ffi') ? undefined : 'no word of --allow-ffi',
      );
    } else if (name === 'Vitest') {
      const env = { CPS_VIDEO: video, CPS_PATCHES: JSON.parse(truth).patches };
      for (const pool of ['threads', 'forks', 'vmThreads', 'vmForks']) {
        const args = ['run', '--globals', '--pool', pool, '--root', project];
        add(`Vitest, pool ${pool}`, [node, file, ...args], exitsWithZero, { env });
      }
      const config = JSON.stringify({
        rootDir: project,
        transform: {},
        testMatch: ['**/*.test.cjs'],
      });
      const jest = [bin('jest'), '--config', config, '--no-cache', '--runInBand'];
      add('Jest', [node, ...jest], exitsWithZero, { env });
    } else {
      add(name, run(file));
      if (name.startsWith('Node') && name !== 'Node 20') {
        const read = [`--allow-fs-read=${project}/*`, '--allow-worker'];
        const permitted = ['--permission', '--allow-addons', ...read];
        add(`${name} --permission`, run(file, ...permitted));
        const note = sameWithNote(truth, 'index-not-kept', '--allow-fs-write');
        const folder = [...run(file, ...permitted), 'no-index-folder'];
        add(`${name} --permission, indexes not to be written`, folder, note);
        const refused = ({ stdout }) =>
          stdout.includes('--allow-addons') ? undefined : 'no word of --allow-addons';
        add(`${name} --permission, no addons`, run(file, '--permission', ...read), refused);
      }
    }
  }

  const next = install('Next.js', NEXT);
  for (const platform of onlyPlatform ? [true] : [false, true]) {
    const name = `Next.js standalone${platform ? ', the platform package' : ''}`;
    if (!next.file) skip(name, next.missing);
    else if (platform && !prebuilt) skip(name, 'not built (node scripts/prebuild.mjs)');
    else {
      const script = path.join(root, 'scripts', 'runtimes', 'nextjs.mjs');
      const command = () => [node, script, nextModules(project, next.file, platform), video];
      add(name, command, sameAs(JSON.parse(truth).patches), { timeout: 600_000 });
    }
  }

  add('--frozen-intrinsics', run(node, '--frozen-intrinsics'));
  const noStrings = '--disallow-code-generation-from-strings';
  add(noStrings, run(node, noStrings));
  const addLimited = (name, needs, command, check) => {
    const lacking = needs.find((need) => !has(need));
    if (lacking) skip(name, `no ${lacking} here`);
    else add(name, command, check);
  };
  addLimited('40 open files', ['prlimit'], run('prlimit', '--nofile=40', node));
  const memory = ['ERR_CPS_OUT_OF_MEMORY'];
  const small = run('prlimit', `--as=${2 ** 31}`, node);
  addLimited('2 GiB of address space', ['prlimit'], small, sameOrCode(truth, memory));
  // Between what Node itself takes and enough for all of them.
  for (const mebibytes of [1080, 1120, 1160, 1200, 1240]) {
    const limited = ['prlimit', `--as=${mebibytes * 2 ** 20}`, node, program];
    const calls = [...limited, path.join(project, 'large.mp4'), 'many-calls'];
    addLimited(
      `20 calls in ${mebibytes} MiB of address space`,
      ['prlimit'],
      calls,
      withLittleMemory,
    );
  }
  const other = ['setpriv', '--reuid=12345', '--regid=12345', '--clear-groups'];
  const may = isRoot && capture('setpriv', [...other.slice(1), node, '--version']) !== undefined;
  if (may) addLimited('another user', ['setpriv'], run(...other, node));
  else skip('another user', 'needs root and a Node that everybody may run');

  // The package's own threads are few enough to be done without one by one.
  const few = [...run(node), 'few-threads'];
  for (const count of [8, 10, 11, 12, 13, 14, 16, 20]) {
    const name = `another user with ${count} threads`;
    const limited = [...other, 'prlimit', `--nproc=${count}`, ...few];
    if (may) addLimited(name, ['setpriv', 'prlimit'], limited, withFewThreads(truth));
    else skip(name, 'needs root and a Node that everybody may run');
  }
  const group = pidsGroup();
  for (const count of [9, 12, 14, 20]) {
    const name = `a control group of ${count} threads`;
    const enter = 'echo $$ > "$0/cgroup.procs" && echo "$1" > "$0/pids.max" && shift && exec "$@"';
    const limited = ['sh', '-c', enter, group, String(count), ...few];
    if (group) add(name, limited, withFewThreads(truth));
    else skip(name, 'no right to make a control group');
  }

  const readOnly =
    'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && cd "$0" && exec "$@"';
  const mounts = ['unshare', '-m', 'sh', '-c', readOnly, project];
  if (isRoot && capture(mounts[0], [...mounts.slice(1), 'true']) !== undefined) {
    add('a read-only file system', run(...mounts, node));
  } else {
    skip('a read-only file system', 'no right to mount');
  }
  return lines;
}

/**
 * { passed, failed, skipped, lines }. `only`: a part of the names of the lines to run. `platform`: over the platform
 * package instead of a build of one's own, against what that one says.
 */
export async function runRuntimes(video, { only = '', platform = false } = {}) {
  if (platform && !prebuilt) throw new Stop(`${platformPackage} is not built`);
  step(`runtimes${platform ? ', the platform package' : ''}`);
  const counts = { passed: 0, failed: 0, skipped: 0, lines: [] };
  const project = makeProject(video);
  try {
    const reference = await execute([process.execPath, program, path.join(project, 'video.mp4')], {
      cwd: project,
    });
    const truth = lastLine(reference.stdout);
    if (reference.status !== 0) throw new Error(`The program fails here: ${reference.stderr}`);
    if (platform) usePlatformPackage(path.join(project, 'node_modules'));
    const lines = makeLines(project, truth, { platform });
    for (const { name, command, check, skipped, ...more } of lines) {
      if (!name.includes(only)) continue;
      // One that has to be prepared is a function.
      const words = typeof command === 'function' ? command() : command;
      const result = skipped ? undefined : await execute(words, { cwd: project, ...more });
      const wrong = result && check(result);
      const outcome = skipped ? 'skipped' : wrong ? 'failed' : 'passed';
      counts[outcome] += 1;
      counts.lines.push({ name, outcome, why: skipped ?? wrong });
      process.stderr.write(`    ${outcome.padEnd(7)} ${name}${skipped ? `: ${skipped}` : ''}\n`);
      if (wrong) {
        const said = `${result.stdout}${result.stderr}`.slice(-3000);
        process.stderr.write(`${wrong} (${result.status})\nexpected ${truth}\n${said}\n`);
      }
    }
  } finally {
    fs.rmSync(project, { recursive: true, force: true });
  }
  const { passed, failed, skipped } = counts;
  process.stdout.write(`runtimes: ${passed} passed, ${failed} failed, ${skipped} skipped\n`);
  return counts;
}
