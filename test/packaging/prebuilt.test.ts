/**
 * The platform package of this processor, where it is built (`node scripts/prebuild.mjs`, or CPS_PREBUILT=1 with
 * `.ci/run`): what is seen of it from outside, what it needs, and what lives beside it in one process.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { fixturePath, repoRoot } from '../helpers/fixtures.js';

const PACKAGE = 'codec-patch-stream';
const HOME = path.join(repoRoot, 'packages', `linux-${process.arch}`);
const ADDON = path.join(HOME, 'codec_patch_stream.node');
const there = fs.existsSync(ADDON);
if (!there) process.stderr.write(`left out: ${ADDON} is not built (node scripts/prebuild.mjs)\n`);
const built = there ? describe : describe.skip;

const MINUTE = 60_000;

/** Those of any processor, with and without CUDA. */
const known = ['linux-x64', 'linux-arm64', 'linux-x64-cuda'].map(
  (name) => [name, path.join(repoRoot, 'packages', name)] as const,
);
const isBuilt = (home: string): boolean =>
  fs.existsSync(path.join(home, 'codec_patch_stream.node'));
// An empty table would be an error.
const all = known.filter(([, home]) => isBuilt(home));
const ofEach = all.length > 0 ? describe.each(all) : describe.skip.each(known);

