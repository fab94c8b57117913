/**
 * The TensorFlow.js adapter on tfjs-node, whose binding scripts/tfjs-node.mjs builds. Prints one line
 * of JSON. Uses dist/, as `npm test` has built it.
 *
 *   node --expose-gc test/adapters/tfjs/tfjs-node/scenarios.cjs SCENARIO FOLDER-OF-CLIPS
 */
'use strict';
const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const util = require('node:util');
const { Worker, isMainThread, parentPort, workerData } = require('node:worker_threads');
const root = path.join(__dirname, '../../../..');
const [scenario, folder] = isMainThread ? process.argv.slice(2) : workerData;

// The line of docs/tfjs.md for Node 23 and newer.
if (scenario !== 'removed') {
  util.isNullOrUndefined ??= (value) => value === undefined || value === null;
}
process.env.TF_CPP_MIN_LOG_LEVEL ??= '2';
const tf = require(path.join(root, 'build', 'tfjs-node', 'node_modules', '@tensorflow/tfjs-node'));
const { nativeStats, decodeOnly, patchStream, tensorflowMemory } = require(
  path.join(root, 'dist/src/index.js'),
);
const { frameDataset, patchDataset, tfMemory, toTensor } = require(
  path.join(root, 'dist/adapters/tfjs/index.js'),
);

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const files = fs.readdirSync(folder).filter((name) => name.endsWith('.y4m'));
const clips = files.sort().map((name, i) => ({ video: path.join(folder, name), label: i % 4 }));
const small = { sequenceLength: 4, inputSize: 56, patchSize: 14, kKeep: 16, backend: 'cpu' };
const open = (more = {}) => patchStream({ ...small, videoPath: clips[0].video, ...more });
const live = () => nativeStats().liveBuffers;

function modelFor(inputShape) {
  const model = tf.sequential({
    layers: [
      tf.layers.flatten({ inputShape }),
      tf.layers.dense({
        units: 4,
        activation: 'softmax',
        kernelInitializer: tf.initializers.glorotUniform({ seed: 1 }),
      }),
    ],
  });
  model.compile({ optimizer: tf.train.adam(0.001), loss: 'categoricalCrossentropy' });
  return model;
}
const training = (more = {}) =>
  patchDataset(tf, clips, {
    ...small,
    numClasses: 4,
    batchSize: 2,
    normalize: 'unit',
    select: ({ patches }) => patches,
    ...more,
  });

