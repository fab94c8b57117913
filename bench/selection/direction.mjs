#!/usr/bin/env node
/**
 * node bench/selection/direction.mjs [--scenes 'a;b'] [--clips 320] [--unseen 160] [--epochs 12] [--write]
 *
 * A task that needs the right patches: in which direction does the red square move? scenes.mjs says what else is there.
 * The model of examples/train-tfjs.ts is trained on the patches that each energy keeps, on as many chosen at random,
 * and on all. --write puts the table into docs/lab/selection-evidence.md, where run.mjs leaves it as it is.
 */
import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import * as os from 'node:os';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { step } from '../../scripts/lib/shell.mjs';
import { machineFacts } from '../lib/machine.mjs';
import { DIRECTION, measuredOn, part, writePart } from './parts.mjs';
import { DIRECTIONS, SCENES, SIZE, makeClips } from './scenes.mjs';
import { table } from './tables.mjs';

const require = createRequire(import.meta.url);
require('../../scripts/require-ts.cjs');
const { patchStream } = require('../../src/index.ts');
const { native } = require('../../src/native/binding.ts');
const { randomNumbers } = require('../../examples/lib/clips.ts');
const tf = require('@tensorflow/tfjs');
const wasm = require('@tensorflow/tfjs-backend-wasm');

const [P, FRAMES, BATCH] = [8, 8, 16];
const CELLS = SIZE / P;
const ALL = FRAMES * CELLS ** 2;
const BUDGETS = [16, 32];
const ENERGIES = ['block', 'adjacent', 'accumulated'];
const SEEDS = [1, 2, 3];
const PIXELS = P * P * 3;

const centred = (v, n) => (v - (n - 1) / 2) / ((n - 1) / 2);

/** The inputs of the model, of K patches of each clip: pixels, and time, row and column with how these go with time. */
async function patchesOf(clips, k, energy) {
  const pixels = new Float32Array(clips.length * k * PIXELS);
  const places = new Float32Array(clips.length * k * 5);
  for (const [c, { videoPath }] of clips.entries()) {
    const stream = await patchStream({
      ...{ videoPath, backend: 'cpu', sequenceLength: FRAMES, inputSize: SIZE, patchSize: P },
      ...{ kKeep: k, keyFramePatches: 'compete', ...(energy ? { energy } : {}) },
      ...{ normalize: 'unit', layout: 'nhwc', outputDtype: 'fp32' },
    });
    const { data } = stream.patches;
    for (let i = 0; i < k * PIXELS; i++) pixels[c * k * PIXELS + i] = 4 * (data[i] - 0.45);
    for (const [i, { seqPos, patchHIdx, patchWIdx }] of stream.metadata.entries()) {
      const [t, y, x] = [
        centred(seqPos, FRAMES),
        centred(patchHIdx, CELLS),
        centred(patchWIdx, CELLS),
      ];
      places.set([t, y, x, y * t, x * t], (c * k + i) * 5);
    }
    stream.close();
  }
  return { k, pixels, places, labels: clips.map(({ label }) => label) };
}

/** K patches of each clip, chosen at random from all of them. */
function randomOf(all, k, seed) {
  const random = randomNumbers(seed);
  const count = all.labels.length;
  const pixels = new Float32Array(count * k * PIXELS);
  const places = new Float32Array(count * k * 5);
  for (let c = 0; c < count; c++) {
    const drawn = Array.from({ length: ALL }, (_, i) => [random(), i]).sort(([a], [b]) => a - b);
    for (const [j, [, i]] of drawn.slice(0, k).entries()) {
      const from = c * ALL + i;
      pixels.set(all.pixels.subarray(from * PIXELS, (from + 1) * PIXELS), (c * k + j) * PIXELS);
      places.set(all.places.subarray(from * 5, (from + 1) * 5), (c * k + j) * 5);
    }
  }
  return { k, pixels, places, labels: all.labels };
}

/** The model of examples/train-tfjs.ts for K patches; without a mask, as there are always K. */
function makeModel(k, seed) {
  const patches = tf.input({ shape: [k, PIXELS] });
  const places = tf.input({ shape: [k, 5] });
  const weights = () => tf.initializers.heNormal({ seed: seed++ });
  const dense = (units) =>
    tf.layers.dense({ units, activation: 'relu', kernelInitializer: weights() });
  let x = tf.layers.concatenate().apply([dense(8).apply(patches), places]);
  x = dense(32).apply(dense(48).apply(x));
  const pooled = tf.layers.globalAveragePooling1d().apply(x);
  const hidden = dense(24).apply(pooled);
  const classes = { units: DIRECTIONS, activation: 'softmax', kernelInitializer: weights() };
  const model = tf.model({
    inputs: [patches, places],
    outputs: tf.layers.dense(classes).apply(hidden),
  });
  const loss = { loss: 'categoricalCrossentropy', metrics: ['accuracy'] };
  model.compile({ optimizer: tf.train.adam(0.004), ...loss });
  return model;
}

/** Tensors of these clips: [inputs, labels]. */
function batchOf({ k, pixels, places, labels }, clips) {
  const gather = (values, size) => {
    const out = new Float32Array(clips.length * size);
    clips.forEach((c, i) => out.set(values.subarray(c * size, (c + 1) * size), i * size));
    return out;
  };
  const ys = new Float32Array(clips.length * DIRECTIONS);
  clips.forEach((c, i) => (ys[i * DIRECTIONS + labels[c]] = 1));
  return [
    [
      tf.tensor3d(gather(pixels, k * PIXELS), [clips.length, k, PIXELS]),
      tf.tensor3d(gather(places, k * 5), [clips.length, k, 5]),
    ],
    tf.tensor2d(ys, [clips.length, DIRECTIONS]),
  ];
}

