/**
 * DeviceSession on memory of a GPU, which test/reliability/gpu-emulated.test.ts has over the fake driver, with an
 * ONNX Runtime that notes what is bound (test/native/ort/fake_ort) and computes nothing. Prints one line
 * of JSON.
 *
 *   CPS_PACKAGE=FOLDER CPS_FIXTURES=FOLDER CPS_FAKE_ORT_LOG=FILE CPS_FAKE_DOWNLOADS=FILE
 *     node --expose-gc test/helpers/gpu-session-child.cjs
 */
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');

const load = (name) => require(path.join(process.env.CPS_PACKAGE, 'dist', name, 'index.js'));
const { nativeStats, patchStream, stack } = load('src');
const { DeviceSession, feeds, feedStream, patchOptions } = load('adapters/ort');

const clip = (name) => path.join(process.env.CPS_FIXTURES, name);
const videos = [clip('h264_bpyramid.mp4'), clip('hevc10.mp4')];
const linesOf = (file) => (fs.existsSync(file) ? fs.readFileSync(file, 'utf8').split('\n') : ['']);
const downloads = () => linesOf(process.env.CPS_FAKE_DOWNLOADS).slice(0, -1).map(Number);
const bound = () => linesOf(process.env.CPS_FAKE_ORT_LOG).slice(0, -1);

/** FNV-1a, as the fake counts it. */
function sumOf({ buffer, byteOffset, byteLength }) {
  let sum = 0xcbf29ce484222325n;
  for (const byte of new Uint8Array(buffer, byteOffset, byteLength)) {
    sum = BigInt.asUintN(64, (sum ^ BigInt(byte)) * 0x100000001b3n);
  }
  return sum.toString(16).padStart(16, '0');
}

const hex = (handle) => `0x${handle.toString(16)}`;
const model = Buffer.from(
  'in patches 16 batch 24 3 14 14\nin positions 7 batch 24 3\nout y 1 batch 4\n',
);
const cuda = { executionProviders: ['cuda', 'cpu'], outputs: 'device' };
let checks = 0;
const check = (actual, expected, what) => (
  assert.deepStrictEqual(actual, expected, what),
  checks++
);

async function main() {
  const session = await DeviceSession.create(model, {
    ...cuda,
    providerOptions: { cuda: { gpu_mem_limit: 1024 } },
  });
  check(
    [session.device, bound()],
    ['cuda:0', ['session cuda device_id=0 gpu_mem_limit=1024']],
    'providers',
  );
  const config = { sequenceLength: 4, inputSize: 56, ...patchOptions(session) };
  const open = (backend, videoPath = videos[0], more = {}) =>
    patchStream({ ...config, backend, videoPath, ...more });
  const [onGpu, onCpu] = [await open('gpu'), await open('cpu')];
  const want = sumOf(onCpu.patches.data);

  // One stream: its own memory, with device and shape; nothing is copied.
  let before = downloads().length;
  const feed = await feeds(session, onGpu);
  const { y } = await session.run(feed);
  const [patches, positions] = bound().slice(-3);
  const dims = '[1,24,3,14,14]';
  check(
    patches,
    `bind patches Cuda:0 ${dims} type 16 ${hex(onGpu.patches.handle)} ${want}`,
    'bound as it is',
  );
  assert.match(positions, /^bind positions Cpu:0 \[1,24,3\] type 7 /);
  check([y.device, y.shape, y.dtype], ['cuda:0', [1, 4], 'float32'], 'the output stays');
  check(downloads().length, before, 'nothing is downloaded');
  // The counter counts: this is a download, of memory that is not the package's.
  assert.deepStrictEqual([...(await y.toHost())], [0, 0, 0, 0]);
  check(downloads().slice(before), [16], 'toHost is a download');

  // Batches are put together on the device, padding and all, bit for bit as on the host.
  const few = await open('gpu', videos[1], { kKeep: 20 });
  const pair = await stack([onGpu.patches, few.patches], { padTo: 24, count: 3 });
  await session.run({ patches: pair, positions: feedOf(3) });
  assert.strictEqual(bound().at(-3).split(' ')[2], 'Cuda:0');
  const fewOnCpu = await open('cpu', videos[1], { kKeep: 20 });
  const onHost = await stack([onCpu.patches, fewOnCpu.patches], { padTo: 24, count: 3 });
  check(bound().at(-3).split(' ').at(-1), sumOf(onHost.data), 'stacked on the device');

  // feedStream: what decoding itself downloads (scores), and no more.
  const alone = await downloadsOf(async () => {
    for (const video of videos) (await open('gpu', video)).close();
  });
  const streamed = await downloadsOf(async () => {
    const options = { ...config, backend: 'gpu', batchSize: 2, concurrency: 1 };
    for await (const batch of feedStream(session, videos, options)) {
      const outputs = await session.run(batch.feeds);
      batch.close();
      for (const output of Object.values(outputs)) output.close();
    }
  });
  check(streamed, alone, 'feedStream downloads nothing');

  const toClose = [...Object.values(feed), y, onGpu, onCpu, few, fewOnCpu, pair, onHost];
  for (const each of toClose) each.close?.();
  await session.release();
  for (let i = 0; i < 20 && nativeStats().liveBuffers > 0; i++) {
    globalThis.gc();
    await new Promise((done) => setTimeout(done, 10));
  }
  console.log(JSON.stringify({ checks, left: nativeStats().liveBuffers }));
}

function feedOf(batch) {
  const { Tensor } = require(
    path.join(process.env.CPS_PACKAGE, 'node_modules', 'onnxruntime-node', 'index.js'),
  );
  return new Tensor('int64', new BigInt64Array(batch * 72), [batch, 24, 3]);
}

async function downloadsOf(work) {
  const before = downloads().length;
  await work();
  return downloads()
    .slice(before)
    .sort((a, b) => a - b);
}

main();
