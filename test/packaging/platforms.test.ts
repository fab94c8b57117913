/** Where there is no addon: other systems, other C libraries, a platform package that was left out. */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { repoRoot } from '../helpers/fixtures.js';

const PACKAGE = 'codec-patch-stream';
const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'cps-platforms-')));
const installed = path.join(folder, 'node_modules', PACKAGE);
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

beforeAll(() => {
  for (const name of ['dist', 'package.json']) {
    fs.cpSync(path.join(repoRoot, name), path.join(installed, name), { recursive: true });
  }
});

/** What the package says in a process that believes to run on that system. */
function said(platform: string, arch: string, more = ''): { names: number; message: string } {
  const script = `
    Object.defineProperty(process, 'platform', { value: '${platform}' });
    Object.defineProperty(process, 'arch', { value: '${arch}' });
    ${more}
    const api = require('${PACKAGE}');
    for (const name of ['inputs', 'ort', 'tfjs']) require('${PACKAGE}/' + name);
    const names = Object.keys(api).length;
    api.decodeOnly({ videoPath: 'a.mp4' }).catch(({ code, stage, message }) =>
      console.log(JSON.stringify({ names, code, stage, message })));`;
  const run = spawnSync(process.execPath, ['-e', script], { cwd: folder, encoding: 'utf8' });
  expect([run.status, run.stderr]).toEqual([0, '']);
  const { code, stage, ...rest } = JSON.parse(run.stdout) as Record<string, unknown>;
  expect([code, stage]).toEqual(['ERR_CPS_BACKEND_UNAVAILABLE', 'load']);
  return rest as { names: number; message: string };
}

const HERE = [process.platform, process.arch] as const;
const SCRIPT = path.join(installed, 'scripts', 'build-from-source.mjs');

test.each([
  ['darwin', 'arm64'],
  ['win32', 'x64'],
])('%s %s: everything is imported, a call says where it runs', (platform, arch) => {
  const { names, message } = said(platform, arch);
  expect(names).toBeGreaterThan(10);
  expect(message).toMatch(
    new RegExp(`^There is no native addon of ${PACKAGE} for ${platform}-${arch}.*on Linux`),
  );
  expect(message).not.toContain('build-from-source');
});

test('without its optional dependencies: the package that is missing, and both ways out', () => {
  const { message } = said(...HERE);
  expect(message).toContain(
    `the package @${PACKAGE}/linux-${process.arch} is not installed. Install ${PACKAGE} again`,
  );
  expect(message).toMatch(/--omit=optional.*Build it for this machine: node /);
  expect(message.endsWith(SCRIPT)).toBe(true);
});

test('another C library, another processor: how to build', () => {
  const musl = 'process.report.getReport = () => ({ header: { glibcVersionRuntime: undefined } });';
  expect(said(...HERE, musl).message).toMatch(/is for glibc, which is not this.*Build it for/);
  const other = said('linux', 'riscv64').message;
  expect(other).toMatch(/no prebuilt one for linux-riscv64\. Build it for this machine/);
});

describe('a platform package', () => {
  const platforms = path.join(folder, 'node_modules', `@${PACKAGE}`);
  const own = path.join(installed, 'build', 'Release', 'codec_patch_stream.node');
  const loaded = (): string => {
    const script = `require('${PACKAGE}').buildInfo();
      console.log(Object.keys(require.cache).find((file) => file.endsWith('.node')));`;
    const run = spawnSync(process.execPath, ['-e', script], { cwd: folder, encoding: 'utf8' });
    expect([run.status, run.stderr]).toEqual([0, '']);
    return run.stdout.trim();
  };

  // This repository's build stands for all of them.
  const build = path.join(repoRoot, 'build', 'Release', 'codec_patch_stream.node');
  const install = (name: string): string => {
    const home = path.join(platforms, name);
    fs.mkdirSync(home, { recursive: true });
    fs.cpSync(path.join(repoRoot, 'packages', name, 'package.json'), `${home}/package.json`);
    fs.cpSync(build, path.join(home, 'codec_patch_stream.node'));
    return path.join(home, 'codec_patch_stream.node');
  };

  test('is loaded, but for a build of one’s own', () => {
    const platform = install(`linux-${process.arch}`);
    expect(loaded()).toBe(platform);
    fs.cpSync(build, own);
    expect(loaded()).toBe(own);
    fs.rmSync(own);
  });

  (process.arch === 'x64' ? test : test.skip)('with CUDA comes first, and may be alone', () => {
    const plain = install('linux-x64');
    const cuda = install('linux-x64-cuda');
    expect(loaded()).toBe(cuda);
    fs.rmSync(path.dirname(plain), { recursive: true });
    expect(loaded()).toBe(cuda);
    fs.rmSync(path.dirname(cuda), { recursive: true });
  });
});

test('versions agree: this package, the platform packages, what is asked for, the lock file', () => {
  const read = (name: string): Record<string, unknown> =>
    JSON.parse(fs.readFileSync(path.join(repoRoot, name), 'utf8')) as Record<string, unknown>;
  const { version, optionalDependencies } = read('package.json');
  const names = ['linux-arm64', 'linux-x64'];
  expect(optionalDependencies).toEqual(
    Object.fromEntries(names.map((name) => [`@${PACKAGE}/${name}`, version])),
  );
  const locked = read('package-lock.json').packages as Record<string, object>;
  for (const name of names) {
    expect(read(`packages/${name}/package.json`)).toMatchObject({
      ...{ name: `@${PACKAGE}/${name}`, version, os: ['linux'], libc: ['glibc'] },
      cpu: [name.slice('linux-'.length)],
    });
    // They come from this repository: npm ci asks no registry for them.
    const link = { resolved: `packages/${name}`, link: true };
    expect(locked[`node_modules/@${PACKAGE}/${name}`]).toEqual(link);
    expect(locked[`packages/${name}`]).toMatchObject({ version, optional: true });
  }
  // Installed by name, for this version of the library alone.
  expect(read('packages/linux-x64-cuda/package.json')).toMatchObject({
    ...{ name: `@${PACKAGE}/linux-x64-cuda`, version, os: ['linux'], cpu: ['x64'] },
    ...{ libc: ['glibc'], peerDependencies: { [PACKAGE]: version } },
  });
});
