/**
 * Trains a model to tell in which direction a red square moves, among blue ones that move in other
 * directions: from H.264 videos, by the patches in which most happens and their positions.
 *
 *   npm run example train-tfjs -- [--clips 320] [--epochs 12] [--shards] [--tf @tensorflow/tfjs-node]
 *
 * The clips are made with the ffmpeg command. With --shards they are decoded once, by `codec-patch-stream extract`, and
 * every epoch reads shards: the losses are the same. With --tf the same script runs on another backend. The model is
 * saved to ./direction-model.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import type * as tfjs from '@tensorflow/tfjs';
import { patchDataset, shardDataset } from 'codec-patch-stream/tfjs';
import type { ClipXs } from 'codec-patch-stream/tfjs';
import { DIRECTIONS, writeMp4Clips } from './lib/clips.ts';
import type { Clip } from './lib/clips.ts';

type Tf = typeof tfjs;

export interface TrainOptions {
  readonly clips?: number;
  readonly heldOut?: number;
  readonly epochs?: number;
  /** Decodes once, into shards, and trains from these. */
  readonly shards?: boolean;
  /** Of the weights. */
  readonly seed?: number;
  /** Where the model goes; not saved without. */
  readonly saveTo?: string | undefined;
  readonly log?: (line: string) => void;
}

export interface TrainResult {
  /** Share of the held-out clips whose direction is right. */
  readonly accuracy: number;
  readonly losses: readonly number[];
  readonly seconds: number;
}

/**
 * 8 frames of 64×64 pixels in patches of 8×8: 512 patches a clip, of which the best 64 count. That is one
 * frame's worth, spread over the frames by where something moves.
 */
const FRAMES = 8;
const SIZE = 64;
const P = 8;
const K = 64;
const CELLS = SIZE / P;

function makeModel(tf: Tf, seed: number): tfjs.LayersModel {
  const patches = tf.input({ shape: [K, P * P * 3], name: 'patches' });
  const positions = tf.input({ shape: [K, 5], name: 'positions' });
  const mask = tf.input({ shape: [K], name: 'mask' });
  const weights = (): ReturnType<typeof tf.initializers.heNormal> =>
    tf.initializers.heNormal({ seed: seed++ });
  const dense = (units: number): ReturnType<typeof tf.layers.dense> =>
    tf.layers.dense({ units, activation: 'relu', kernelInitializer: weights() });
  const looks = dense(8).apply(patches) as tfjs.SymbolicTensor;
  let x = tf.layers.concatenate().apply([looks, positions]) as tfjs.SymbolicTensor;
  x = dense(48).apply(x) as tfjs.SymbolicTensor;
  x = dense(32).apply(x) as tfjs.SymbolicTensor;
  // The mean over the patches: their features weighted by the mask, which select() divides by K.
  const pooled = tf.layers.dot({ axes: [1, 1] }).apply([x, mask]) as tfjs.SymbolicTensor;
  const hidden = dense(24).apply(pooled) as tfjs.SymbolicTensor;
  const classes = { units: DIRECTIONS.length, kernelInitializer: weights() };
  const output = tf.layers.dense({ ...classes, activation: 'softmax' }).apply(hidden);
  return tf.model({
    inputs: [patches, positions, mask],
    outputs: output as tfjs.SymbolicTensor,
  });
}

/** From the tensors of a batch to the inputs of the model. */
function inputsOf(tf: Tf, { patches, positions, mask }: ClipXs): Record<string, tfjs.Tensor> {
  const b = mask.shape[0];
  // Time, row and column in -1..1, and how row and column go with time.
  const extent = [(FRAMES - 1) / 2, (CELLS - 1) / 2, (CELLS - 1) / 2];
  const centred = positions.toFloat().sub(extent).div<tfjs.Tensor3D>(extent);
  const time = centred.slice([0, 0, 0], [-1, -1, 1]);
  const moved = centred.slice([0, 0, 1], [-1, -1, 2]).mul(time);
  return {
    patches: patches
      .sub(0.45)
      .mul(4)
      .reshape([b, K, P * P * 3]),
    positions: tf.concat([centred, moved], 2),
    mask: mask.div(K),
  };
}

/** TensorFlow.js without a native backend has no file system; this works with every backend. */
async function save(model: tfjs.LayersModel, tf: Tf, folder: string): Promise<void> {
  mkdirSync(folder, { recursive: true });
  const handler = tf.io.withSaveHandler((artifacts) => {
    const { modelTopology, weightSpecs = [], weightData } = artifacts;
    const weights = new Uint8Array(tf.io.CompositeArrayBuffer.join(weightData));
    writeFileSync(join(folder, 'weights.bin'), weights);
    const weightsManifest = [{ paths: ['weights.bin'], weights: weightSpecs }];
    const json = JSON.stringify({ modelTopology, weightsManifest, format: 'layers-model' });
    writeFileSync(join(folder, 'model.json'), json);
    const info = { dateSaved: new Date(), modelTopologyType: 'JSON' as const };
    return Promise.resolve({ modelArtifactsInfo: info });
  });
  await model.save(handler);
}

