#!/usr/bin/env node
/**
 * node bench/selection/run.mjs [--videos FOLDER] [--seconds 8,32] [--times] [--write]
 *
 * How much of what a codec spends on a video the patches hold that each energy chooses. The clips are those of
 * clips.mjs, of each of these lengths, and every video of FOLDER; oracle.mjs says what a codec spends. --write makes
 * docs/lab/selection-evidence.md and its chart of it, and the figures as JSON in .cache/bench/selection.json.
 * --times measures processor time instead, for which the machine has to be quiet: a part of the page of its own.
 */
import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import * as path from 'node:path';
import { parseArgs } from 'node:util';
import { buildNative } from '../../scripts/lib/setup.mjs';
import { root, step } from '../../scripts/lib/shell.mjs';
import { cacheDir } from '../lib/clips.mjs';
import { machineFacts } from '../lib/machine.mjs';
import { chartOf } from './chart.mjs';
import { selectionClips } from './clips.mjs';
import { best, byChance, compare, flatPatches, liesIn, lumaRanges } from './measure.mjs';
import { oracleOf } from './oracle.mjs';
import { TIMES, evidencePage, measuredOn, part, writePart } from './parts.mjs';
import { pageOf } from './publish.mjs';
import { timeTables } from './tables.mjs';

const require = createRequire(import.meta.url);
require('../../scripts/require-ts.cjs');
const { decodeOnly, describeOptions, patchStream } = require('../../src/index.ts');
const { native } = require('../../src/native/binding.ts');

const SHARES = [0.06, 0.125, 0.25];
const FRAMES = 16;
const P = 14;

/** Every energy, and those with what else changes it. */
function variants() {
  const options = new Map(describeOptions('patchStream').map((o) => [o.name, o.choices ?? []]));
  const energies = options.get('energy').filter((energy) => energy !== 'codec');
  const wholeVideo = options.get('energyScope')?.includes('video');
  return energies.flatMap((energy) => [
    { name: energy, config: { energy } },
    ...(wholeVideo && energy !== 'reference'
      ? [{ name: `${energy}, whole video`, config: { energy, energyScope: 'video' } }]
      : []),
  ]);
}

/** Median milliseconds of processor time, the first call left out. */
async function cpuMs(call) {
  const times = [];
  for (let i = 0; i < 4; i++) {
    const before = process.cpuUsage();
    (await call()).close();
    const { user, system } = process.cpuUsage(before);
    if (i > 0) times.push((user + system) / 1000);
  }
  return times.sort((a, b) => a - b)[1];
}

/** Of an eighth of the patches, the share on bars where ignore says 'letterbox'; null without bars. */
async function shareOnBars(clip, config, grid) {
  if (clip.bars.length === 0) return null;
  const kKeep = Math.floor((FRAMES - 1) * grid.h * grid.w * 0.125);
  const rule = { kKeep, keyFramePatches: 'compete', ignore: 'letterbox' };
  const stream = await patchStream({ ...config, ...rule });
  const places = stream.metadata.map((m) => m.patchHIdx * grid.w + m.patchWIdx);
  stream.close();
  return places.filter((place) => liesIn(clip.bars, place, grid)).length / places.length;
}

/** lumaRanges of every frame of the video, some at a time. */
async function allLumaRanges(config, totalFrames) {
  const parts = [];
  for (let begin = 0; begin < totalFrames; begin += 32) {
    const count = Math.min(32, totalFrames - begin);
    const indices = Array.from({ length: count }, (_, i) => begin + i);
    const stream = await patchStream({ ...config, sequenceLength: undefined, sample: { indices } });
    parts.push(lumaRanges(stream.patches.data, P));
    stream.close();
  }
  const joined = (side) => Float32Array.from(parts.flatMap((part) => Array.from(part[side])));
  return { low: joined('low'), high: joined('high') };
}

const configOf = ({ file }) => ({ videoPath: file, backend: 'cpu', sequenceLength: FRAMES });

