#!/usr/bin/env node
/**
 * node bench/selection/direction.mjs [--energies block,adjacent,random] [--clips 256] [--epochs 12] [--write]
 *
 * A task that needs the right patches: in which direction does the red square move? Beside it move blue and
 * green ones, one flickers where it stands, a red one stands still, and the sensor has noise. The same small
 * model is trained on the patches that each energy keeps, and on as many chosen at random. --write puts the
 * table into docs/lab/selection-evidence.md, where run.mjs leaves it as it is.
 */
import { spawnSync } from 'node:child_process';
import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import * as os from 'node:os';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { step } from '../../scripts/lib/shell.mjs';
import { machineFacts } from '../lib/machine.mjs';
import { directionPart, writeDirection } from './publish-direction.mjs';

const require = createRequire(import.meta.url);
require('../../scripts/require-ts.cjs');
const { patchStream } = require('../../src/index.ts');
const { native } = require('../../src/native/binding.ts');
const { randomNumbers } = require('../../examples/lib/clips.ts');
const tf = require('@tensorflow/tfjs');

const [SIZE, P, SHOWN, FRAMES] = [64, 8, 48, 8];
const CELLS = SIZE / P;
const ALL = FRAMES * CELLS ** 2;
const BUDGETS = [0.0625, 0.125].map((share) => share * ALL);
const SEEDS = [1, 2, 3];
const DIRECTIONS = 4; // left, right, up, down

const RED = [110, 90, 210];
const OTHERS = [
  [110, 190, 100],
  [120, 80, 80],
];

/** A square of this colour that goes in one direction at a pace of its own, all through the clip. */
function mover(random, direction, yuv) {
  const side = 9 + Math.floor(4 * random());
  const room = SIZE - side;
  const travel = room * (0.5 + 0.4 * random());
  const start = (room - travel) * random();
  const across = room * random();
  const backwards = direction === 0 || direction === 2;
  const at = (time) => {
    const along = start + travel * (backwards ? 1 - time : time);
    return direction < 2 ? [along, across] : [across, along];
  };
  return { side, yuv: () => yuv, at };
}

function standing(random, yuv) {
  const side = 9 + Math.floor(4 * random());
  const place = [(SIZE - side) * random(), (SIZE - side) * random()];
  return { side, yuv, at: () => place };
}

/** SHOWN frames of YUV 4:2:0, one after the other. */
function pictures(seed, direction) {
  const random = randomNumbers(seed);
  const things = [
    standing(random, () => RED),
    // Each frame as bright as it likes.
    standing(random, () => [60 + 130 * random(), 128, 128]),
    ...OTHERS.map((yuv) => mover(random, Math.floor(DIRECTIONS * random()), yuv)),
    mover(random, direction, RED),
  ];
  const half = SIZE / 2;
  const ground = Float32Array.from({ length: SIZE ** 2 }, () => 80 + 60 * random());
  const out = [];
  for (let f = 0; f < SHOWN; f++) {
    const y = Uint8Array.from(ground, (v) => v + 6 * random() - 3);
    const u = new Uint8Array(half ** 2).fill(128);
    const v = new Uint8Array(half ** 2).fill(128);
    for (const { side, yuv, at } of things) {
      const [x0, y0] = at(f / (SHOWN - 1)).map(Math.round);
      const colour = yuv();
      for (let row = y0; row < y0 + side; row++) {
        y.fill(colour[0], row * SIZE + x0, row * SIZE + x0 + side);
        const line = (row >> 1) * half;
        u.fill(colour[1], line + (x0 >> 1), line + ((x0 + side) >> 1));
        v.fill(colour[2], line + (x0 >> 1), line + ((x0 + side) >> 1));
      }
    }
    out.push(y, u, v);
  }
  return Buffer.concat(out);
}

/** Clips as H.264 in MP4, directions in turn, each with one key frame; made by one ffmpeg. */
function makeClips(folder, count, seed) {
  fs.mkdirSync(folder, { recursive: true });
  const cuts = Array.from({ length: count - 1 }, (_, i) => (i + 1) * SHOWN);
  const input = Buffer.concat(
    Array.from({ length: count }, (_, i) => pictures(seed + i, i % DIRECTIONS)),
  );
  const { status, stderr } = spawnSync(
    'ffmpeg',
    [
      ...['-v', 'error', '-f', 'rawvideo', '-pix_fmt', 'yuv420p', '-s', `${SIZE}x${SIZE}`],
      ...['-r', '25', '-i', 'pipe:0', '-c:v', 'libx264', '-preset', 'veryfast', '-crf', '20'],
      ...['-x264-params', `keyint=${SHOWN}:min-keyint=${SHOWN}:scenecut=0`],
      ...['-f', 'segment', '-segment_format', 'mp4', '-reset_timestamps', '1'],
      ...['-segment_frames', cuts.join(','), path.join(folder, '%04d.mp4')],
    ],
    { input, encoding: 'utf8' },
  );
  if (status !== 0) throw new Error(`ffmpeg could not make the clips: ${stderr}`);
  return Array.from({ length: count }, (_, i) => ({
    videoPath: path.join(folder, `${String(i).padStart(4, '0')}.mp4`),
    label: i % DIRECTIONS,
  }));
}