const scenarios = {
  /** Every type: the values, whose memory it is, and that it goes with the tensor. */
  async adopt() {
    const { memory, why } = tfMemory(tf);
    assert.match(why, /^TensorFlow \d+\.\d+/);
    const results = { memory };
    for (const outputDtype of ['fp32', 'uint8', 'fp16', 'bf16']) {
      const stream = await open({ outputDtype });
      const want = Array.from(await stream.patches.toFloat32());
      const tensor = await toTensor(tf, stream, { memory: 'device' });
      const copy = await toTensor(tf, stream, { memory: 'host' });
      stream.close();
      assert.deepStrictEqual([tensor.dtype, tensor.shape], ['float32', copy.shape]);
      assert.deepStrictEqual(Array.from(tensor.dataSync()), want);
      assert.deepStrictEqual(Array.from(copy.dataSync()), want);
      results[outputDtype] = 'same';
      tf.dispose([tensor, copy]);
    }
    globalThis.gc();
    await sleep(20);
    // Without anybody looking at `data`, memory is freed by close() and dispose() alone.
    const before = live();
    const unseen = await open({ outputDtype: 'fp32' });
    const held = live() - before;
    const tensor = await toTensor(tf, unseen, { memory: 'device' });
    unseen.close();
    const kept = live() - before;
    tensor.dispose();
    Object.assign(results, { held: held > kept, kept, left: live() - before });

    const stream = await open({ outputDtype: 'fp32' });
    const shared = await toTensor(tf, stream, { memory: 'device' });
    stream.patches.data[0] = 1234;
    results.shared = shared.dataSync()[0] === 1234;
    const used = tf.tidy(() => tf.add(shared, 1).dataSync()[0]);
    results.used = used === 1235 && stream.patches.data[0] === 1234;
    const positions = await toTensor(tf, stream.positions);
    results.positions = positions.dtype;
    const frames = await decodeOnly({ videoPath: clips[0].video, sequenceLength: 2 });
    const ints = await toTensor(tf, frames, { dtype: 'int32', memory: 'device' });
    assert.deepStrictEqual(Array.from(ints.dataSync()), Array.from(frames.frames.data));
    const laidOut = await toTensor(tf, stream, { layout: 'nhwc', normalize: 'clip' });
    const laidOutCopy = await toTensor(tf, stream, {
      layout: 'nhwc',
      normalize: 'clip',
      memory: 'host',
    });
    assert.deepStrictEqual(laidOut.dataSync(), laidOutCopy.dataSync());
    results.ints = ints.dtype;
    await assert.rejects(toTensor(tf, stream.positions, { memory: 'device' }), {
      code: 'ERR_CPS_UNSUPPORTED',
      message: /belongs to JavaScript/,
    });
    await assert.rejects(toTensor(tf, stream, { memory: 'gpu' }), /'auto', 'device' or 'host'/);
    tf.dispose([shared, positions, ints, laidOut, laidOutCopy]);
    results.tensors = tf.memory().numTensors;
    return results;
  },

  /** TensorFlow knows kernels for GPUs by name, also where it has no GPU. */
  async gpuKernel() {
    const { op } = tensorflowMemory().attach(false);
    const ops = [1, 2].map(() => tensorflowMemory().attach(true).op);
    const stream = await open({ outputDtype: 'fp32' });
    const tensor = await toTensor(tf, stream, { memory: 'device' });
    assert.deepStrictEqual(tensor.dataSync(), stream.patches.data);
    return { same: ops.every((one) => one === op) };
  },

  async many() {
    const stream = await open({ outputDtype: 'fp32' });
    const rss = [];
    let started = performance.now();
    // The first ones fill the heaps of everybody involved.
    for (let i = 0; i < 30_000; i++) {
      (await toTensor(tf, stream, { memory: 'device' })).dispose();
      if (i === 9_999) {
        globalThis.gc();
        rss.push(process.memoryUsage.rss() / 2 ** 20);
        started = performance.now();
      }
    }
    const each = ((performance.now() - started) / 20_000) * 1000;
    globalThis.gc();
    rss.push(process.memoryUsage.rss() / 2 ** 20);
    return { grownMB: rss[1] - rss[0], microseconds: each, tensors: tf.memory().numTensors };
  },

  /** Datasets: the same batches with and without copies; training, saving, loading. */
  async train() {
    const batches = async (make, memory) => {
      const out = [];
      await make(memory).forEachAsync(({ xs, ys }) => {
        const tensors = xs.patches ? Object.values(xs) : [xs];
        out.push(...tensors.map((t) => [t.shape, Array.from(t.dataSync())]));
        tf.dispose([xs, ys]);
      });
      return out;
    };
    const frames = { sequenceLength: 2, width: 32, height: 32, normalize: 'unit', batchSize: 2 };
    const makers = [
      (memory) => patchDataset(tf, clips, { ...small, batchSize: 2, memory }),
      (memory) => patchDataset(tf, clips, { ...small, kKeep: 5, batchSize: 1, memory }),
      (memory) => patchDataset(tf, clips, { ...small, unit: 'patch', batchSize: 24, memory }),
      (memory) => frameDataset(tf, clips, { ...frames, memory }),
      (memory) => frameDataset(tf, clips, { ...frames, normalize: 'none', dtype: 'int32', memory }),
    ];
    for (const make of makers) {
      assert.deepStrictEqual(await batches(make, 'device'), await batches(make, 'host'));
    }
    const before = tf.memory().numTensors;
    const model = modelFor([16, 14, 14, 3]);
    const { history } = await model.fitDataset(training({ memory: 'device' }), {
      epochs: 12,
      verbose: 0,
    });
    const target = `file://${path.join(folder, 'model')}`;
    await model.save(target);
    const loaded = await tf.loadLayersModel(`${target}/model.json`);
    const stream = await open({ outputDtype: 'fp32', layout: 'nhwc', normalize: 'unit' });
    const x = tf.expandDims(await toTensor(tf, stream, { memory: 'device' }));
    const [a, b] = [model, loaded].map((m) => Array.from(m.predict(x).dataSync()));
    assert.deepStrictEqual(a, b);
    assert.ok(tf.memory().numTensors >= before);
    return { batches: makers.length, falls: history.loss.at(-1) < history.loss[0] };
  },

  async workers() {
    const answers = await Promise.all(
      [0, 1].map(
        () =>
          new Promise((resolve, reject) => {
            const worker = new Worker(__filename, { workerData: ['inWorker', folder] });
            worker.once('message', resolve).once('error', reject);
          }),
      ),
    );
    const stream = await open({ outputDtype: 'fp32' });
    const here = await toTensor(tf, stream, { memory: 'device' });
    const want = Array.from(here.dataSync()).slice(0, 50);
    here.dispose();
    return { same: answers.map((answer) => answer.join() === want.join()) };
  },

  async inWorker() {
    const stream = await open({ outputDtype: 'fp32' });
    const tensor = await toTensor(tf, stream, { memory: 'device' });
    parentPort.postMessage(Array.from(tensor.dataSync()).slice(0, 50));
    stream.close();
    // The tensor is left to the end of the thread.
  },

  async exit() {
    const model = modelFor([16, 14, 14, 3]);
    const callbacks = {
      onBatchEnd: (batch) => {
        if (batch === 1) process.stdout.write('{"exiting":true}\n', () => process.exit(0));
      },
    };
    await model.fitDataset(training({ memory: 'device' }), { epochs: 50, verbose: 0, callbacks });
  },

  /** Without the line for Node 23 and newer: what users are told. */
  async removed() {
    const stream = await open();
    const said = await toTensor(tf, stream).then(
      () => 'no error',
      (error) => `${error.code} ${error.message}`,
    );
    return { said, major: Number(process.versions.node.split('.')[0]) };
  },
};

scenarios[scenario]().then((result) => {
  if (isMainThread && result) console.log(JSON.stringify(result));
});