async function measure(clip) {
  const config = configOf(clip);
  const all = { ...config, kKeep: 2 ** 31 - 1, patchSize: P, outputDtype: 'uint8' };
  const first = await patchStream(all);
  const { grid, sampledFrameIds: ids, totalFrames, width, height } = first;
  if (totalFrames < FRAMES) return undefined;
  first.close();
  const perFrame = grid.h * grid.w;
  const flat = flatPatches(await allLumaRanges(all, totalFrames), ids, perFrame);
  const { maps: oracle, mostResidual } = oracleOf(clip.file, ids, grid);
  const energies = {};
  for (const { name, config: more } of variants()) {
    const stream = await patchStream({ ...all, ...more });
    const scores = Float32Array.from(stream.frameScores.data);
    stream.close();
    energies[name] = {
      ...compare({ scores, ...flat, grid, clip }, oracle, SHARES),
      barsIgnored: await shareOnBars(clip, { ...all, ...more }, grid),
    };
  }
  // What the measure itself gives to flat patches: some change all the same.
  const most = best(oracle.raw, Math.floor((FRAMES - 1) * perFrame * 0.125), perFrame);
  const flatOf = (which) =>
    clip.noisy ? null : most.filter((i) => flat[which][i]).length / most.length;
  const shareOfAll = (which) => {
    const later = flat[which].slice(perFrame);
    return clip.noisy ? null : later.filter(Boolean).length / later.length;
  };
  return {
    clip: clip.name,
    kind: clip.kind,
    seconds: clip.seconds,
    size: [width, height],
    energies,
    chance: byChance(oracle, SHARES, perFrame),
    mostResidual,
    oracleFlat: flatOf('flat'),
    oracleThroughout: flatOf('throughout'),
    flatAll: shareOfAll('flat'),
    throughoutAll: shareOfAll('throughout'),
  };
}

async function timesOf(clip) {
  const config = configOf(clip);
  const { totalFrames } = await decodeOnly({ ...config, width: 64, height: 64 });
  if (totalFrames < FRAMES) return undefined;
  const decodeMs = await cpuMs(() => decodeOnly({ ...config, width: 64, height: 64 }));
  const energies = {};
  for (const { name, config: more } of variants()) {
    energies[name] = { cpuMs: await cpuMs(() => patchStream({ ...config, ...more, kKeep: 256 })) };
  }
  return { clip: clip.name, seconds: clip.seconds, decodeMs, energies };
}

function timesText(report) {
  const [ratios, rows] = timeTables(report);
  return `## Processor time

Of patchStream, as a multiple of decoding the same frames to 64x64.

${ratios}

In milliseconds:

${rows}

${measuredOn(report)} Compare them within a row.`;
}

async function main() {
  const { values } = parseArgs({
    options: {
      videos: { type: 'string' },
      seconds: { type: 'string', default: '8,32' },
      write: { type: 'boolean', default: false },
      times: { type: 'boolean', default: false },
      'skip-build': { type: 'boolean', default: false },
    },
  });
  if (!values['skip-build']) await buildNative({ bench: true, target: 'cps_bench_programs' });
  const lengths = values.seconds.split(',').map(Number);
  const clips = await selectionClips(lengths, values.videos && path.resolve(values.videos));
  const report = { machine: machineFacts(native().build), shares: SHARES, lengths, results: [] };
  for (const clip of clips) {
    step(clip.seconds === null ? clip.name : `${clip.name}, ${clip.seconds} s`);
    const result = await (values.times ? timesOf(clip) : measure(clip));
    if (result) report.results.push(result);
  }
  if (values.times) {
    console.log(part(TIMES, timesText(report)));
    if (values.write) writePart(TIMES, timesText(report));
    return;
  }
  const page = pageOf(report);
  fs.mkdirSync(cacheDir, { recursive: true });
  fs.writeFileSync(path.join(cacheDir, 'selection.json'), JSON.stringify(report, null, 2));
  console.log(page);
  if (!values.write) return;
  fs.writeFileSync(evidencePage, page);
  const chart = path.join(root, 'docs', 'images', 'selection-evidence.svg');
  fs.writeFileSync(chart, chartOf(report));
}

await main();
