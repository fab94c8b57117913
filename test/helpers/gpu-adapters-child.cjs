/**
 * The adapters on tensors in GPU memory, which test/reliability/gpu-emulated.test.ts has over the fake driver:
 * what they make of them is what they make of the CPU's, and the tensors stay where they are.
 * Prints one line of JSON.
 *
 *   CPS_PACKAGE=FOLDER CPS_FIXTURES=FOLDER node --expose-gc test/helpers/gpu-adapters-child.cjs
 */
'use strict';
const assert = require('node:assert');
const path = require('node:path');
const { inspect } = require('node:util');
const tf = require('@tensorflow/tfjs');
const ort = require('onnxruntime-node');

const load = (name) => require(path.join(process.env.CPS_PACKAGE, 'dist', name, 'index.js'));
const { nativeStats, patchStream, decodeOnly } = load('src');
const { frameDataset, patchDataset, toTensor } = load('adapters/tfjs');
const { feeds, feedStream, toOrtTensor } = load('adapters/ort');

const clip = (name) => path.join(process.env.CPS_FIXTURES, name);
const videos = [clip('h264_bpyramid.mp4'), clip('hevc10.mp4')];
const config = { sequenceLength: 4, inputSize: 56, kKeep: 24 };
const session = {
  inputNames: ['patches', 'positions'],
  inputMetadata: [
    { name: 'patches', isTensor: true, type: 'float16', shape: ['batch', 24, 3, 14, 14] },
    { name: 'positions', isTensor: true, type: 'int64', shape: ['batch', 24, 3] },
  ],
};

const valuesOf = (tensor) => ({ shape: tensor.shape, values: Array.from(tensor.dataSync()) });
const feedOf = (feed) =>
  Object.entries(feed).map(([name, { type, dims, data }]) => [name, type, dims, Array.from(data)]);

async function datasetOf(dataset) {
  const out = [];
  await dataset.forEachAsync(({ xs }) => {
    const tensors = xs.patches ? xs : { frames: xs };
    for (const [name, tensor] of Object.entries(tensors)) out.push([name, valuesOf(tensor)]);
    tf.dispose(xs);
  });
  return out;
}

/** Everything that the adapters make of the clips, with the work done on one backend. */
async function everything(backend) {
  const device = backend === 'gpu' ? 'cuda:0' : 'cpu';
  const options = { ...config, backend };
  const results = {};
  for (const outputDtype of ['bf16', 'fp16', 'fp32']) {
    const stream = await patchStream({ ...options, videoPath: videos[0], outputDtype });
    assert.deepStrictEqual(stream.backend, { decode: device, process: device });
    const tensor = await toTensor(tf, stream, { layout: 'nhwc' });
    const ortTensor = await toOrtTensor(ort, stream.patches);
    assert.strictEqual(stream.patches.device, device);
    assert.strictEqual(stream.patches.data === undefined, backend === 'gpu');
    if (outputDtype === 'fp16') results.feeds = feedOf(await feeds(session, stream, {}, { ort }));
    stream.close();
    // What was made of it does not need it any more.
    results[outputDtype] = [valuesOf(tensor), ortTensor.type, Array.from(ortTensor.data)];
    tensor.dispose();
  }
  const decoded = await decodeOnly({ videoPath: videos[0], sequenceLength: 2, backend });
  assert.strictEqual(decoded.frames.device, device);
  const frames = await toTensor(tf, decoded);
  decoded.close();
  results.frames = valuesOf(frames);
  frames.dispose();
  const batches = { ...options, batchSize: 2 };
  results.patchDataset = await datasetOf(patchDataset(tf, videos, batches));
  results.frameDataset = await datasetOf(
    frameDataset(tf, videos, { backend, sequenceLength: 2, batchSize: 2, width: 32, height: 32 }),
  );
  results.feedStream = [];
  for await (const batch of feedStream(session, videos, { ...options, ort, batchSize: 2 })) {
    results.feedStream.push(feedOf(batch.feeds));
  }
  return results;
}

async function main() {
  const cpu = await everything('cpu');
  const gpu = await everything('gpu');
  for (const [name, value] of Object.entries(cpu)) {
    assert.ok(inspect(value, { depth: null }).length > 500, name);
    assert.deepStrictEqual(gpu[name], value, name);
  }
  for (let i = 0; i < 20 && nativeStats().liveBuffers > 0; i++) {
    globalThis.gc();
    await new Promise((done) => setTimeout(done, 10));
  }
  console.log(JSON.stringify({ same: Object.keys(cpu), left: nativeStats().liveBuffers }));
}
main();
