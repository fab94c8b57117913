/** Sources and compiler of the platform packages, each of one version that is checked by its SHA-256. */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { capture, must, root, runQuiet, step, Stop } from '../lib/shell.mjs';

const own = path.join(root, 'scripts', 'prebuild');
export const work = path.join(root, 'build', 'prebuild');
export const sources = JSON.parse(fs.readFileSync(path.join(own, 'sources.json'), 'utf8'));
const downloads = path.join(work, 'downloads');

const sha256 = (file) =>
  fs.existsSync(file) ? createHash('sha256').update(fs.readFileSync(file)).digest('hex') : 'none';
const allFiles = () => Object.values(sources).flatMap(({ files }) => Object.entries(files));
const wrongFiles = () =>
  allFiles().filter(([name, sum]) => sha256(path.join(downloads, name)) !== sum);

/**
 * apt-get with folders of its own and the system's mirrors and keys: a system's sources seldom name
 * source packages.
 */
function sourceApt() {
  const folder = path.join(work, 'apt');
  for (const name of ['lists/partial', 'cache/archives/partial', 'sources.list.d']) {
    fs.mkdirSync(path.join(folder, name), { recursive: true });
  }
  const etc = '/etc/apt';
  const read = (file) => (fs.existsSync(file) ? fs.readFileSync(file, 'utf8') : '');
  const lists = fs.readdirSync(path.join(etc, 'sources.list.d'));
  const asSource = (name) => {
    const text = read(path.join(etc, name));
    const changed = name.endsWith('.sources')
      ? text.replace(/^Types:.*$/gm, 'Types: deb-src')
      : text.replace(/^deb /gm, 'deb-src ');
    fs.writeFileSync(path.join(folder, name), changed);
  };
  asSource('sources.list');
  for (const name of lists) if (/\.(sources|list)$/.test(name)) asSource(`sources.list.d/${name}`);
  const options = {
    'Dir::Etc::sourcelist': path.join(folder, 'sources.list'),
    'Dir::Etc::sourceparts': path.join(folder, 'sources.list.d'),
    'Dir::State::lists': path.join(folder, 'lists'),
    'Dir::Cache': path.join(folder, 'cache'),
  };
  return Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
}

/** Debian's source packages in build/prebuild/downloads. */
export async function fetchSources() {
  fs.mkdirSync(downloads, { recursive: true });
  if (wrongFiles().length === 0) return;
  step("fetching Debian's sources");
  const apt = sourceApt();
  const names = Object.entries(sources).map(([name, { version }]) => `${name}=${version}`);
  const options = { cwd: downloads };
  await must(runQuiet('apt-get', [...apt, '-q', 'update'], options), 'apt-get update');
  const args = [...apt, '-q', 'source', '--download-only', ...names];
  await must(
    runQuiet('apt-get', args, options),
    `Fetching ${names.join(' ')} (Debian 12's; a version that its mirrors no longer have is on snapshot.debian.org: ` +
      `put its files into ${downloads})`,
  );
  const [wrong] = wrongFiles();
  if (wrong) {
    const [name, sum] = wrong;
    throw new Stop(
      `Expected SHA-256 ${sum} for ${name} but it has ${sha256(path.join(downloads, name))}`,
    );
  }
}

/** Unpacks one source package, with Debian's patches applied. */
export async function unpack(name, target) {
  const dsc = Object.keys(sources[name].files).find((file) => file.endsWith('.dsc'));
  // The files are known by their sums; keys of Debian's developers may not be installed.
  const args = ['--no-check', '-x', path.join(downloads, dsc), target];
  await must(runQuiet('dpkg-source', args), `Unpacking ${dsc}`);
}

/** A Python environment with zig and meson, one for all checkouts of this user; its bin folder. */
export async function ensureZig() {
  const wanted = sha256(path.join(own, 'requirements.txt'));
  const home = process.env.XDG_CACHE_HOME ?? path.join(os.homedir(), '.cache');
  const folder = path.join(home, 'codec-patch-stream', `zig-${wanted.slice(0, 16)}`);
  const stamp = path.join(folder, 'installed-from');
  if (!fs.existsSync(stamp) || fs.readFileSync(stamp, 'utf8') !== wanted) {
    step('installing zig and meson (PyPI)');
    fs.rmSync(folder, { recursive: true, force: true });
    fs.mkdirSync(path.dirname(folder), { recursive: true });
    await must(runQuiet('python3', ['-m', 'venv', folder]), 'Making a Python environment');
    const pip = ['-m', 'pip', 'install', '--require-hashes', '--only-binary=:all:'];
    const args = [...pip, '-r', path.join(own, 'requirements.txt')];
    await must(runQuiet(path.join(folder, 'bin', 'python'), args), 'Installing zig and meson');
    fs.writeFileSync(stamp, wanted);
  }
  const python = path.join(folder, 'bin', 'python');
  const place = capture(python, ['-c', 'import ziglang; print(ziglang.__path__[0])']);
  return { bin: path.join(folder, 'bin'), zig: path.join(place, 'zig'), home: place };
}

/** One word for each tool: configure scripts take no commands with arguments. */
export function writeTools(folder, zig, target) {
  const bin = path.join(folder, 'bin');
  fs.mkdirSync(bin, { recursive: true });
  // Left as they are where they are right: ccache knows a compiler by its time.
  const script = (name, command) => {
    const file = path.join(bin, name);
    const text = `#!/bin/sh\nexec ${command} "$@"\n`;
    if (fs.existsSync(file) && fs.readFileSync(file, 'utf8') === text) return;
    fs.writeFileSync(file, text, { mode: 0o755 });
  };
  for (const name of ['cc', 'c++']) {
    script(`zig-${name}`, `'${zig}' ${name} -target ${target} -fno-sanitize=undefined`);
  }
  for (const name of ['ar', 'ranlib']) script(`zig-${name}`, `'${zig}' ${name}`);
  // CMake's module asks for shared libraries' flags otherwise.
  script('static-pkg-config', 'pkg-config --static');
  return bin;
}
