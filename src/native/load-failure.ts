/** Why an addon that exists does not load, and what helps: building it anew is only one of many. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../support/errors.js';

/** The same as the command codec-patch-stream-build, which only package managers know the place of. */
export function howToBuild(root: string | undefined, name: string): string {
  if (root === undefined) return `Install ${name} anew on this machine`;
  return existsSync(join(root, '.git'))
    ? 'Build it for this machine: npm run build'
    : `Build it for this machine: node ${join(root, 'scripts', 'build-from-source.mjs')}`;
}

/** What to say on a system that no addon can be built for. */
export function notThisSystem(name: string): string | undefined {
  const { platform, arch } = process;
  if (platform === 'linux') return undefined;
  return (
    `There is no native addon of ${name} for ${platform}-${arch}: it decodes on Linux only. Installing it ` +
    'and its types work everywhere; run the program on Linux, in a container, or in WSL 2'
  );
}

/** Platform packages are for glibc; Alpine, say, has musl. True where a runtime cannot tell (Bun, Deno). */
function isGlibc(): boolean {
  const { report } = process as {
    report?: { getReport(): object | string; excludeNetwork?: boolean };
  };
  if (report === undefined) return true;
  // Else it may ask name servers, for seconds.
  const before = report.excludeNetwork ?? false;
  report.excludeNetwork = true;
  const { header } = report.getReport() as { header?: { glibcVersionRuntime?: string } };
  report.excludeNetwork = before;
  return header === undefined || header.glibcVersionRuntime !== undefined;
}

/** Why there is neither a platform package nor a build of one's own, and what helps. */
export function whyNoAddon(root: string, local: string, name: string): string {
  const { platform, arch } = process;
  const build = howToBuild(root, name);
  const nothing = `The native addon is not here: ${local} does not exist, and`;
  if (arch !== 'x64' && arch !== 'arm64') {
    return `${nothing} there is no prebuilt one for ${platform}-${arch}. ${build}`;
  }
  if (!isGlibc()) {
    return `${nothing} the prebuilt one is for glibc, which is not this system's C library. ${build}`;
  }
  return (
    `${nothing} the package @${name}/${platform}-${arch} is not installed. Install ${name} again with its ` +
    `optional dependencies (npm: without --omit=optional), or build from source. ${build}`
  );
}

/** 'libavformat.so.59' is in the package libavformat59 of Debian and Ubuntu. */
function missingLibrary(library: string, build: string): string {
  const [, stem, version] = /^(lib(?:av|sw|postproc)\w*)\.so\.(\d+)/.exec(library) ?? [];
  const what =
    stem === undefined
      ? `Install the package that has ${library}`
      : `It was built against FFmpeg's shared libraries and needs them at run time. Install them ` +
        `(Debian, Ubuntu: apt-get install ${stem}${version})`;
  return `${library} is not on this machine. ${what}; after an upgrade to another version, ${build[0]?.toLowerCase()}${build.slice(1)}`;
}

interface Permission {
  readonly permission?: unknown;
}

/** Addons that are switched off for the whole process. */
function disabled(): string {
  const { permission } = process as Permission;
  const flags = [...process.execArgv, ...(process.env['NODE_OPTIONS'] ?? '').split(/\s+/)];
  return permission === undefined || flags.includes('--no-addons')
    ? 'this process was started with --no-addons (on the command line, in NODE_OPTIONS or for its ' +
        'worker), which forbids native addons. Start it without'
    : 'Node runs with --permission, which forbids native addons. Start it with --allow-addons';
}

/** Parts of what loaders say, and what it means. The first that is found counts. */
const REASONS: readonly (readonly [RegExp, (found: RegExpExecArray, build: string) => string])[] = [
  [
    /--allow-ffi|requires ffi access/i,
    () => 'Deno loads native addons only with --allow-ffi (and --allow-read, --allow-env)',
  ],
  [
    /(\S+\.so[\w.]*): cannot open shared object file: No such file/,
    ([, library = ''], build) => missingLibrary(library, build),
  ],
  [
    /cannot open shared object file: (Too many open files[^.]*)/,
    ([, reason = '']) => `${reason}. Raise the limit (ulimit -n) or close files`,
  ],
  [
    /Cannot allocate memory/,
    () => 'the process has no memory left for it. Raise its limit (ulimit -v, the container)',
  ],
  [
    /failed to map segment from shared object|Operation not permitted|Permission denied/,
    ([reason]) =>
      `the system refuses it (${reason}). Make the file readable, its file system one that programs ` +
      'may run from (not noexec), and leave the process enough memory (ulimit -v)',
  ],
];

export function whyNotLoaded(cause: unknown, build: string): string {
  const { code } = cause as { code?: unknown };
  if (code === 'ERR_DLOPEN_DISABLED') return disabled();
  const message = messageOf(cause);
  if (code === 'ERR_ACCESS_DENIED') {
    return `${message}. Start Node with --allow-fs-read for the package's folder and --allow-addons`;
  }
  for (const [pattern, say] of REASONS) {
    const found = pattern.exec(message);
    if (found) return say(found, build);
  }
  return `${message}. ${build}`;
}