ofEach('the file of %s', (name, home) => {
  const tool = (command: string, ...args: string[]): string => {
    const options = { encoding: 'utf8', maxBuffer: 64 << 20 } as const;
    return execFileSync(command, [...args, path.join(home, 'codec_patch_stream.node')], options);
  };

  test('shows what Node asks for and nothing else', () => {
    const lines = tool('nm', '-D', '--defined-only').trim().split('\n');
    const names = lines.map((line) => line.split(' ').at(-1));
    const allowed = ['napi_register_module_v1', 'node_api_module_get_api_version_v1'];
    expect(names).toContain('napi_register_module_v1');
    expect(names.filter((name) => !allowed.includes(name ?? ''))).toEqual([]);
  });

  test('needs glibc 2.28 and no other library', () => {
    const needed = [...tool('readelf', '-dW').matchAll(/NEEDED.*\[(.*)\]/g)].map(
      ([, name]) => name,
    );
    expect(needed).toContain('libc.so.6');
    const libraries = /^(lib(c|m|dl|pthread|rt)\.so\.\d|ld-linux-.*)$/;
    expect(needed.filter((name) => !libraries.test(name ?? ''))).toEqual([]);
    const versions = [...tool('nm', '-D').matchAll(/@GLIBC_2\.(\d+)/g)].map(([, minor]) =>
      Number(minor),
    );
    expect(versions.length).toBeGreaterThan(20);
    expect(Math.max(...versions)).toBeLessThanOrEqual(28);
  });

  test('holds an FFmpeg under the LGPL, with its licence and how it was made', () => {
    const bytes = fs.readFileSync(path.join(home, 'codec_patch_stream.node')).toString('latin1');
    expect(bytes.includes('libdav1d')).toBe(true);
    // dependencies.sh asks FFmpeg's own config.h, and stops where it says GPL.
    const texts = fs.readdirSync(path.join(home, 'licences'));
    const parts = ['ffmpeg', 'dav1d', 'zlib', 'libcxx', 'libunwind', 'zig'];
    for (const part of name.endsWith('-cuda') ? [...parts, 'cuda'] : parts) {
      expect([part, texts.some((text) => text.startsWith(`${part}-`))]).toEqual([part, true]);
    }
    const configuration = fs.readFileSync(path.join(home, 'configuration.txt'), 'utf8');
    expect(configuration).toMatch(/FFmpeg's licence as configured: LGPL version 2\.1 or later/);
    expect(configuration).toMatch(/--disable-everything --enable-decoders/);
    expect(configuration).not.toContain(repoRoot);
  });

  // The kernels for all GPUs are beyond it.
  (name.endsWith('-cuda') ? test.skip : test)('with the library it takes at most 25 MB', () => {
    const size = (cwd: string): number => {
      const args = ['pack', '--dry-run', '--json', '--ignore-scripts'];
      const text = execFileSync('npm', args, {
        cwd,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      const [{ unpackedSize }] = JSON.parse(text) as [{ unpackedSize: number }];
      return unpackedSize;
    };
    expect(size(repoRoot) + size(home)).toBeLessThanOrEqual(25e6);
  });
});

const cuda = path.join(repoRoot, 'packages', 'linux-x64-cuda', 'codec_patch_stream.node');
(process.arch === 'x64' && fs.existsSync(cuda) ? describe : describe.skip)('with CUDA', () => {
  test('loads without a driver, says what it has, and makes the same patches on the CPU', () => {
    const script = (addon: string): string => `
      const { createHash } = require('node:crypto');
      const { backendInfo, buildInfo, patchStream } = require('${PACKAGE}');
      (async () => {
        const options = { videoPath: ${JSON.stringify(fixturePath('h264_bpyramid.mp4'))}, sequenceLength: 8, kKeep: 64 };
        const stream = await patchStream(options);
        const refusal = await patchStream({ ...options, backend: 'gpu' })
          .then(() => 'accepted', ({ code, message }) => code + ' ' + message);
        const hash = createHash('sha256').update(stream.patches.data).digest('hex');
        const { gpu } = await backendInfo();
        console.log(JSON.stringify({ hash, cuda: buildInfo().cuda, gpu, refusal, addon: '${addon}' }));
        stream.close();
      })();`;
    const said = ['linux-x64', 'linux-x64-cuda'].map((name) => {
      const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-cuda-'));
      const modules = path.join(folder, 'node_modules');
      for (const file of ['dist', 'package.json']) {
        const copy = path.join(modules, PACKAGE, file);
        fs.cpSync(path.join(repoRoot, file), copy, { recursive: true });
      }
      const home = path.join(repoRoot, 'packages', name);
      fs.cpSync(home, path.join(modules, `@${PACKAGE}`, name), { recursive: true });
      const args = ['-e', script(name)];
      const run = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' });
      fs.rmSync(folder, { recursive: true });
      expect([run.status, run.stderr]).toEqual([0, '']);
      return JSON.parse(run.stdout) as {
        hash: string;
        cuda: unknown;
        gpu: { process: boolean; whyNot: { process: string } };
        refusal: string;
      };
    });
    const [plain, gpu] = said;
    expect(plain?.cuda).toBeNull();
    expect(gpu?.cuda).not.toBeNull();
    expect(gpu?.hash).toBe(plain?.hash);
    expect(plain?.refusal).toMatch(/^ERR_CPS_BACKEND_UNAVAILABLE .*has no CUDA/);
    if (gpu?.gpu.process) return;
    expect(gpu?.gpu.whyNot.process).toMatch(
      /^(no NVIDIA driver|the NVIDIA driver|there is no CUDA)/,
    );
    expect(gpu?.refusal).toMatch(/^ERR_CPS_BACKEND_UNAVAILABLE /);
    expect(gpu?.refusal).toContain(gpu?.gpu.whyNot.process);
  });

  test('has kernels for each architecture that configuration.txt names', () => {
    const script = `import { kernelArchitectures } from '${repoRoot}/scripts/lib/fatbin.mjs';
      console.log(JSON.stringify(kernelArchitectures('${cuda}')));`;
    const args = ['--input-type=module', '-e', script];
    const said = JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as {
      code: number[];
      ptx: number[];
    };
    const text = fs.readFileSync(path.join(path.dirname(cuda), 'configuration.txt'), 'utf8');
    const named = /for compute capability (.*), and PTX (.*)$/m.exec(text)?.slice(1) ?? [];
    const [code, ptx] = named.map((list) => list.split(', ').map((one) => 10 * Number(one)));
    expect(said).toMatchObject({ code, ptx });
    // The oldest that nvcc 13 knows; a release has seven (cuda/CMakeLists.txt).
    expect(code).toContain(75);
  });
});

built('in one process with others', () => {
  const VIDEO = fixturePath('h264_bpyramid.mp4');
  let project: string;

  /** `name` is the package with the platform package; `own` the same with this repository's build. */
  beforeAll(() => {
    project = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'cps-prebuilt-')));
    for (const copy of ['prebuilt', 'own']) {
      const home = path.join(project, copy, 'node_modules', PACKAGE);
      for (const name of ['dist', 'package.json']) {
        fs.cpSync(path.join(repoRoot, name), path.join(home, name), { recursive: true });
      }
    }
    const platform = `node_modules/@${PACKAGE}/linux-${process.arch}`;
    fs.cpSync(HOME, path.join(project, 'prebuilt', platform), { recursive: true });
    const addon = 'build/Release/codec_patch_stream.node';
    fs.cpSync(path.join(repoRoot, addon), path.join(project, 'own/node_modules', PACKAGE, addon));
  });
  afterAll(() => fs.rmSync(project, { recursive: true, force: true }));

  const modules = (name: string): string => path.join(repoRoot, 'node_modules', name);
  const tfjsNode = path.join(repoRoot, 'build/tfjs-node/node_modules/@tensorflow/tfjs-node');
  const others: [string, string, string][] = [
    [
      'onnxruntime-node',
      modules('onnxruntime-node'),
      `new other.Tensor('float32', [1, 2, 3], [3]).data.join()`,
    ],
    ['tfjs', modules('@tensorflow/tfjs'), `(await other.tensor([1, 2, 3]).square().data()).join()`],
    ['tfjs-node', tfjsNode, `(await other.tensor([1, 2, 3]).square().data()).join()`],
    [
      'sharp',
      modules('sharp'),
      `(await other({ create: { width: 9, height: 9, channels: 3, background: '#123' } }).jpeg().toBuffer()).length`,
    ],
    [
      'the same package over FFmpeg’s shared libraries',
      `own/node_modules/${PACKAGE}`,
      `(await patches(other))`,
    ],
  ];

  const usable = (place: string): boolean =>
    place === tfjsNode
      ? fs.existsSync(path.join(tfjsNode, 'lib/napi-v8/tfjs_binding.node'))
      : !path.isAbsolute(place) || fs.existsSync(place);

  /** What both say, loaded and used in this order, and used again after one another. */
  function together(place: string, use: string, first: 'ours' | 'other'): string[] {
    const load = {
      ours: `const ours = require('./prebuilt/node_modules/${PACKAGE}'); const a = await patches(ours);`,
      other: `const other = require(${JSON.stringify(path.resolve(project, place))}); const b = ${use};`,
    };
    const script = `
      const { createHash } = require('node:crypto');
      const patches = async (api) => {
        const stream = await api.patchStream({ videoPath: ${JSON.stringify(VIDEO)}, sequenceLength: 8, kKeep: 64, backend: 'cpu' });
        const hash = createHash('sha256').update(stream.patches.data).digest('hex');
        stream.close();
        return hash;
      };
      (async () => {
        ${first === 'ours' ? load.ours + load.other : load.other + load.ours}
        const again = [await patches(ours), ${use}];
        const files = Object.keys(require.cache).filter((file) => /codec_patch_stream\\.node$/.test(file));
        console.log(JSON.stringify([a, String(b), ...again.map(String), String(files.length)]));
      })();`;
    const file = path.join(project, 'program.cjs');
    fs.writeFileSync(file, script);
    const run = spawnSync(process.execPath, [file], { encoding: 'utf8', timeout: MINUTE });
    if (run.status !== 0) throw new Error(`${run.status} ${run.signal}: ${run.stderr}`);
    return JSON.parse(run.stdout.trim().split('\n').at(-1) ?? '') as string[];
  }

  for (const [name, place] of others) {
    if (!usable(place)) test.skip(`${name} (left out: it is not there)`, () => undefined);
  }

  test.each(others.filter(([, place]) => usable(place)))(
    '%s, in both orders',
    (name, place, use) => {
      const [first, second] = [together(place, use, 'ours'), together(place, use, 'other')];
      expect(first).toEqual(second);
      const [ours, other, oursAgain, otherAgain] = first;
      expect([oursAgain, otherAgain]).toEqual([ours, other]);
      if (name.startsWith('the same')) expect([ours, first[4]]).toEqual([other, '2']);
    },
    3 * MINUTE,
  );
});

