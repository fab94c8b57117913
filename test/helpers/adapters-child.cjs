/**
 * Scenarios that need a process of their own: who dies, what is left behind, how memory grows.
 * Prints one line of JSON. Uses dist/, as `npm test` has built it.
 *
 *   node --expose-gc test/helpers/adapters-child.cjs SCENARIO FOLDER [EPOCHS]
 */
'use strict';
const fs = require('node:fs');
const path = require('node:path');
const tf = require('@tensorflow/tfjs');
const root = path.join(__dirname, '../..');
const ort = require('onnxruntime-node');
const { nativeStats, patchStream } = require(path.join(root, 'dist/src/index.js'));
const { patchDataset, toTensor } = require(path.join(root, 'dist/adapters/tfjs/index.js'));
const { feeds, feedStream, toOrtTensor } = require(path.join(root, 'dist/adapters/ort/index.js'));

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const [scenario, folder, epochs = '10'] = process.argv.slice(2);
const files = fs.readdirSync(folder).filter((name) => name.endsWith('.y4m'));
const clips = files.sort().map((name, i) => ({ video: path.join(folder, name), label: i % 4 }));
const missing = { video: path.join(folder, 'missing.mp4'), label: 0 };
const patching = { sequenceLength: 4, inputSize: 48, patchSize: 8, kKeep: 16 };
const options = { ...patching, batchSize: 2 };

const held = () => ({
  tensors: tf.memory().numTensors,
  files: fs.readdirSync('/proc/self/fd').length,
  nativeBytes: nativeStats().liveBytes,
  calls: nativeStats().callsInFlight,
});

/** Iterators that are referred to until the end: the garbage collector does not tidy up for them. */
const kept = [];

async function read(dataset, count = Infinity) {
  const iterator = await dataset.iterator();
  kept.push(iterator);
  for (let i = 0; i < count; i++) {
    const result = await iterator.next();
    if (result.done) return i;
    tf.dispose(result.value);
  }
  return count;
}

/**
 * What is held before and a second after `work`, without a garbage collection in between. The
 * work's own result does not matter.
 */
async function leftBy(work) {
  await read(patchDataset(tf, clips.slice(0, 2), options)); // Loads and warms everything up.
  await sleep(50);
  global.gc();
  await sleep(50);
  const before = held();
  const outcome = await work();
  await sleep(950);
  return { before, after: held(), outcome };
}

