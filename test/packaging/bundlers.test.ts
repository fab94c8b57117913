/**
 * Programs that were bundled, and programs whose files were gathered: the addon is found by those that
 * trace files, and the others say in one sentence which option to set.
 */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { fixturePath, repoRoot } from '../helpers/fixtures.js';
import { longForm } from '../helpers/long-form.js';

const PACKAGE = 'codec-patch-stream';
let project: string;
let installed: string;

const PROGRAM = `import { decodeOnly } from '${PACKAGE}';
const say = (value) => console.log(JSON.stringify(value));
decodeOnly({ videoPath: process.argv[2], sequenceLength: 3 }).then(
  (frames) => say(frames.sampledFrameIds),
  ({ code, message }) => say({ code, message }),
);
`;

beforeAll(() => {
  project = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'cps-bundlers-')));
  installed = path.join(project, 'node_modules', PACKAGE);
  for (const name of ['dist', 'package.json', 'build/Release']) {
    fs.cpSync(path.join(repoRoot, name), path.join(installed, name), { recursive: true });
  }
  fs.writeFileSync(path.join(project, 'program.mjs'), PROGRAM);
  fs.writeFileSync(path.join(project, 'package.json'), '{ "name": "program", "private": true }');
});
afterAll(() => fs.rmSync(project, { recursive: true, force: true }));

function run(file: string, args: readonly string[], cwd = project): string {
  const { status, stdout, stderr } = spawnSync(file, args, { cwd, encoding: 'utf8' });
  if (status !== 0) throw new Error(`${file} ${args.join(' ')}: ${stderr}${stdout}`);
  return stdout;
}
const bin = (name: string): string => path.join(repoRoot, 'node_modules', '.bin', name);
const program = (file: string, cwd = project): unknown =>
  JSON.parse(run(process.execPath, [file, fixturePath('small.mp4')], cwd));

const SAID = {
  code: 'ERR_CPS_BACKEND_UNAVAILABLE',
  message: expect.stringMatching(
    /^codec-patch-stream was bundled .* name 'codec-patch-stream' as external .*--external:codec-patch-stream.*runs$/,
  ) as string,
};
const VITE = `export default {
  logLevel: 'error',
  build: { ssr: 'program.mjs', outDir: 'out/vite', emptyOutDir: false },
  ssr: { noExternal: process.env.EXTERNAL ? undefined : true },
};`;

test('esbuild', () => {
  const bundle = ['program.mjs', '--bundle', '--platform=node', '--log-level=warning'];
  const stdout = run(bin('esbuild'), [...bundle, '--outfile=out/esbuild.cjs']);
  expect(stdout).toBe('');
  expect(program('out/esbuild.cjs')).toEqual(SAID);
  run(bin('esbuild'), [...bundle, `--external:${PACKAGE}`, '--outfile=out/external.cjs']);
  expect(program('out/external.cjs')).toEqual([0, 24, 49]);
});

test('rollup leaves it outside, and vite where it is not told otherwise', () => {
  run(bin('rollup'), ['program.mjs', '-f', 'es', '-o', 'out/rollup.mjs', '--silent']);
  expect(program('out/rollup.mjs')).toEqual([0, 24, 49]);
  fs.writeFileSync(path.join(project, 'vite.config.mjs'), VITE);
  run(bin('vite'), ['build']);
  expect(program('out/vite/program.mjs')).toEqual(SAID);
});

// Some seconds each; the message comes from the same place.
(longForm ? test : test.skip)('ncc', () => {
  run(bin('ncc'), ['build', 'program.mjs', '-o', 'out/ncc']);
  const name = fs.readdirSync(path.join(project, 'out', 'ncc')).find((one) => /^index/.test(one));
  expect(program(path.join('out', 'ncc', name ?? ''))).toEqual(SAID);
});

/** What @vercel/nft lists, in a process of its own, as it is an ES module. */
function traced(): string[] {
  const trace = `import { nodeFileTrace } from '${path.join(repoRoot, 'node_modules/@vercel/nft/out/index.js')}';
    const { fileList } = await nodeFileTrace(['program.mjs'], { base: process.cwd() });
    console.log(JSON.stringify([...fileList]));`;
  return JSON.parse(run(process.execPath, ['--input-type=module', '-e', trace])) as string[];
}

test('@vercel/nft finds the addon: what it lists runs elsewhere', () => {
  const files = traced();
  expect(files).toContain(`node_modules/${PACKAGE}/build/Release/codec_patch_stream.node`);
  const elsewhere = path.join(project, 'elsewhere');
  for (const file of files) fs.cpSync(path.join(project, file), path.join(elsewhere, file));
  expect(program('program.mjs', elsewhere)).toEqual([0, 24, 49]);
});

describe('with the platform package', () => {
  const platform = `@${PACKAGE}/linux-${process.arch}`;
  const addon = `node_modules/${platform}/codec_patch_stream.node`;
  const release = (): string => path.join(installed, 'build', 'Release');
  const aside = (): string => path.join(project, 'own.node');

  beforeAll(() => {
    const home = path.join(project, 'node_modules', platform);
    const manifest = path.join(repoRoot, 'packages', `linux-${process.arch}`, 'package.json');
    fs.mkdirSync(home, { recursive: true });
    fs.copyFileSync(manifest, path.join(home, 'package.json'));
    fs.renameSync(path.join(release(), 'codec_patch_stream.node'), aside());
    // Where the prebuilt one is not there the build of this repository stands for it.
    const prebuilt = path.join(path.dirname(manifest), 'codec_patch_stream.node');
    const file = fs.existsSync(prebuilt) ? prebuilt : aside();
    fs.copyFileSync(file, path.join(project, addon));
  });
  afterAll(() => {
    fs.renameSync(aside(), path.join(release(), 'codec_patch_stream.node'));
    fs.rmSync(path.join(project, 'node_modules', `@${PACKAGE}`), { recursive: true });
  });

  test('@vercel/nft finds it', () => {
    const files = traced();
    expect(files).toContain(addon);
    const elsewhere = path.join(project, 'elsewhere-platform');
    for (const file of files) fs.cpSync(path.join(project, file), path.join(elsewhere, file));
    expect(program('program.mjs', elsewhere)).toEqual([0, 24, 49]);
  });

  test('a bundle of esbuild finds it where it is installed', () => {
    const bundle = ['program.mjs', '--bundle', '--platform=node', '--log-level=warning'];
    expect(run(bin('esbuild'), [...bundle, '--outfile=out/with-platform.cjs'])).toBe('');
    expect(program('out/with-platform.cjs')).toEqual([0, 24, 49]);
  });

  (longForm ? test : test.skip)('ncc takes it along', () => {
    // Where no node_modules is.
    const out = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-ncc-'));
    try {
      run(bin('ncc'), ['build', 'program.mjs', '-o', out]);
      const files = fs.readdirSync(out, { recursive: true, encoding: 'utf8' });
      expect(files.filter((one) => one.endsWith('.node'))).toHaveLength(1);
      const name = files.find((one) => /^index/.test(one)) ?? '';
      expect(program(path.join(out, name))).toEqual([0, 24, 49]);
    } finally {
      fs.rmSync(out, { recursive: true });
    }
  });
});
