/**
 * Memory of a GPU for tfjs-node-gpu, over the fake driver and a TensorFlow that only keeps what it is told
 * (test/native/tf/fake_tf), with a stand-in for tfjs-node's backend: what is registered and when, what is offered,
 * and that nothing is downloaded. Prints one line of JSON.
 *
 *   CPS_PACKAGE=FOLDER CPS_FIXTURES=FOLDER CPS_FAKE_TF_LOG=FILE CPS_FAKE_DOWNLOADS=FILE
 *     LD_PRELOAD=libtensorflow.so.2 node test/helpers/gpu-tensorflow-child.cjs
 */
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const tfjs = require('@tensorflow/tfjs');

const load = (name) => require(path.join(process.env.CPS_PACKAGE, 'dist', name, 'index.js'));
const { patchStream } = load('src');
const { patchDataset, tfMemory, toTensor } = load('adapters/tfjs');

const linesOf = (file) => (fs.existsSync(file) ? fs.readFileSync(file, 'utf8').split('\n') : ['']);
const downloads = () => linesOf(process.env.CPS_FAKE_DOWNLOADS).length;
const kernels = () => linesOf(process.env.CPS_FAKE_TF_LOG).filter((l) => l.startsWith('kernel'));
const video = path.join(process.env.CPS_FIXTURES, 'h264_bpyramid.mp4');

const ran = [];
const backend = {
  isUsingGpuDevice: true,
  binding: {
    ...{ TF_ATTR_TYPE: 6, TF_ATTR_BOOL: 3, TF_INT32: 3 },
    createTensor: (shape, dtype, values) => (
      assert.deepStrictEqual([shape, dtype], [[], 3]),
      values[0]
    ),
    deleteTensor: () => undefined,
    executeOp(name, attributes, [input]) {
      ran.push([name, attributes.map(({ value }) => value), input]);
      return [{ id: 1000 + ran.length }];
    },
  },
  createOutputTensor: ({ id }) => tfjs.scalar(id),
};
const tf = { ...tfjs, backend: () => backend, getBackend: () => 'tensorflow' };

async function main() {
  const config = { sequenceLength: 4, inputSize: 56, kKeep: 24 };
  const open = (more) => patchStream({ ...config, videoPath: video, backend: 'gpu', ...more });
  const [half, single] = [await open({ outputDtype: 'fp16' }), await open({ outputDtype: 'fp32' })];
  const onCpu = await open({ outputDtype: 'fp32', backend: 'cpu' });

  // Nobody asked: copies, and nothing is registered.
  const { memory, why } = tfMemory(tf);
  assert.strictEqual(memory, 'host');
  const before = downloads();
  tfjs.dispose(await toTensor(tf, single));
  assert.strictEqual(downloads(), before + 1);
  assert.deepStrictEqual([ran, kernels()], [[], []]);

  // Asked: the tensor's memory, without a download, float16 cast by TensorFlow.
  await toTensor(tf, single, { memory: 'device' });
  await toTensor(tf, half, { memory: 'device' });
  assert.strictEqual(downloads(), before + 1);
  const registered = kernels().map((line) => line.split(' ').slice(2).join(' '));
  const [first, second, third] = ran;
  assert.deepStrictEqual([ran.length, first[1], second[1]], [3, [1], [19]]);
  assert.deepStrictEqual(third, ['Cast', [19, 1, false], 1002]);

  const said = {};
  const reason = async (key, work) => {
    said[key] = await work().then(
      () => 'no error',
      ({ code, message }) => `${code} ${message}`,
    );
  };
  const device = { memory: 'device' };
  await reason('host', () => toTensor(tf, onCpu, device));
  await reason('ints', () => toTensor(tf, single.positions, device));
  await reason('dataset', async () => patchDataset(tf, [video], { ...config, ...device }));
  for (const each of [half, single, onCpu]) each.close();
  console.log(JSON.stringify({ why, registered, said }));
}

main();