/** Shares that are right, of the clips trained on in the last epoch and of those held out. */
async function trainOnce(training, unseen, seed, epochs) {
  const model = makeModel(training.k, 100 * seed);
  const random = randomNumbers(seed);
  let seen = 0;
  for (let epoch = 0; epoch < epochs; epoch++) {
    seen = 0;
    const order = training.labels.map((_, i) => [random(), i]).sort(([a], [b]) => a - b);
    for (let from = 0; from < order.length; from += BATCH) {
      const clips = order.slice(from, from + BATCH).map(([, i]) => i);
      const [xs, ys] = batchOf(training, clips);
      const [, accuracy] = await model.trainOnBatch(xs, ys);
      seen += (accuracy * clips.length) / order.length;
      tf.dispose([xs, ys]);
    }
  }
  let right = 0;
  const heldOut = unseen.labels.length;
  for (let from = 0; from < heldOut; from += BATCH) {
    const clips = unseen.labels.map((_, i) => i).slice(from, from + BATCH);
    const [xs, ys] = batchOf(unseen, clips);
    const scores = model.evaluate(xs, ys, { batchSize: BATCH });
    right += (scores[1].dataSync()[0] * clips.length) / heldOut;
    tf.dispose([xs, ys, scores]);
  }
  model.dispose();
  return { seen, right };
}

const percent = (v) => `${(100 * v).toFixed(1)} %`;
const mean = (values) => values.reduce((a, b) => a + b) / values.length;

function textOf({ machine, clips, heldOut, epochs, rows }) {
  const lines = rows.map(({ scene, choice, k, runs }) => {
    const right = runs.map((run) => run.right);
    const spread = Math.sqrt(mean(right.map((v) => (v - mean(right)) ** 2)));
    return [
      ...[scene, choice, `${k} (${percent(k / ALL)})`],
      ...[percent(mean(right)), percent(spread), right.map(percent).join(', ')],
      percent(mean(runs.map((run) => run.seen))),
    ];
  });
  const head = ['scene', 'patches', 'K', 'right', 'spread', 'each seed', 'right in training'];
  return `## A task that needs the right patches

In which direction does the red square move? Clips are H.264 in MP4, 64x64, 48 frames, of which 8 are sampled: ${ALL} patches of 8x8. In *example*
two blue squares move in directions of their own, as in examples/train-tfjs.ts; in *distractors* a third one stands still, a gray one
flickers and the sensor has noise, too; in the last scene the ground moves below all that, half a sample a frame (bench/selection/scenes.mjs).
The model of that example is trained on ${clips} clips for ${epochs} epochs; what it gets right of ${heldOut} others, mean and standard deviation of
${SEEDS.length} seeds of weights and order. One direction in four is 25 %. *random*: as many patches drawn from all.

\`\`\`
node bench/selection/direction.mjs [--write]
\`\`\`

${table(head, lines)}

${measuredOn({ machine })}`;
}

async function measureScene(scene, { folder, clips, heldOut, epochs }) {
  const rows = [];
  const train = makeClips(path.join(folder, `${scene}-train`), scene, clips, 1);
  const test = makeClips(path.join(folder, `${scene}-test`), scene, heldOut, 1_000_000);
  const add = async (choice, training, unseen) => {
    const runs = [];
    for (const seed of SEEDS) runs.push(await trainOnce(training, unseen, seed, epochs));
    rows.push({ scene, choice, k: training.k, runs });
    const shown = runs.map(({ seen, right }) => `${percent(right)} (${percent(seen)})`);
    step(`${scene}: ${choice}, ${training.k} patches: ${shown.join(', ')}`);
  };
  const [allTrain, allTest] = [await patchesOf(train, ALL), await patchesOf(test, ALL)];
  for (const k of BUDGETS) {
    for (const energy of ENERGIES) {
      await add(energy, await patchesOf(train, k, energy), await patchesOf(test, k, energy));
    }
    await add('random', randomOf(allTrain, k, 7), randomOf(allTest, k, 8));
  }
  await add('all', allTrain, allTest);
  return rows;
}

async function main() {
  const { values } = parseArgs({
    options: {
      scenes: { type: 'string', default: Object.keys(SCENES).join(';') },
      clips: { type: 'string', default: '320' },
      unseen: { type: 'string', default: '160' },
      epochs: { type: 'string', default: '12' },
      write: { type: 'boolean', default: false },
    },
  });
  const [clips, heldOut, epochs] = [values.clips, values.unseen, values.epochs].map(Number);
  const wasmFolder = path.dirname(require.resolve('@tensorflow/tfjs-backend-wasm'));
  wasm.setWasmPaths(`${wasmFolder}${path.sep}`);
  await tf.setBackend('wasm');
  const machine = machineFacts(native().build);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-direction-'));
  try {
    const rows = [];
    for (const scene of values.scenes.split(';')) {
      rows.push(...(await measureScene(scene, { folder, clips, heldOut, epochs })));
    }
    const text = textOf({ machine, clips, heldOut, epochs, rows });
    console.log(part(DIRECTION, text));
    if (values.write) writePart(DIRECTION, text);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

await main();
