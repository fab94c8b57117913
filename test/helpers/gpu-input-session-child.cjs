/**
 * Inputs of models on memory of a GPU, as gpu-session-child.cjs: tensors that stay there are those of the
 * CPU bit for bit, a DeviceSession is given their addresses, and nothing of their size is downloaded.
 * Prints one line of JSON.
 */
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');

const load = (name) => require(path.join(process.env.CPS_PACKAGE, 'dist', name, 'index.js'));
const { nativeStats } = load('src');
const { defineInput, inputStream, modelInputs } = load('src/inputs');
const { DeviceSession, feeds, feedStream } = load('adapters/ort');

const clip = (name) => path.join(process.env.CPS_FIXTURES, name);
const videos = [clip('h264_bpyramid.mp4'), clip('hevc10.mp4'), clip('h264_bpyramid.mp4')];
const linesOf = (file) => (fs.existsSync(file) ? fs.readFileSync(file, 'utf8').split('\n') : ['']);
const downloads = () => linesOf(process.env.CPS_FAKE_DOWNLOADS).slice(0, -1).map(Number);
const bound = () => linesOf(process.env.CPS_FAKE_ORT_LOG).slice(0, -1);
const bits = async (tensor) => Buffer.from((await tensor.toHost()).slice().buffer);
const hex = (handle) => `0x${handle.toString(16)}`;

const values = { normalize: { scale: 1 / 255, mean: 0.5, std: 0.25 }, sample: { count: 4 } };
const inputs = {
  frames: { size: { exact: [32, 48] }, tensors: { x: { of: 'pixels', axes: 'n f c Y X' } } },
  patches: {
    size: { exact: [56, 56] },
    patch: { size: 14, frames: 2 },
    tensors: {
      x: { of: 'pixels', axes: '(n t h w) (c s y x)', dtype: 'float16' },
      grid: { of: 'grid' },
    },
  },
  selected: {
    size: { exact: [56, 56] },
    patch: { size: 14 },
    select: { kKeep: 20 },
    tensors: { x: { of: 'pixels', axes: 'n k (y x c)', dtype: 'bfloat16' }, m: { of: 'mask' } },
  },
};
let checks = 0;
const check = (actual, expected, what) => {
  assert.deepStrictEqual(actual, expected, what);
  checks++;
};

async function downloadsOf(work) {
  const before = downloads().length;
  const result = await work();
  return { result, sizes: downloads().slice(before) };
}

async function main() {
  for (const [name, spec] of Object.entries(inputs)) {
    const input = defineInput({ ...values, ...spec });
    const cpu = await modelInputs(videos, input, { backend: 'cpu' });
    const back = await modelInputs(videos, input, { backend: 'gpu' });
    check(
      [back.tensors.x.device, await bits(back.tensors.x)],
      ['cpu', await bits(cpu.tensors.x)],
      name,
    );
    const { result: gpu, sizes } = await downloadsOf(() =>
      modelInputs(videos, input, { backend: 'gpu', outputs: 'device' }),
    );
    // Scores of patches are a few numbers, selected on the host.
    const least = Math.min(...videos.map(() => 3 * 14 * 14 * 20));
    check(
      sizes.filter((bytes) => bytes >= least),
      [],
      `${name}: pixels are not downloaded`,
    );
    check(gpu.tensors.x.device, 'cuda:0', name);
    check(
      [gpu.tensors.x.shape, await bits(gpu.tensors.x)],
      [cpu.tensors.x.shape, await bits(cpu.tensors.x)],
      name,
    );
    for (const each of [cpu, back, gpu]) each.close();
  }

  // Of two devices: one video decodes on the CPU, the result is in host memory.
  const mixed = defineInput({ ...values, ...inputs.frames });
  const frames = { data: new Uint8Array(4 * 32 * 48 * 3).fill(7), shape: [4, 32, 48, 3] };
  const both = await modelInputs([videos[0], { frames }], mixed, {
    backend: 'gpu',
    outputs: 'device',
  });
  const same = await modelInputs([videos[0], { frames }], mixed, { backend: 'cpu' });
  check(
    [both.tensors.x.device, await bits(both.tensors.x)],
    ['cpu', await bits(same.tensors.x)],
    'mixed',
  );
  for (const each of [both, same]) each.close();
  await assert.rejects(
    modelInputs(videos, mixed, { outputs: 'gpu' }),
    /'host' or 'device' for outputs/,
  );

  // A session with a fixed batch of 4: one that fits, one that is filled up on the device.
  const model = Buffer.from('in x 1 4 4 3 32 48\nout y 1 batch 4\n');
  const session = await DeviceSession.create(model, {
    ...{ executionProviders: ['cuda', 'cpu'], outputs: 'device' },
  });
  const options = { input: mixed, batchSize: 4, backend: 'gpu' };
  const { sizes } = await downloadsOf(async () => {
    const many = [...videos, videos[0], videos[1]];
    for await (const batch of feedStream(session, many, options)) {
      const { x } = batch.feeds;
      check([x.device, x.shape], ['cuda:0', [4, 4, 3, 32, 48]], 'a batch on the device');
      const outputs = await session.run(batch.feeds);
      const [line] = bound().slice(-2);
      assert.match(line, new RegExp(`^bind x Cuda:0 \\[4,4,3,32,48\\] type 1 ${hex(x.handle)} `));
      batch.close();
      outputs.y.close();
    }
  });
  check(sizes, [], 'feedStream downloads nothing');

  // inputStream by hand.
  const by = await downloadsOf(async () => {
    const stream = inputStream(videos, mixed, { backend: 'gpu', outputs: 'device', batchSize: 2 });
    for await (const some of stream) {
      const feed = await feeds(session, some);
      some.close();
      const { y } = await session.run(feed);
      feed.x.close();
      y.close();
    }
  });
  check(by.sizes, [], 'inputStream downloads nothing');
  await session.release();
  for (let i = 0; i < 20 && nativeStats().liveBuffers > 0; i++) {
    globalThis.gc();
    await new Promise((done) => setTimeout(done, 10));
  }
  console.log(JSON.stringify({ checks, left: nativeStats().liveBuffers }));
}

main();