/** The inputs of the model of K patches of each clip: pixels, and places in -1..1 with how they go with time. */
async function patchesOf(clips, energy, k) {
  const pixels = new Float32Array(clips.length * k * P * P * 3);
  const places = new Float32Array(clips.length * k * 5);
  for (const [c, { videoPath }] of clips.entries()) {
    const random = energy === 'random';
    const stream = await patchStream({
      ...{ videoPath, backend: 'cpu', sequenceLength: FRAMES, inputSize: SIZE, patchSize: P },
      ...{ kKeep: random ? ALL : k, normalize: 'unit', layout: 'nhwc', outputDtype: 'fp32' },
      keyFramePatches: 'compete',
      ...(random ? {} : { energy }),
    });
    const { data } = stream.patches;
    const next = randomNumbers(7_000_000 + c);
    const kept = stream.metadata.map((m, i) => ({ m, i, order: random ? next() : 0 }));
    kept.sort((a, b) => a.order - b.order);
    const size = P * P * 3;
    for (const [j, { m, i }] of kept.slice(0, k).entries()) {
      for (let s = 0; s < size; s++)
        pixels[(c * k + j) * size + s] = 4 * (data[i * size + s] - 0.45);
      const centred = (v, n) => (v - (n - 1) / 2) / ((n - 1) / 2);
      const [t, y, x] = [
        centred(m.seqPos, FRAMES),
        centred(m.patchHIdx, CELLS),
        centred(m.patchWIdx, CELLS),
      ];
      places.set([t, y, x, y * t, x * t], (c * k + j) * 5);
    }
    stream.close();
  }
  const labels = tf.tidy(() =>
    tf
      .oneHot(
        tf.tensor1d(
          clips.map((c) => c.label),
          'int32',
        ),
        DIRECTIONS,
      )
      .toFloat(),
  );
  return {
    xs: [
      tf.tensor3d(pixels, [clips.length, k, P * P * 3]),
      tf.tensor3d(places, [clips.length, k, 5]),
    ],
    ys: labels,
    dispose() {
      tf.dispose([...this.xs, this.ys]);
    },
  };
}

function makeModel(k, seed) {
  const patches = tf.input({ shape: [k, P * P * 3] });
  const places = tf.input({ shape: [k, 5] });
  const weights = () => tf.initializers.heNormal({ seed: seed++ });
  const dense = (units) =>
    tf.layers.dense({ units, activation: 'relu', kernelInitializer: weights() });
  let x = tf.layers.concatenate().apply([dense(8).apply(patches), places]);
  x = dense(32).apply(dense(48).apply(x));
  const pooled = tf.layers.globalAveragePooling1d().apply(x);
  const classes = { units: DIRECTIONS, activation: 'softmax', kernelInitializer: weights() };
  const model = tf.model({
    inputs: [patches, places],
    outputs: tf.layers.dense(classes).apply(dense(24).apply(pooled)),
  });
  const loss = { loss: 'categoricalCrossentropy', metrics: ['accuracy'] };
  model.compile({ optimizer: tf.train.adam(0.004), ...loss });
  return model;
}

/** Batches of 16 in an order of this seed: fit's own order is not repeatable. */
async function trainOnce({ training, unseen, k, seed, epochs }) {
  const model = makeModel(k, 100 * seed);
  const random = randomNumbers(seed);
  const n = training.ys.shape[0];
  for (let epoch = 0; epoch < epochs; epoch++) {
    const order = Array.from({ length: n }, (_, i) => [random(), i]);
    order.sort(([a], [b]) => a - b);
    for (let from = 0; from < n; from += 16) {
      const rows = tf.tensor1d(
        order.slice(from, from + 16).map(([, i]) => i),
        'int32',
      );
      const xs = training.xs.map((x) => tf.gather(x, rows));
      const ys = tf.gather(training.ys, rows);
      await model.trainOnBatch(xs, ys);
      tf.dispose([rows, ...xs, ys]);
    }
  }
  const scores = model.evaluate(unseen.xs, unseen.ys, { batchSize: 32 });
  const accuracy = scores[1].dataSync()[0];
  tf.dispose(scores);
  model.dispose();
  return accuracy;
}

async function main() {
  const { values } = parseArgs({
    options: {
      energies: { type: 'string', default: 'block,adjacent,random' },
      clips: { type: 'string', default: '256' },
      unseen: { type: 'string', default: '160' },
      epochs: { type: 'string', default: '12' },
      write: { type: 'boolean', default: false },
    },
  });
  const [clips, heldOut, epochs] = [values.clips, values.unseen, values.epochs].map(Number);
  await tf.setBackend('cpu');
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-direction-'));
  try {
    step(`making ${clips + heldOut} clips`);
    const train = makeClips(path.join(folder, 'train'), clips, 1);
    const test = makeClips(path.join(folder, 'test'), heldOut, 1_000_000);
    const rows = [];
    for (const k of BUDGETS) {
      for (const energy of values.energies.split(',')) {
        const training = await patchesOf(train, energy, k);
        const unseen = await patchesOf(test, energy, k);
        const accuracies = [];
        for (const seed of SEEDS) {
          accuracies.push(await trainOnce({ training, unseen, k, seed, epochs }));
        }
        training.dispose();
        unseen.dispose();
        rows.push({ energy, k, share: k / ALL, accuracies });
        step(`${energy}, ${k} patches: ${accuracies.map((a) => a.toFixed(3)).join(' ')}`);
      }
    }
    const report = { machine: machineFacts(native().build), clips, heldOut, epochs, rows };
    console.log(directionPart(report));
    if (values.write) writeDirection(report);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

await main();
