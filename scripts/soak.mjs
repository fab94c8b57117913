#!/usr/bin/env node
/**
 * A long life in short: thousands of mixed calls, good and bad, from files and from memory, some
 * aborted, some never closed; then many streams at once. Memory, threads and open files must stay
 * flat, every call must come to what it came to the first time.
 *
 *   node scripts/soak.mjs [--calls 5000] [--at-once 8] [--streams 64] [--rounds 5] [--minutes N] [--seed N]
 *
 * Needs a build and the fixtures (npm test makes both). Prints JSON; exit status 1 when something
 * does not hold.
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  bad,
  clip,
  good,
  hashOf,
  inParallel,
  loadPackage,
  Outcomes,
  seeded,
} from './lib/mixed-calls.mjs';

// What counts as flat. Resident memory: least squares over the snapshots after the first quarter
// (caches and pools fill meanwhile); between snapshots all calls have ended and garbage is collected.
// A picture of the small fixtures lost per call would be 110 MiB per 1000.
const FLAT_MIB_PER_1000_CALLS = 5;
const LONGEST_DELAY_MS = 25;
const PHASES = 20;

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc');
const { values } = parseArgs({
  options: {
    calls: { type: 'string', default: '5000' },
    'at-once': { type: 'string', default: '8' },
    streams: { type: 'string', default: '64' },
    rounds: { type: 'string', default: '5' },
    minutes: { type: 'string', default: '0' },
    seed: { type: 'string', default: '1' },
  },
});
const calls = Number(values.calls);
const atOnce = Number(values['at-once']);
const streams = Number(values.streams);
const minutes = Number(values.minutes);
const deadline = minutes > 0 ? Date.now() + minutes * 60_000 : Infinity;
const random = seeded(Number(values.seed));

const status = (field) => {
  const text = fs.readFileSync('/proc/self/status', 'utf8');
  return Number(text.match(new RegExp(`^${field}:\\s+(\\d+)`, 'm'))[1]);
};
const threadsOfNode = status('Threads');
const api = loadPackage();
const problems = [];
const problem = (text) => problems.length < 20 && problems.push(text);

const snapshot = async () => {
  for (let i = 0; i < 4; i++) {
    gc();
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return {
    rssMiB: +(status('VmRSS') / 1024).toFixed(1),
    threads: status('Threads'),
    files: fs.readdirSync('/proc/self/fd').length,
  };
};

const outcomes = new Outcomes();
const counts = { good: 0, refused: 0, aborted: 0, timedOut: 0, forgotten: 0 };

/** Call `i`: of what, how, and what it came to. One in nine is of a bad file. */
async function one(i) {
  const isBad = random() < 1 / 9;
  const file = isBad ? random.of(bad) : good[i % good.length];
  const name = path.basename(file);
  const fromMemory = random() < 0.25;
  const frames = random() < 0.3;
  const energy = random() < 0.1 ? 'reference' : 'block';
  const controller = random() < 0.08 ? new AbortController() : undefined;
  if (controller) setTimeout(() => controller.abort(), random() * 40);
  const options = {
    ...{ videoPath: fromMemory ? fs.readFileSync(file) : file, backend: 'cpu' },
    ...{ uniformStrategy: random.of(['auto', 'seek', 'stream']), signal: controller?.signal },
    ...{ decodeThreads: random.of([0, 1, 2, 4]), decodeMode: random.of(['throughput', 'latency']) },
    ...{ readerCacheSize: random.of([0, 8, 100]), timeoutMs: random() < 0.03 ? 5 : 0 },
    ...(frames
      ? { sequenceLength: 3, width: 96, height: 64 }
      : { sequenceLength: 6, kKeep: 64, energy }),
  };
  const forget = random() < 0.2;
  const key = `${frames ? 'decodeOnly' : `patchStream ${energy}`} ${name}`;
  try {
    const result = await api[frames ? 'decodeOnly' : 'patchStream'](options);
    if (!outcomes.isSame(key, hashOf(result))) problem(`call ${i}: ${key} gave other bytes`);
    counts.good += 1;
    // Some are forgotten: the garbage collector must get them.
    if (forget) counts.forgotten += 1;
    else result.close();
  } catch (error) {
    if (error.name === 'AbortError' && controller) counts.aborted += 1;
    else if (error.code === 'ERR_CPS_TIMEOUT' && options.timeoutMs > 0) counts.timedOut += 1;
    else if (!isBad) problem(`call ${i}: ${key}: ${error.message}`);
    else if (!outcomes.isSame(key, error.code)) problem(`call ${i}: ${key} gave ${error.code}`);
    else counts.refused += 1;
  }
}

