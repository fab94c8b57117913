/**
 * DeviceSession in other versions of onnxruntime-node than ours: the oldest that npm has with its library
 * (1.8.0 and 1.9.0 download it in an install script), the oldest that has what we use, one of the years between,
 * and the newest. They come from npm in the long form of the tests (80 to 300 MB each), into a temporary folder.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { GraphBuilder } from '../../../examples/lib/onnx.js';
import { repoRoot } from '../../helpers/fixtures.js';
import { longForm } from '../../helpers/long-form.js';

const TOO_OLD = '1.10.0';
const WORK = ['1.11.0', '1.14.0', '1.22.0', 'latest'];

/** x [n, 8] through two layers, in float32 or float16, as y in float32. */
function layers(inner: 1 | 10): Uint8Array {
  const g = new GraphBuilder();
  const ramp = (n: number) => Float32Array.from({ length: n }, (_, i) => Math.cos(i));
  const to = (name: string) => g.node('Cast', [name], { to: inner });
  let x = to(g.input('x', 'float32', ['n', 8]));
  x = g.node('MatMul', [x, to(g.constant(ramp(8 * 16), [8, 16]))]);
  x = g.node('Softmax', [g.node('Tanh', [x])], { axis: 1 });
  x = g.node('MatMul', [x, to(g.constant(ramp(4 * 16), [16, 4]))]);
  g.output(g.node('Cast', [x], { to: 1 }, 'y'), 'float32', ['n', 4]);
  return g.encode(15);
}

/** This package and `version` of onnxruntime-node, without its install script; undefined without npm. */
function install(version: string): string | undefined {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-ort-version-'));
  fs.writeFileSync(path.join(folder, 'package.json'), '{ "private": true }\n');
  const flags = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline'];
  const { status } = spawnSync('npm', ['install', ...flags, `onnxruntime-node@${version}`], {
    cwd: folder,
    env: { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip' },
    timeout: 400_000,
  });
  if (status !== 0) {
    fs.rmSync(folder, { recursive: true, force: true });
    return undefined;
  }
  const own = path.join(folder, 'node_modules', 'codec-patch-stream');
  for (const part of ['package.json', 'dist', 'build/Release/codec_patch_stream.node']) {
    fs.cpSync(path.join(repoRoot, part), path.join(own, part), { recursive: true });
  }
  fs.writeFileSync(path.join(folder, 'single.onnx'), layers(1));
  fs.writeFileSync(path.join(folder, 'half.onnx'), layers(10));
  return folder;
}

function runWith(version: string): unknown {
  const folder = install(version);
  if (folder === undefined) throw new Error(`npm install onnxruntime-node@${version} failed`);
  try {
    const script = path.join(repoRoot, 'test', 'helpers', 'ort-version-child.cjs');
    const out = execFileSync(process.execPath, [script, folder], { encoding: 'utf8' });
    return JSON.parse(out.trim().split('\n').at(-1) ?? '');
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

jest.setTimeout(600_000);

if (!longForm) {
  test.skip('other versions of onnxruntime-node (left out: CPS_LONG=1 fetches them)', () =>
    undefined);
} else {
  test.each(WORK)('onnxruntime-node %s: the same, bit for bit', (version) => {
    const said = runWith(version) as { version: string };
    if (version !== 'latest') expect(said.version).toBe(version);
    expect(said).toMatchObject({ same: { 'single.onnx': true, 'half.onnx': true } });
  });

  test(`onnxruntime-node ${TOO_OLD} is too old, in words`, () => {
    expect(runWith(TOO_OLD)).toMatchObject({
      version: TOO_OLD,
      code: 'ERR_CPS_BACKEND_UNAVAILABLE',
      message: expect.stringMatching(
        /ONNX Runtime 1\.10\.0 .*install onnxruntime-node 1\.11 or newer/,
      ) as string,
    });
  });
}