const scenarios = {
  epoch: () => leftBy(() => read(patchDataset(tf, clips, options))),

  takeTwo: () =>
    leftBy(() =>
      read(
        patchDataset(tf, clips, { ...options, prefetchDepth: 8 })
          .shuffle(4)
          .prefetch(3)
          .take(2),
      ),
    ),

  /** The iterator is dropped in mid-epoch, as fitDataset does with batchesPerEpoch. */
  abandoned: () =>
    leftBy(() => read(patchDataset(tf, clips, { ...options, prefetchDepth: 8, shuffle: true }), 2)),

  error: () =>
    leftBy(() =>
      read(patchDataset(tf, [...clips.slice(0, 5), missing, ...clips], options)).catch(
        (error) => error.message,
      ),
    ),

  abort: () =>
    leftBy(async () => {
      const { signal, ...controller } = { ...abortPair() };
      const dataset = patchDataset(tf, clips, { ...options, prefetchDepth: 8, signal });
      const iterator = await dataset.iterator();
      tf.dispose((await iterator.next()).value);
      const pending = iterator.next().catch((error) => error.name);
      controller.abort();
      return pending;
    }),

  /** Elements asked for ahead are rejected before anybody awaits them. */
  async unawaited() {
    const dataset = patchDataset(tf, [clips[0], missing, clips[1]], { ...options, batchSize: 1 });
    const chain = dataset.map((element) => element).prefetch(6);
    const iterator = await chain.iterator();
    tf.dispose((await iterator.next()).value);
    await sleep(300);
    const message = await iterator.next().then(
      () => 'no error',
      (error) => error.message,
    );
    const third = await iterator.next();
    tf.dispose(third.value);
    return { message, third: third.done, over: (await iterator.next()).done };
  },

  /** The most native memory there is while batches of many clips are made, in clips. */
  async waiting() {
    const most = {};
    const { kKeep, patchSize } = patching;
    for (const unit of ['clip', 'patch']) {
      let bytes = 0;
      // Asked while the video is open whose patches are copied next.
      const label = (clip) => {
        bytes = Math.max(bytes, nativeStats().liveBytes);
        return clip.label;
      };
      const batchSize = unit === 'clip' ? clips.length : clips.length * kKeep;
      const all = { ...patching, unit, batchSize, prefetchDepth: 2, label };
      await read(patchDataset(tf, clips, all));
      most[unit] = bytes / (kKeep * patchSize ** 2 * 3 * 4);
    }
    return most;
  },

  /** Tensors keep the values of their clips, however much is decoded and freed after them. */
  async reuse() {
    const session = {
      inputNames: ['patches'],
      inputMetadata: [{ name: 'patches', isTensor: true, type: 'float32', shape: ['k', 192] }],
    };
    const one = { ...options, batchSize: 1, layout: 'nchw' };
    const held = [];
    for (const clip of clips.slice(0, 4)) {
      const stream = await patchStream({
        ...patching,
        videoPath: clip.video,
        outputDtype: 'fp32',
      });
      const want = Float32Array.from(stream.patches.data);
      const arrays = [
        (await toTensor(tf, stream)).dataSync(),
        (await toOrtTensor(ort, stream.patches)).data,
        (await feeds(session, stream, {}, { ort })).patches.data,
      ];
      stream.close();
      arrays.push((await patchDataset(tf, [clip], one).toArray())[0].xs.patches.dataSync());
      for await (const batch of feedStream(session, [clip], { ...one, ort })) {
        arrays.push(batch.feeds.patches.data);
      }
      held.push({ want, arrays });
    }
    for (let i = 0; i < 6; i++) {
      await read(patchDataset(tf, clips, { ...one, batchSize: (i % 2) + 1 }));
      global.gc();
      await sleep(5);
    }
    const same = held.map(({ want, arrays }) =>
      arrays.map((array) => Buffer.from(want.buffer).equals(Buffer.from(array.buffer))),
    );
    // Writing to one of the shared ones shows in another: no copies were compared.
    held[0].arrays[0][0] = 1234;
    return { same, shared: held[0].arrays.map((array) => array[0] === 1234) };
  },

  /** What datasets and toTensor give to a backend with memory of its own. */
  async wasm() {
    const wasm = require('@tensorflow/tfjs-backend-wasm');
    const folder = path.dirname(require.resolve('@tensorflow/tfjs-backend-wasm'));
    wasm.setWasmPaths(`${folder}${path.sep}`);
    const values = async (backend) => {
      // The check of every kernel for leaks, part of IS_TEST, finds some in the backend itself.
      tf.env().set('IS_TEST', backend === 'cpu');
      await tf.setBackend(backend);
      const before = tf.memory().numTensors;
      const stream = await patchStream({ ...patching, videoPath: clips[0].video });
      const tensor = await toTensor(tf, stream, { layout: 'nhwc', normalize: 'clip' });
      stream.close();
      const [element] = await patchDataset(tf, clips.slice(0, 2), options).toArray();
      const all = [tensor, element.xs.patches, element.xs.positions, element.xs.mask, element.ys];
      const sums = all.map((t) => tf.tidy(() => t.toFloat().sum().dataSync()[0]));
      const data = all.map((t) => Array.from(t.dataSync()));
      tf.dispose([tensor, element]);
      return { sums, data, left: tf.memory().numTensors - before };
    };
    const [cpu, own] = [await values('cpu'), await values('wasm')];
    const near = own.sums.every((v, i) => Math.abs(v - cpu.sums[i]) < 1e-4 * Math.abs(v) + 1e-3);
    const same = own.data.every((v, i) => v.every((x, k) => Math.abs(x - cpu.data[i][k]) < 1e-5));
    return { backend: tf.getBackend(), near, same, left: [cpu.left, own.left] };
  },

  /** Resident memory after each epoch, in MB. */
  async soak() {
    const dataset = patchDataset(tf, clips, { ...options, batchSize: 8, shuffle: true });
    const rss = [];
    for (let epoch = 0; epoch < Number(epochs); epoch++) {
      await read(dataset);
      kept.length = 0;
      global.gc?.();
      await sleep(20);
      rss.push(process.memoryUsage.rss() / 2 ** 20);
    }
    return { rss, ...held() };
  },
};

function abortPair() {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}

tf.env().set('IS_TEST', true);
tf.setBackend('cpu')
  .then(() => scenarios[scenario]())
  .then((result) => console.log(JSON.stringify(result)));
