#!/usr/bin/env node
/**
 * feedStream with an InferenceSession against the same with a DeviceSession, on the CPU provider: videos
 * per second, and how long the event loop stands still. Needs a build (npm run build) and ffmpeg.
 *
 *   node bench/device-session.mjs [--videos 24] [--rounds 3] [--width 384]
 */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import * as os from 'node:os';
import * as path from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values } = parseArgs({
  options: {
    videos: { type: 'string', default: '24' },
    rounds: { type: 'string', default: '3' },
    width: { type: 'string', default: '384' },
  },
});
const root = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(import.meta.url);
const tsc = require.resolve('typescript/bin/tsc');
execFileSync(process.execPath, [tsc, '-p', 'tsconfig.examples.json'], { cwd: root });
const { vitOnnx, vitWeights } = require(path.join(root, 'build', 'examples', 'lib', 'vit.js'));
const ort = require('onnxruntime-node');
const { DeviceSession, feedStream } = require(
  path.join(root, 'dist', 'adapters', 'ort', 'index.js'),
);

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-bench-session-'));
const video = path.join(folder, 'video.mp4');
const source = ['-f', 'lavfi', '-i', 'testsrc2=size=1280x720:rate=25:duration=4'];
const encoder = ['-c:v', 'libx264', '-preset', 'veryfast', '-pix_fmt', 'yuv420p', '-g', '25'];
execFileSync('ffmpeg', ['-v', 'error', ...source, ...encoder, video]);
const videos = Array.from({ length: Number(values.videos) }, (_, i) => {
  const copy = path.join(folder, `${i}.mp4`);
  fs.copyFileSync(video, copy);
  return copy;
});

const width = Number(values.width);
const model = vitOnnx(vitWeights(1, { patchSize: 14, width, heads: width / 64, positions: 64 }));
const options = { sequenceLength: 8, kKeep: 1024, inputSize: 392, batchSize: 2, backend: 'cpu' };
const threads = { intraOpNumThreads: 1 };
const sessions = {
  InferenceSession: await ort.InferenceSession.create(model, threads),
  DeviceSession: await DeviceSession.create(model, threads),
};

async function round(session) {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  let running = 0;
  delay.enable();
  const started = performance.now();
  for await (const { feeds, close } of feedStream(session, videos, options)) {
    const before = performance.now();
    await session.run(feeds);
    running += performance.now() - before;
    close();
  }
  const seconds = (performance.now() - started) / 1000;
  delay.disable();
  return {
    videosPerSecond: videos.length / seconds,
    runMs: running / (videos.length / options.batchSize),
    longestMs: delay.max / 1e6,
    p99Ms: delay.percentile(99) / 1e6,
  };
}

try {
  for (const session of Object.values(sessions)) await round(session); // indexes, memory
  for (let i = 0; i < Number(values.rounds); i++) {
    for (const [name, session] of Object.entries(sessions)) {
      const figures = Object.entries(await round(session));
      console.log(name.padEnd(17), ...figures.map(([key, v]) => `${key} ${v.toFixed(1)}`));
    }
  }
  await sessions.DeviceSession.release();
} finally {
  fs.rmSync(folder, { recursive: true });
}
