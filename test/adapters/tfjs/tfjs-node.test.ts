/**
 * The TensorFlow.js adapter on tfjs-node, where its binding is built (node scripts/tfjs-node.mjs, which
 * .ci/run does). Processes of their own: TensorFlow ends with the process.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { writeClips } from '../../../examples/lib/clips.js';
import { repoRoot } from '../../helpers/fixtures.js';

/** Declarations of its C API. */
const declarations = JSON.parse(
  fs.readFileSync(path.join(__dirname, 'tfjs-node/tensorflow-2.9.1.json'), 'utf8'),
) as Record<string, string>;

const home = path.join(repoRoot, 'build', 'tfjs-node', 'node_modules', '@tensorflow', 'tfjs-node');
const built = fs.existsSync(path.join(home, 'lib', 'napi-v8', 'tfjs_binding.node'));
const headers = path.join(repoRoot, 'build', 'tfjs-node', 'tensorflow', 'include');
/** Node 24, where scripts/runtimes.mjs has installed it. */
const node24 = path.join(
  ...[repoRoot, 'build', 'runtimes', 'node-24', 'node_modules'],
  ...[`node-linux-${process.arch}`, 'bin', 'node'],
);

/** What the compiler says of our own list of functions against TensorFlow's declarations. */
function compile(args: readonly string[], own = path.join(repoRoot, 'native')): string {
  const source = path.join(__dirname, '../../native/tf/functions_check.cpp');
  const all = ['-std=c++20', '-fsyntax-only', '-w', ...args, '-I', own, source];
  return spawnSync('g++', all, { encoding: 'utf8' }).stderr;
}

test('functions and types are those of TensorFlow 2.9.1, which tfjs-node ships', () => {
  const work = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-tf-'));
  const recorded = path.join(work, 'recorded.h');
  const handles = 'Status Tensor OpDefinitionBuilder KernelBuilder OpKernelConstruction';
  const structs = `${handles} OpKernelContext ShapeInferenceContext`
    .split(' ')
    .map((name) => `struct TF_${name};`);
  const enums = [
    'enum TF_Code { TF_OK = 0, TF_NOT_FOUND = 5 };',
    'enum TF_DataType { TF_FLOAT = 1, TF_INT32 = 3, TF_UINT8 = 4, TF_INT64 = 9, TF_BOOL = 10,',
    '  TF_BFLOAT16 = 14, TF_HALF = 19 };',
  ];
  const functions = Object.entries(declarations).map(([name, type]) => {
    const [, result = '', parameters = ''] = /^([^(]*) (\(.*\))$/.exec(type) ?? [];
    return `extern "C" ${result} ${name}${parameters};`;
  });
  const lines = ['#include <cstddef>', '#include <cstdint>', ...structs, ...enums, ...functions];
  fs.writeFileSync(recorded, lines.join('\n'));
  const define = `-DCPS_TF_RECORDED="${recorded}"`;
  try {
    expect(compile([define])).toBe('');
    // A function that is not there, and one with another parameter.
    fs.mkdirSync(path.join(work, 'tf'));
    const text = fs.readFileSync(path.join(repoRoot, 'native', 'tf', 'api.h'), 'utf8');
    const broken = text
      .replaceAll('TF_TensorData', 'TF_TensorDatum')
      .replace('void(Status*, int, const char*)', 'void(Status*, const char*)');
    fs.writeFileSync(path.join(work, 'tf', 'api.h'), broken);
    const said = compile([define], work);
    expect(said).toContain('TF_TensorDatum');
    expect(said).toContain('type of TF_SetStatus');
  } finally {
    fs.rmSync(work, { recursive: true, force: true });
  }
});

if (!built) {
  test.skip('tfjs-node (left out: node scripts/tfjs-node.mjs builds it)', () => undefined);
} else {
  let folder: string;
  beforeAll(() => {
    folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-tfjs-node-'));
    writeClips(folder, 6, 1, { size: 56, frames: 8 });
  });
  afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

  const child = (scenario: string, node = process.execPath): unknown => {
    const script = path.join(__dirname, 'tfjs-node/scenarios.cjs');
    const options = { encoding: 'utf8' as const, stdio: 'pipe' as const };
    const out = execFileSync(node, ['--expose-gc', script, scenario, folder], options);
    return JSON.parse(out.trim().split('\n').at(-1) ?? '');
  };

  test('every type is adopted: values, sharing, and freed with the tensor', () => {
    expect(child('adopt')).toEqual({
      memory: 'device',
      ...{ fp32: 'same', uint8: 'same', fp16: 'same', bf16: 'same' },
      ...{ held: true, kept: 1, left: 0, shared: true, used: true },
      ...{ positions: 'int32', ints: 'int32', tensors: 0 },
    });
  });

  test('it takes the kernel for GPUs, on request, and works on as before', () => {
    expect(child('gpuKernel')).toEqual({ same: true });
  });

  test('20,000 adoptions without growth', () => {
    const { grownMB, tensors } = child('many') as Record<string, number>;
    expect(grownMB).toBeLessThan(8);
    expect(tensors).toBe(0);
  });

  test('datasets give the same with and without copies; training, save and load', () => {
    expect(child('train')).toEqual({ batches: 5, falls: true });
  });

  test('worker threads, and an exit in mid-training', () => {
    expect(child('workers')).toEqual({ same: [true, true] });
    expect(child('exit')).toEqual({ exiting: true });
  });

  (fs.existsSync(node24) ? test : test.skip)('Node 24: what helps, and what users are told', () => {
    expect(child('adopt', node24)).toMatchObject({ memory: 'device', fp32: 'same', left: 0 });
    const { said } = child('removed', node24) as { said: string };
    expect(said).toMatch(/^ERR_CPS_UNSUPPORTED .*require\('node:util'\)\.isNullOrUndefined \?\?=/);
  });

  (fs.existsSync(headers) ? test : test.skip)('types are those of the headers of this one', () => {
    expect(compile(['-isystem', headers])).toBe('');
  });
}
