/**
 * The GPU path from JavaScript without a GPU: an addon whose kernels run on the host, over a driver
 * that decodes with libavcodec (test/native/cuda/fake_driver). Runs what scripts/gpu-check.sh runs on a
 * GPU machine, so that it is known to work before there is one.
 */
import { spawnSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { presets } from '../../src/inputs/index.js';
import { fixturePath, repoRoot } from '../helpers/fixtures.js';

const addon = join(repoRoot, 'build', 'emulated', 'codec_patch_stream.node');
const driver = join(repoRoot, 'build', 'test', 'native', 'libcps_fake_driver.so');
// Both need NVDEC's headers; without them there is no GPU path to test.
const built = existsSync(addon) && existsSync(driver);
// .ci/run expects it wherever there is nvcc, unless the GPU path was switched off by name.
const expected =
  process.env['CPS_EXPECT_CUDA'] === '1' && process.env['npm_cmake_CPS_ENABLE_CUDA'] !== 'OFF';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'cps-emulated-'));
  mkdirSync(join(folder, 'build', 'Release'), { recursive: true });
  cpSync(join(repoRoot, 'dist'), join(folder, 'dist'), { recursive: true });
  cpSync(join(repoRoot, 'package.json'), join(folder, 'package.json'));
  if (!built) return;
  cpSync(addon, join(folder, 'build', 'Release', 'codec_patch_stream.node'));
  symlinkSync(driver, join(folder, 'libcuda.so.1'));
  symlinkSync(driver, join(folder, 'libnvcuvid.so.1'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

const check = (part: 'cpu' | 'gpu') => run('scripts/gpu/js-check.cjs', part);

function run(script: string, ...args: string[]): string {
  return runWith({}, script, ...args);
}

function runWith(env: Record<string, string>, script: string, ...args: string[]): string {
  const command = ['--expose-gc', join(repoRoot, script), ...args];
  const { status, stdout, stderr } = spawnSync(process.execPath, command, {
    encoding: 'utf8',
    env: {
      ...process.env,
      CPS_PACKAGE: folder,
      CPS_FIXTURES: join(fixturePath('h264_bpyramid.mp4'), '..'),
      LD_LIBRARY_PATH: folder,
      ...env,
    },
  });
  if (status !== 0) throw new Error(`${stdout}\n${stderr}`);
  return stdout;
}

(built || expected ? describe : describe.skip)('the GPU path over the fake driver', () => {
  /** An onnxruntime-node whose library is a fake that notes what is bound (test/native/ort/fake_ort). */
  const withFakeOrt = (): Record<string, string> => {
    const stub = join(folder, 'node_modules', 'onnxruntime-node');
    const bin = join(stub, 'bin', 'napi-v6', process.platform, process.arch);
    const library = join(bin, 'libonnxruntime.so.1');
    if (!existsSync(library)) {
      mkdirSync(bin, { recursive: true });
      const common = join(repoRoot, 'node_modules', 'onnxruntime-common');
      const text = `module.exports = require(${JSON.stringify(common)});`;
      writeFileSync(join(stub, 'index.js'), text);
      symlinkSync(join(repoRoot, 'build', 'test', 'native', 'libcps_fake_ort.so'), library);
    }
    const logs = mkdtempSync(join(folder, 'logs-'));
    return {
      LD_PRELOAD: library,
      CPS_FAKE_ORT_LOG: join(logs, 'bound'),
      CPS_FAKE_DOWNLOADS: join(logs, 'downloads'),
    };
  };

  test('addon, auto and gpu', () => {
    const said = check('cpu');
    expect(said).toContain('ok      \'gpu\' works or says what is missing: {"decode":"cuda:0"');
    expect(said).toContain('no CUDA device 99');
  });

  test('four combinations, device tensors, garbage collection, workers, fallback; every feature', () => {
    const model = join(folder, 'identity');
    const shape = '10 1 24 3 14 14';
    writeFileSync(model, `in x ${shape}\nout y ${shape}\ncopy y x\n`);
    const env = { ...withFakeOrt(), CPS_ORT_MODEL: model };
    const said = runWith(env, 'scripts/gpu/js-check.cjs', 'gpu');
    expect(said).toContain('16 runs');
    expect(said).toContain('14 ways');
    expect(said).toContain(`${Object.keys(presets).length} presets`);
    expect(said).toContain('a DeviceSession takes tensors where they are: outputs on cuda:0');
    expect(said.match(/^ok {6}/gm)).toHaveLength(15);
  });

  test("the adapters make the same of device tensors as of the host's", () => {
    const said: unknown = JSON.parse(run('test/helpers/gpu-adapters-child.cjs'));
    const same = 'feeds bf16 fp16 fp32 frames patchDataset frameDataset feedStream'.split(' ');
    expect(said).toEqual({ same: expect.arrayContaining(same) as unknown, left: 0 });
  });

  test('the event loop goes on while a driver starts, and a device can be opened ahead', () => {
    const env = { CPS_FAKE_SLOW_INIT: '600' };
    const said = JSON.parse(runWith(env, 'test/helpers/gpu-start-child.cjs')) as {
      took: number;
      longest: number;
    };
    expect(said).toMatchObject({
      gpu: [true, true],
      refused: expect.stringContaining('Expected deviceId for options of warmUp') as unknown,
      none: expect.stringContaining('no CUDA device 99') as unknown,
    });
    expect(said.took).toBeGreaterThan(500);
    expect(said.longest).toBeLessThan(400); // a busy machine's own pauses
  });

  test('a DeviceSession binds device memory as it is, and nothing is downloaded for it', () => {
    const said: unknown = JSON.parse(runWith(withFakeOrt(), 'test/helpers/gpu-session-child.cjs'));
    expect(said).toEqual({ checks: 7, left: 0 });
  });

  test("models' inputs stay on the device for it, bit for bit as the CPU's", () => {
    const said: unknown = JSON.parse(
      runWith(withFakeOrt(), 'test/helpers/gpu-input-session-child.cjs'),
    );
    expect(said).toEqual({ checks: 17, left: 0 });
  });

  test('TensorFlow on a GPU takes device memory where it is asked for, and says why not', () => {
    const logs = mkdtempSync(join(folder, 'logs-'));
    const env = {
      LD_PRELOAD: join(repoRoot, 'build', 'test', 'native', 'fake_tf', 'libtensorflow.so.2'),
      CPS_FAKE_TF_LOG: join(logs, 'registered'),
      CPS_FAKE_DOWNLOADS: join(logs, 'downloads'),
    };
    const said: unknown = JSON.parse(runWith(env, 'test/helpers/gpu-tensorflow-child.cjs'));
    const says = (text: string): unknown => expect.stringContaining(text);
    expect(said).toEqual({
      why: says('no GPU has run'),
      registered: ['CPU token', 'GPU token'],
      said: {
        host: says('ERR_CPS_UNSUPPORTED'),
        ints: says('ERR_CPS_UNSUPPORTED'),
        dataset: says('ERR_CPS_UNSUPPORTED'),
      },
    });
  });
});
