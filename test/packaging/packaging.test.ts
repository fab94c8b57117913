/**
 * What a user gets: `npm pack`, installed into another project without any development dependency,
 * built from source there by its command (`npm test` puts this checkout's build there instead),
 * loaded by require and import, type-checked, run. With the platform package: prebuilt.test.ts.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { fixturePath, repoRoot } from '../helpers/fixtures';
import { longForm } from '../helpers/long-form';

const MINUTE = 60_000;
const manifest = JSON.parse(fs.readFileSync(path.join(repoRoot, 'package.json'), 'utf8')) as {
  name: string;
  version: string;
  exports: Record<string, unknown>;
  devDependencies: Record<string, string>;
};
const subpaths = Object.keys(manifest.exports)
  .filter((key) => key !== './package.json')
  .map((key) => manifest.name + key.slice(1));

// `npm test` leaves its own npm settings in the environment; a user's shell has none of them.
// Kernels for a GPU take minutes where there is a CUDA compiler and say nothing about packaging.
const env: NodeJS.ProcessEnv = {
  ...Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_/i.test(name) && name !== 'NODE_OPTIONS'),
  ),
  npm_cmake_CPS_ENABLE_CUDA: 'OFF',
};

let folder: string;
let project: string;
let installed: string;
let added: string[];

function npm(args: string[], cwd: string): string {
  return execFileSync('npm', args, {
    cwd,
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function node(args: string[], cwd = project): string {
  return execFileSync(process.execPath, args, { cwd, env, encoding: 'utf8' });
}

function write(name: string, text: string): string {
  const file = path.join(project, name);
  fs.writeFileSync(file, text);
  return file;
}

beforeAll(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-packaging-'));
  project = path.join(folder, 'project');
  installed = path.join(project, 'node_modules', manifest.name);
  fs.mkdirSync(project);
  npm(['pack', '--pack-destination', folder], repoRoot);
  const tarball = path.join(folder, `${manifest.name}-${manifest.version}.tgz`);
  write('package.json', JSON.stringify({ name: 'project', private: true }));
  npm(['install', '--omit=dev', '--prefer-offline', '--no-audit', '--no-fund', tarball], project);
  const lock = path.join(project, 'node_modules', '.package-lock.json');
  const { packages } = JSON.parse(fs.readFileSync(lock, 'utf8')) as { packages: object };
  added = Object.keys(packages);
  if (longForm) {
    npm(['exec', '--', 'codec-patch-stream-build'], project);
  } else {
    const release = path.join('build', 'Release');
    fs.cpSync(path.join(repoRoot, release), path.join(installed, release), { recursive: true });
  }
}, 15 * MINUTE);

afterAll(() => {
  fs.rmSync(folder, { recursive: true, force: true });
});

const use = `
  const stream = await patchStream({ videoPath: process.argv[2], sequenceLength: 4, kKeep: 64 });
  const report = { length: stream.length, shape: stream.patches.shape, ids: stream.sampledFrameIds };
  stream.close();
  console.log(JSON.stringify(report));`;
const expected = { length: 64, shape: [64, 3, 14, 14], ids: [0, 33, 66, 99] };

test('the tarball holds what a build needs and nothing of the tests', () => {
  const has = (name: string): boolean => fs.existsSync(path.join(installed, name));
  for (const name of ['CMakeLists.txt', 'native/core', 'dist/src/index.d.ts', 'LICENSE']) {
    expect([name, has(name)]).toEqual([name, true]);
  }
  for (const name of ['test', 'bench', 'assets', '.ci', 'src', 'scripts/run.mjs']) {
    expect([name, has(name)]).toEqual([name, false]);
  }
});

test('the addon was built by the command, which leaves nothing else', () => {
  expect(fs.readdirSync(path.join(installed, 'build'))).toEqual(['Release']);
  const present = Object.keys(manifest.devDependencies).filter((name) =>
    fs.existsSync(path.join(project, 'node_modules', name)),
  );
  expect(present).toEqual([]);
});

test('require', () => {
  const file = write(
    'use.cjs',
    `const { patchStream } = require('${manifest.name}');\n(async () => {${use}\n})();\n`,
  );
  expect(JSON.parse(node([file, fixturePath('h264_bpyramid.mp4')]))).toEqual(expected);
});

test('import', () => {
  const file = write('use.mjs', `import { patchStream } from '${manifest.name}';\n${use}\n`);
  expect(JSON.parse(node([file, fixturePath('h264_bpyramid.mp4')]))).toEqual(expected);
});

test.each(subpaths)('%s loads by require and by import, with the same names', (name) => {
  const names = `Object.keys(m).filter((k) => !['default', 'module.exports', '__esModule'].includes(k)).sort()`;
  const print = `console.log(JSON.stringify(${names}))`;
  const required = node(['-e', `const m = require('${name}'); ${print}`]);
  const imported = node(['--input-type=module', '-e', `import * as m from '${name}'; ${print}`]);
  expect((JSON.parse(required) as string[]).length).toBeGreaterThan(0);
  expect(imported).toBe(required);
});

test(
  'types: a strict project that uses the package compiles, a wrong use does not',
  () => {
    const source = `import { patchStream, decodeOnly, CodecPatchStreamError } from '${manifest.name}';
    import type { PatchStream, PatchStreamConfig, Tensor } from '${manifest.name}';
    const config: PatchStreamConfig = { videoPath: 'a.mp4', kKeep: 64, outputDtype: 'fp32' };
    export async function first(): Promise<number> {
      const stream: PatchStream = await patchStream(config);
      const scores: Tensor<'float32'> = stream.metadataTensors.scores;
      const data: Float32Array = await scores.toHost();
      for (const { patch, metadata } of stream) console.log(patch.shape, metadata.frameId);
      const frames = await decodeOnly({ videoPath: new URL('file:///a.mp4'), width: 64, height: 64 });
      const bytes: Uint8Array | undefined = frames.frames.data;
      return (data[0] ?? 0) + (bytes?.length ?? 0);
    }
    export const isOurs = (e: unknown): boolean => e instanceof CodecPatchStreamError && e.code !== 'ERR_CPS_CLOSED';
  `;
    write('a.mts', source);
    write('b.cts', source);
    write(
      'tsconfig.json',
      JSON.stringify({
        compilerOptions: {
          ...{ module: 'nodenext', target: 'es2022', strict: true, noEmit: true },
          lib: ['es2022', 'esnext.disposable'],
          ...{ types: ['node'], typeRoots: [path.join(repoRoot, 'node_modules', '@types')] },
        },
        files: ['a.mts', 'b.cts'],
      }),
    );
    const tsc = path.join(repoRoot, 'node_modules', 'typescript', 'bin', 'tsc');
    const good = spawnSync(process.execPath, [tsc, '-p', project], { encoding: 'utf8', env });
    expect(good.stdout).toBe('');
    expect(good.status).toBe(0);

    write('a.mts', source.replace('kKeep: 64', 'kKept: 64'));
    write('b.cts', source.replace("'fp32'", "'fp64'"));
    const wrong = spawnSync(process.execPath, [tsc, '-p', project], { encoding: 'utf8', env });
    expect(wrong.status).not.toBe(0);
    expect(wrong.stdout).toMatch(/a\.mts.*kKept/);
    expect(wrong.stdout).toMatch(/b\.cts.*fp64/);
  },
  3 * MINUTE,
);

test('the command: says what to install, and runs once that is there', () => {
  const command = path.join(project, 'node_modules', '.bin', manifest.name);
  const alone = spawnSync(command, ['a.mp4'], { cwd: project, env, encoding: 'utf8' });
  expect([alone.status, alone.stdout]).toEqual([1, '']);
  expect(alone.stderr).toContain('npm install --save-dev codec-patch-stream-cli');

  npm(['pack', '--pack-destination', folder], path.join(repoRoot, 'packages', 'cli'));
  const tarball = path.join(folder, `codec-patch-stream-cli-${manifest.version}.tgz`);
  npm(['install', '--prefer-offline', '--no-audit', '--no-fund', tarball], project);
  for (const [i, name] of [manifest.name, 'codec-patch-stream-cli'].entries()) {
    const bin = path.join(project, 'node_modules', '.bin', name);
    const out = path.join(folder, `pictures${i}`);
    const args = [fixturePath('h264_bpyramid.mp4'), '--frames', '4', '--out-dir', out, '--json'];
    const text = execFileSync(bin, args, { cwd: project, env, encoding: 'utf8' });
    const summary = JSON.parse(text) as { patches: number };
    expect(summary.patches).toBeGreaterThan(0);
    expect(fs.existsSync(path.join(out, 'contact_sheet.png'))).toBe(true);
  }
  const failed = spawnSync(command, ['no-such.mp4'], { cwd: project, env, encoding: 'utf8' });
  expect([failed.status, failed.stderr]).toEqual([1, expect.stringMatching(/^ERR_CPS_NOT_FOUND/)]);
});

test('no dependency comes along, and no install script', () => {
  const { dependencies = {}, scripts } = JSON.parse(
    fs.readFileSync(path.join(installed, 'package.json'), 'utf8'),
  ) as Record<string, Record<string, string>>;
  expect(Object.keys(dependencies)).toEqual([]);
  const names = Object.keys(scripts ?? {});
  expect(names.filter((name) => /install|prepare|prepublish/.test(name))).toEqual([]);
  // The package itself and, once it is published, the one for this platform.
  expect(added.length).toBeLessThanOrEqual(2);
});

test('a machine without FFmpeg gets one command to type and exit status 1', () => {
  fs.renameSync(path.join(installed, 'build'), path.join(folder, 'build'));
  const result = spawnSync(
    process.execPath,
    [path.join(installed, 'scripts', 'build-from-source.mjs')],
    {
      // pkg-config sees no library in there.
      env: { ...env, PKG_CONFIG_LIBDIR: folder, PKG_CONFIG_PATH: '' },
      encoding: 'utf8',
    },
  );
  expect(result.status).toBe(1);
  expect(result.stderr).toMatch(/FFmpeg >= 5\.1/);
  expect(result.stderr).toMatch(/apt-get install .*libavcodec-dev libavformat-dev/);

  const load = spawnSync(process.execPath, [path.join(project, 'use.cjs'), 'a.mp4'], {
    cwd: project,
    env,
    encoding: 'utf8',
  });
  expect(load.status).not.toBe(0);
  expect(load.stderr).toMatch(/ERR_CPS_BACKEND_UNAVAILABLE/);
  // The same where the program runs: the message says how to build.
  expect(load.stderr).toContain(`node ${path.join(fs.realpathSync(installed), 'scripts')}`);
  fs.renameSync(path.join(folder, 'build'), path.join(installed, 'build'));
});