built('installed from its tarballs', () => {
  let folder: string;
  beforeAll(() => {
    folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'cps-install-')));
  });
  afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

  test(
    'two packages, nothing compiled, the README’s lines run',
    () => {
      const env = Object.fromEntries(
        Object.entries(process.env).filter(([name]) => !/^npm_|^NODE_OPTIONS$/i.test(name)),
      );
      const npm = (args: string[], cwd: string): string =>
        execFileSync('npm', args, {
          cwd,
          env,
          encoding: 'utf8',
          stdio: ['ignore', 'pipe', 'pipe'],
        });
      const pack = (cwd: string): string => {
        const text = npm(['pack', '--json', '--ignore-scripts', '--pack-destination', folder], cwd);
        const [{ filename }] = JSON.parse(text) as [{ filename: string }];
        return path.join(folder, filename);
      };
      const project = path.join(folder, 'project');
      fs.mkdirSync(project);
      fs.writeFileSync(path.join(project, 'package.json'), '{ "private": true }');
      const flags = ['--prefer-offline', '--no-audit', '--no-fund'];
      npm(['install', ...flags, pack(repoRoot), pack(HOME)], project);
      const lock = JSON.parse(
        fs.readFileSync(path.join(project, 'node_modules/.package-lock.json'), 'utf8'),
      ) as { packages: object };
      expect(Object.keys(lock.packages).sort()).toEqual([
        `node_modules/@${PACKAGE}/linux-${process.arch}`,
        `node_modules/${PACKAGE}`,
      ]);
      const readme = fs.readFileSync(path.join(repoRoot, 'README.md'), 'utf8');
      const block = /```ts\n([^]*?)```/.exec(readme)?.[1] ?? '';
      expect(block).toContain('patchStream(');
      fs.copyFileSync(path.join(repoRoot, 'assets', 'sample.mp4'), path.join(project, 'video.mp4'));
      fs.writeFileSync(path.join(project, 'five-lines.mjs'), block);
      const run = spawnSync(process.execPath, ['five-lines.mjs'], {
        cwd: project,
        env,
        encoding: 'utf8',
      });
      expect([run.status, run.stderr]).toEqual([0, '']);
      expect(run.stdout).toContain('[ 1024, 3, 14, 14 ] [ 1024, 3 ]');
    },
    3 * MINUTE,
  );
});