/** The patches of all clips, written to a folder of shards by the command line. */
function extract(videos: readonly Clip[], out: string): string {
  const list = `${out}.jsonl`;
  const rows = videos.map(({ video, label }) => JSON.stringify({ path: video, label }));
  writeFileSync(list, rows.join('\n'));
  const command = createRequire(join(process.cwd(), 'package.json')).resolve(
    'codec-patch-stream-cli',
  );
  const flags = {
    ...{ out, frames: FRAMES, 'input-size': SIZE, 'patch-size': P, topk: K, normalize: 'unit' },
    ...{ layout: 'nhwc', dtype: 'float32' },
  };
  const given = Object.entries(flags).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const args = [command, 'extract', list, '--patches', ...given];
  execFileSync(process.execPath, args, { stdio: ['ignore', 'ignore', 'inherit'] });
  return out;
}

export async function train(tf: Tf, options: TrainOptions = {}): Promise<TrainResult> {
  const { clips = 320, heldOut = 80, epochs = 12, saveTo, log = console.log } = options;
  const { shards = false, seed = 1 } = options;
  const folder = mkdtempSync(join(tmpdir(), 'direction-clips-'));
  try {
    const start = performance.now();
    const training = writeMp4Clips(join(folder, 'train'), clips, 1, { size: SIZE });
    const unseen = writeMp4Clips(join(folder, 'test'), heldOut, 1_000_000, { size: SIZE });
    log(`${clips} clips to train on, ${heldOut} held out, backend '${tf.getBackend()}'`);

    const flow = (shuffle: boolean) => ({
      numClasses: DIRECTIONS.length,
      batchSize: 16,
      prefetchDepth: 16,
      shuffle,
      select: (xs: ClipXs) => inputsOf(tf, xs),
    });
    const fromVideos = (videos: readonly Clip[], shuffle: boolean) =>
      patchDataset(tf, videos, {
        sequenceLength: FRAMES,
        inputSize: SIZE,
        patchSize: P,
        kKeep: K,
        normalize: 'unit',
        ...flow(shuffle),
      });
    const fromShards = (videos: readonly Clip[], shuffle: boolean) =>
      shardDataset(tf, extract(videos, join(folder, shuffle ? 'training' : 'unseen')), {
        kind: 'patches',
        ...flow(shuffle),
      });
    const datasetOf = shards ? fromShards : fromVideos;
    const model = makeModel(tf, seed);
    model.compile({
      optimizer: tf.train.adam(0.004),
      loss: 'categoricalCrossentropy',
      metrics: ['accuracy'],
    });
    const losses: number[] = [];
    await model.fitDataset(datasetOf(training, true), {
      epochs,
      verbose: 0,
      callbacks: {
        onEpochEnd(epoch, logs) {
          const { loss = NaN, acc = NaN } = logs ?? {};
          losses.push(loss);
          const bar = '#'.repeat(Math.min(60, Math.round(loss * 40)));
          log(
            `epoch ${String(epoch + 1).padStart(2)}  loss ${loss.toFixed(3)}  accuracy ${acc.toFixed(2)}  ${bar}`,
          );
        },
      },
    });
    const scores = await model.evaluateDataset(datasetOf(unseen, false), {});
    const [loss, accuracy] = (scores as tfjs.Scalar[]).map((score) => score.dataSync()[0] ?? NaN);
    tf.dispose(scores);
    const seconds = (performance.now() - start) / 1000;
    log(
      `held out: loss ${loss?.toFixed(3)}, accuracy ${((accuracy ?? 0) * 100).toFixed(1)} % ` +
        `after ${seconds.toFixed(0)} s`,
    );
    if (saveTo !== undefined) {
      await save(model, tf, saveTo);
      log(`saved to ${saveTo}`);
    }
    model.optimizer.dispose();
    model.dispose();
    return { accuracy: accuracy ?? 0, losses, seconds };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      clips: { type: 'string', default: '320' },
      epochs: { type: 'string', default: '12' },
      tf: { type: 'string', default: '@tensorflow/tfjs' },
      shards: { type: 'boolean', default: false },
      save: { type: 'string', default: 'direction-model' },
    },
  });
  const tf = createRequire(join(process.cwd(), 'package.json'))(values.tf) as Tf;
  await tf.ready();
  const result = await train(tf, {
    clips: Number(values.clips),
    epochs: Number(values.epochs),
    shards: values.shards,
    saveTo: resolve(values.save),
  });
  if (result.accuracy < 0.9) process.exitCode = 1;
}

if (/train-tfjs\.[jt]s$/.test(process.argv[1] ?? '')) {
  main().catch((error: unknown) => {
    console.error(error);
    process.exitCode = 1;
  });
}