/** Resident memory by number of calls: the slope of the best line, in MiB per 1000 calls. */
function slope(points) {
  const mean = (select) => points.reduce((sum, p) => sum + select(p), 0) / points.length;
  const [x, y] = [mean((p) => p.calls), mean((p) => p.rssMiB)];
  const covariance = mean((p) => (p.calls - x) * (p.rssMiB - y));
  return (covariance / mean((p) => (p.calls - x) ** 2)) * 1000;
}

const started = performance.now();
const points = [];
let done = 0;
for (let phase = 1; phase <= PHASES; phase++) {
  done = await inParallel(done, Math.floor((calls * phase) / PHASES), atOnce, deadline, one);
  points.push({ calls: done, ...(await snapshot()) });
  if (Date.now() > deadline) break;
}
const seconds = (performance.now() - started) / 1000;
const settled = points.slice(Math.ceil(points.length / 4));
const range = (select) => [Math.min(...settled.map(select)), Math.max(...settled.map(select))];
const mibPer1000 = slope(settled);
const [fewest, most] = range((p) => p.threads);
const [fewestFiles, mostFiles] = range((p) => p.files);
if (!(mibPer1000 < FLAT_MIB_PER_1000_CALLS)) problem(`memory: ${mibPer1000} MiB per 1000 calls`);
if (mostFiles > fewestFiles) problem(`open files: ${fewestFiles} to ${mostFiles}`);

/** Many loops of calls at once: when each ends, and how long the event loop had to wait. */
async function manyStreams() {
  const rounds = Number(values.rounds);
  const clips = ['h264_bpyramid.mp4', 'hevc.mp4', 'vp9.webm', 'mpeg4.mp4'].map(clip);
  const histogram = monitorEventLoopDelay({ resolution: 5 });
  let peakThreads = 0;
  const watch = setInterval(() => (peakThreads = Math.max(peakThreads, status('Threads'))), 20);
  histogram.enable();
  const start = performance.now();
  const ends = await Promise.all(
    Array.from({ length: streams }, async (_, i) => {
      const options = { videoPath: clips[i % clips.length], backend: 'cpu', sequenceLength: 8 };
      for (let round = 0; round < rounds; round++) {
        (await api.patchStream({ ...options, kKeep: 64 })).close();
      }
      return performance.now() - start;
    }),
  );
  histogram.disable();
  clearInterval(watch);
  const [first, last] = [Math.min(...ends), Math.max(...ends)];
  const delayMs = (ns) => +Math.max(0, ns / 1e6 - 5).toFixed(1);
  const longest = delayMs(histogram.max);
  // The pool, decoders that run, and what idle decoders keep (capacity: two more than threads).
  const { threads } = api.nativeStats();
  const budget = threads * (threads + 4);
  // In the order of the calls, every stream ends in the last of the rounds.
  if (first < (last * (rounds - 2)) / rounds)
    problem(`the first of ${streams} streams ended after ${first} ms, the last after ${last}`);
  if (longest > LONGEST_DELAY_MS) problem(`event loop: ${longest} ms`);
  if (peakThreads > threadsOfNode + budget) problem(`${peakThreads} threads`);
  return {
    ...{ streams, callsEach: rounds, firstEndsMs: Math.round(first), lastEndsMs: Math.round(last) },
    eventLoopMs: { longest, p99: delayMs(histogram.percentile(99)) },
    threads: { ofNode: threadsOfNode, peak: peakThreads, allowed: threadsOfNode + budget },
  };
}

const concurrent = streams > 0 ? await manyStreams() : undefined;
await snapshot();
const { callsInFlight, liveBuffers } = api.nativeStats();
if (callsInFlight + liveBuffers > 0) problem(`${callsInFlight} calls, ${liveBuffers} buffers left`);

console.log(
  JSON.stringify(
    {
      machine: { node: process.version, cores: os.availableParallelism() },
      calls: { done, seconds: Math.round(seconds), ...counts, distinct: outcomes.size },
      memory: {
        mibPer1000Calls: +mibPer1000.toFixed(2),
        ...{ firstMiB: settled[0].rssMiB, lastMiB: settled.at(-1).rssMiB },
        residentMiB: points.map((p) => p.rssMiB).join(' '),
      },
      ...{ threads: [fewest, most], openFiles: [fewestFiles, mostFiles], concurrent, problems },
    },
    null,
    1,
  ),
);
process.exitCode = problems.length > 0 ? 1 : 0;
