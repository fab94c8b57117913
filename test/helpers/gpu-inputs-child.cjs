/**
 * Tensors of every preset from frames in GPU memory, which test/reliability/gpu-emulated.test.ts has over the
 * fake driver: by hash those of the CPU, whether they come to the host or stay. Prints one line of JSON.
 *
 *   CPS_PACKAGE=FOLDER CPS_FIXTURES=FOLDER node --expose-gc test/helpers/gpu-inputs-child.cjs
 */
'use strict';
const assert = require('node:assert');
const { createHash } = require('node:crypto');
const path = require('node:path');

const load = (name) => require(path.join(process.env.CPS_PACKAGE, 'dist', name, 'index.js'));
const { nativeStats } = load('src');
const { modelInputs, presets } = load('src/inputs');

const video = path.join(process.env.CPS_FIXTURES, 'h264_bpyramid.mp4');

/** Names, types, shapes and elements of all tensors, and what is said of the video. */
async function made(preset, backend, outputs = 'host') {
  const inputs = await modelInputs(video, preset, {
    ...{ backend, outputs },
    classDefaults: true,
    sample: { count: 4 },
  });
  const tensors = {};
  for (const [name, tensor] of Object.entries(inputs.tensors)) {
    const data = await tensor.toHost();
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const digest = createHash('sha256').update(bytes).digest('hex');
    tensors[name] = {
      dtype: tensor.dtype,
      shape: tensor.shape,
      values: new Set(bytes).size,
      digest,
    };
  }
  // What changes from frame to frame is measured on the host.
  const stays = outputs === 'device' && !Object.hasOwn(tensors, 'video_compression_mask');
  const devices = Object.values(inputs.tensors).map(({ device }) => device);
  assert.strictEqual(devices.includes('cuda:0'), stays, preset);
  const { videos } = inputs;
  inputs.close();
  return { tensors, videos };
}

async function main() {
  for (const preset of Object.keys(presets)) {
    const [cpu, gpu] = [await made(preset, 'cpu'), await made(preset, 'gpu')];
    assert.ok(
      Object.values(cpu.tensors).some(({ values }) => values > 16),
      preset,
    );
    assert.deepStrictEqual(gpu, cpu, preset);
    assert.deepStrictEqual(await made(preset, 'gpu', 'device'), cpu, `${preset} on the device`);
  }
  for (let i = 0; i < 20 && nativeStats().liveBuffers > 0; i++) {
    globalThis.gc();
    await new Promise((done) => setTimeout(done, 10));
  }
  console.log(
    JSON.stringify({ presets: Object.keys(presets).length, left: nativeStats().liveBuffers }),
  );
}
main();
