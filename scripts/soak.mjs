#!/usr/bin/env node
/**
 * A long life in short: thousands of mixed calls, good and bad, from files and from memory, some
 * aborted, some never closed; then many streams at once. Memory, threads and open files must stay
 * flat, every good call must give the same bytes as its first one.
 *
 *   node --expose-gc scripts/soak.mjs [--calls 5000] [--at-once 8] [--streams 64] [--minutes N]
 *
 * Needs a build and the fixtures (npm test makes both). Prints one line of JSON; exit status 1 when
 * something does not hold.
 */
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import { createRequire } from 'node:module';
import * as path from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '..');
const api = createRequire(import.meta.url)(path.join(root, 'dist', 'src', 'index.js'));
const cache = path.join(root, 'test', 'fixtures', 'cache');
const { values } = parseArgs({
  options: {
    calls: { type: 'string', default: '5000' },
    'at-once': { type: 'string', default: '8' },
    streams: { type: 'string', default: '64' },
    minutes: { type: 'string', default: '0' },
  },
});
const calls = Number(values.calls);
const atOnce = Number(values['at-once']);
const streams = Number(values.streams);
const deadline =
  Number(values.minutes) > 0 ? Date.now() + Number(values.minutes) * 60_000 : Infinity;

const manifest = JSON.parse(fs.readFileSync(path.join(cache, 'manifest.json'), 'utf8'));
const good = manifest.clips.map((clip) => path.join(cache, clip.name));
const bad = manifest.bad.map((file) => path.join(cache, file.name));
const problems = [];
const problem = (text) => problems.length < 20 && problems.push(text);

const status = (field) => {
  const text = fs.readFileSync('/proc/self/status', 'utf8');
  return Number(text.match(new RegExp(`^${field}:\\s+(\\d+)`, 'm'))[1]);
};
const openFiles = () => fs.readdirSync('/proc/self/fd').length;
const settle = async () => {
  for (let i = 0; i < 4; i++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
};
const snapshot = async () => {
  await settle();
  return { rssMiB: status('VmRSS') / 1024, threads: status('Threads'), files: openFiles() };
};

const digests = new Map();
function same(key, arrays) {
  const hash = createHash('sha1');
  for (const a of arrays) hash.update(new Uint8Array(a.buffer, a.byteOffset, a.byteLength));
  const digest = hash.digest('hex');
  const known = digests.get(key) ?? digest;
  digests.set(key, known);
  if (known !== digest) problem(`${key} gave other bytes than before`);
}

const counts = { good: 0, refused: 0, aborted: 0 };

async function one(i) {
  // One file in nine is bad, one call in thirteen is aborted, one in five comes from memory.
  const isBad = i % 9 === 4;
  const file = isBad ? bad[i % bad.length] : good[(i * 7) % good.length];
  const name = path.basename(file);
  const videoPath = i % 5 === 2 ? fs.readFileSync(file) : file;
  const controller = i % 13 === 6 ? new AbortController() : undefined;
  if (controller) setTimeout(() => controller.abort(), (i * 7) % 40);
  const uniformStrategy = ['auto', 'seek', 'stream'][i % 3];
  const common = {
    ...{ videoPath, uniformStrategy, decodeThreads: i % 4, signal: controller?.signal },
    ...{ backend: 'cpu', decodeMode: i % 11 === 0 ? 'latency' : 'throughput' },
    readerCacheSize: i % 6 === 0 ? 0 : 8,
  };
  try {
    if (i % 4 === 3) {
      const frames = await api.decodeOnly({ ...common, sequenceLength: 3, width: 96, height: 64 });
      same(`decodeOnly ${name}`, [frames.frames.data]);
      if (i % 8 !== 7) frames.close();
    } else {
      const stream = await api.patchStream({ ...common, sequenceLength: 6, kKeep: 64 });
      same(`patchStream ${name}`, [stream.patches.data, stream.metadataTensors.fields.data]);
      // Some are forgotten: the garbage collector must get them.
      if (i % 8 !== 5) stream.close();
    }
    counts.good += 1;
  } catch (error) {
    if (error.name === 'AbortError') counts.aborted += 1;
    else if (isBad && error.name === 'CodecPatchStreamError') counts.refused += 1;
    else problem(`call ${i}, ${name}: ${error.message}`);
  }
}

async function run(from, to, width) {
  let next = from;
  const worker = async () => {
    while (next < to && Date.now() < deadline) await one(next++);
  };
  await Promise.all(Array.from({ length: width }, worker));
  return next;
}

// Every clip once (indexes, decoders, JIT), then the rest is compared with that.
const warm = Math.min(calls, Math.max(2 * good.length, Math.floor(calls / 5)));
await run(0, warm, atOnce);
const before = await snapshot();
const done = await run(warm, calls, atOnce);
const after = await snapshot();

const histogram = monitorEventLoopDelay({ resolution: 5 });
histogram.enable();
const started = performance.now();
const finished = [];
const clips = ['h264_bpyramid.mp4', 'hevc.mp4', 'vp9.webm', 'mpeg4.mp4'].map((n) =>
  path.join(cache, n),
);
let peakThreads = 0;
const watch = setInterval(() => (peakThreads = Math.max(peakThreads, status('Threads'))), 20);
await Promise.all(
  Array.from({ length: streams }, async (_, i) => {
    const stream = await api.patchStream({
      ...{ videoPath: clips[i % clips.length], backend: 'cpu', sequenceLength: 8, kKeep: 64 },
    });
    stream.close();
    finished.push(performance.now() - started);
  }),
);
clearInterval(watch);
histogram.disable();
const delayMs = streams > 0 ? Math.max(0, histogram.max / 1e6 - 5) : 0;
const last = await snapshot();

const growth = after.rssMiB - before.rssMiB;
const budget = api.nativeStats().threads;
const stats = api.nativeStats();
// A tenth of what 8 calls at once hold is allocator noise.
if (growth > 48) problem(`resident memory grew by ${growth.toFixed(1)} MiB`);
if (after.threads > before.threads + 2) problem(`${before.threads} → ${after.threads} threads`);
if (last.files > before.files + 1) problem(`${before.files} → ${last.files} open files`);
if (delayMs > 25) problem(`the event loop waited ${delayMs.toFixed(1)} ms`);
if (stats.callsInFlight !== 0) problem(`${stats.callsInFlight} calls are still in flight`);

console.log(
  JSON.stringify({
    ...{
      calls: done,
      ...counts,
      distinct: digests.size,
      before,
      after,
      growthMiB: +growth.toFixed(1),
    },
    ...{
      streams,
      streamsMs: Math.round(finished.at(-1) ?? 0),
      firstMs: Math.round(finished[0] ?? 0),
    },
    ...{
      delayMs: +delayMs.toFixed(1),
      peakThreads,
      poolThreads: budget,
      liveBuffers: stats.liveBuffers,
    },
    problems,
  }),
);
process.exitCode = problems.length > 0 ? 1 : 0;
