#!/usr/bin/env node
/**
 * Makes what fuzz_options begins with of the schema: complete records as the addon gets them, for calls
 * that use every form of every option (test/native/reliability/fuzz_seeds/option_records), and a seed
 * that changes nothing for each of them.
 *
 *   node scripts/fuzz-records.mjs [--check]
 */
import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import * as path from 'node:path';
import { root, Stop } from './lib/shell.mjs';

const require = createRequire(import.meta.url);
require('./require-ts.cjs');
const { parseDecodeOnly, parsePatchStream } = require('../src/options/records.ts');

const seeds = path.join(root, 'test', 'native', 'reliability', 'fuzz_seeds');

/** Of both calls; of patchStream; of decodeOnly. The clip has few frames of 64x48. */
const CALLS = [
  [{}, {}, {}],
  [
    { sample: { count: 4, place: 'middles' } },
    { energy: 'adjacent', globalMotion: 'subtract' },
    {},
  ],
  [
    { sample: { count: { fps: 10, min: 2, max: 8, multipleOf: 2, round: 'nearest' } } },
    { energy: 'accumulated', energyScope: 'video', maps: true },
    { outputDtype: 'fp16', layout: 'cthw' },
  ],
  [
    {
      sample: {
        count: [
          [1, 2],
          [60, 4],
        ],
        place: 'starts',
        trim: 0.01,
        short: 'all',
      },
    },
    { energy: 'block', intraEnergy: 'texture', kKeep: { frames: 2 }, minPerFrame: 0.1 },
    { width: 32, height: 24 },
  ],
  [
    { sample: { clip: 3, stride: 2, start: 'random', seed: 7 } },
    { energy: 'codec', kKeep: { perSecond: 9, min: 4, max: 40 }, keyFramePatches: 'none' },
    { size: { short: 24, crop: 16 }, resample: 'bicubic', augment: { crop: 'random', flip: 0.5 } },
  ],
  [
    { sample: { indices: [3, 0, -1, 0] } },
    { energy: 'reference', outputDtype: 'uint8', layout: 'nhwc', inputSize: 56 },
    {
      size: { long: 48, even: true, pad: true },
      resample: 'lanczos',
      outputDtype: 'bf16',
      normalize: 'imagenet',
    },
  ],
  [
    { sample: { timesSec: [0, 0.04] }, damaged: 'skip', decodeMode: 'latency' },
    { size: { exact: [28, 42] }, resample: 'area', selectionUnit: 'patch', maxPerFrame: 3 },
    { size: [{ short: 32 }, { exact: [20, 30] }], resample: 'bilinear' },
  ],
  [
    { sample: { count: 3, only: 'key-frames', range: { fromSec: 0, toSec: 1 }, unique: true } },
    {
      ignore: ['letterbox', { x: 0, y: 0, width: 0.25, height: 0.25 }],
      ...{ keyFramePatches: 'compete', wholeFrames: 'first', kKeep: 600 },
    },
    { size: { area: [256, 4096], multipleOf: 16, of: 'video', cap: { tokens: 64 } } },
  ],
  [
    { sample: { count: 2, range: { from: 1, to: -1 } }, uniformStrategy: 'stream' },
    { selectionUnit: 'block2x2', inputSize: 56, kKeep: 8, staticFallback: true },
    {
      size: { patches: 12, patchSize: 8 },
      augment: { crop: { scale: [0.3, 1], ratio: [0.7, 1.4] }, seed: 3 },
      outputDtype: 'fp32',
      normalize: { scale: 1, mean: [0, 0, 0], std: [1, 1, 1] },
    },
  ],
];

/** A value in lines that fuzz_options.cpp reads. */
function* lines(value) {
  if (value === null) yield 'null';
  else if (value === undefined) yield 'undefined';
  else if (typeof value === 'number') yield `number ${Object.is(value, -0) ? '-0' : value}`;
  else if (typeof value === 'boolean') yield `boolean ${value ? 1 : 0}`;
  else if (typeof value === 'string') yield `text ${value}`;
  else if (Array.isArray(value)) {
    yield `list ${value.length}`;
    for (const item of value) yield* lines(item);
  } else {
    const entries = Object.entries(value);
    yield `object ${entries.length}`;
    for (const [key, item] of entries) {
      yield key;
      yield* lines(item);
    }
  }
}

const calls = CALLS.map(([both, patches, frames]) => {
  const limits = {
    maxFramePixels: 1 << 20,
    maxFrames: 1000,
    maxMemoryBytes: 1 << 26,
    backend: 'cpu',
  };
  const common = { videoPath: 'clip.mp4', ...limits, ...both };
  const stream = parsePatchStream({
    kKeep: 8,
    inputSize: undefined,
    ...common,
    ...patches,
  }).records;
  return { ...parseDecodeOnly({ ...common, ...frames }).records, ...stream };
});
const files = new Map([['option_records', [...lines(calls), ''].join('\n')]]);
calls.forEach((_, i) => files.set(path.join('options', `call_${i}`), String.fromCharCode(i, 0, 0)));

const check = process.argv.includes('--check');
for (const [name, text] of files) {
  const file = path.join(seeds, name);
  const there = fs.existsSync(file) ? fs.readFileSync(file, 'latin1') : undefined;
  if (there === text) continue;
  if (check)
    throw new Stop(`${path.relative(root, file)} is old; run node scripts/fuzz-records.mjs`);
  fs.writeFileSync(file, text, 'latin1');
}
