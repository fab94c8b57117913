/**
 * This package in a process of its own, asked over lines of JSON: { api, options } for one call,
 * { streams, videos, options } for many at once, 'memory' for what the process holds.
 */
import * as fs from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import * as readline from 'node:readline';
import * as api from '../../dist/src/index.js';
import { modelInputs } from '../../dist/src/inputs/index.js';

const answer = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

/** Resident and peak memory in bytes; the peak is reset by 'reset'. Linux only. */
function memory() {
  const text = fs.readFileSync('/proc/self/status', 'utf8');
  const bytes = (key) => Number(text.match(new RegExp(`${key}:\\s+(\\d+)`))?.[1] ?? 0) * 1024;
  return { rss: bytes('VmRSS'), peak: bytes('VmHWM') };
}

async function one({ call, options }) {
  const cpu = process.cpuUsage();
  const start = performance.now();
  const result = await api[call](options);
  const ms = performance.now() - start;
  const used = process.cpuUsage(cpu);
  const reply = { ms, cpuMs: (used.user + used.system) / 1e3, timings: { ...result.timings } };
  if (call === 'decodeOnly') {
    const { frames, width, height } = result;
    reply.outputBytes = frames.data.byteLength;
    reply.size = [width, height];
  } else {
    reply.outputBytes = result.patches.data.byteLength + result.length * 28;
  }
  if (result.sampledFrameIds.length <= 64) reply.ids = [...result.sampledFrameIds];
  result.close();
  return reply;
}

/** One call of modelInputs by a preset's name. */
async function inputs({ video, preset, options }) {
  const cpu = process.cpuUsage();
  const start = performance.now();
  const result = await modelInputs(video, preset, options);
  const ms = performance.now() - start;
  const used = process.cpuUsage(cpu);
  const shapes = Object.fromEntries(
    Object.entries(result.tensors).map(([name, { shape }]) => [name, [...shape]]),
  );
  result.close();
  return { ms, cpuMs: (used.user + used.system) / 1e3, shapes };
}

/** Every 16th pixel of every 16th row of all frames, as peers write them. */
async function thinned({ options, file }) {
  const result = await api.decodeOnly(options);
  const { data, shape } = result.frames;
  const [frames, height, width] = shape;
  const out = [];
  for (let t = 0; t < frames; t++) {
    for (let y = 0; y < height; y += 16) {
      for (let x = 0; x < width; x += 16) {
        const at = ((t * height + y) * width + x) * 3;
        out.push(data[at], data[at + 1], data[at + 2]);
      }
    }
  }
  fs.writeFileSync(file, Buffer.from(out));
  const ids = [...result.sampledFrameIds];
  result.close();
  return { ids };
}

async function many({ streams, videos, options }) {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  let left = videos;
  const cpu = process.cpuUsage();
  delay.enable();
  const start = performance.now();
  let waited = 0;
  const lane = async () => {
    while (left-- > 0) {
      const from = performance.now();
      (await api.patchStream(options)).close();
      waited += performance.now() - from;
    }
  };
  await Promise.all(Array.from({ length: streams }, lane));
  const ms = performance.now() - start;
  delay.disable();
  const used = process.cpuUsage(cpu);
  return {
    ms: ms / videos,
    cpuMs: (used.user + used.system) / 1e3 / videos,
    answerMs: waited / videos,
    videosPerSec: (videos * 1e3) / ms,
    loopDelayMs: { mean: delay.mean / 1e6, p99: delay.percentile(99) / 1e6, max: delay.max / 1e6 },
  };
}

/** All windows of a video one after the other, each closed before the next is asked for. */
async function windows({ video, span, options }) {
  const opened = await api.openVideo(video, { backend: 'cpu' });
  const start = performance.now();
  let [count, most] = [0, 0];
  for await (const window of opened.windows(span, { of: 'frames', ...options })) {
    count++;
    most = Math.max(most, window.frames.data.byteLength);
    window.close();
    // What JavaScript has seen goes with its garbage.
    if (count % 4 === 0) globalThis.gc?.();
  }
  opened.close();
  return { ms: performance.now() - start, count, windowBytes: most };
}

const handlers = {
  one,
  inputs,
  windows,
  thinned,
  many,
  memory,
  reset: () => {
    globalThis.gc?.();
    fs.writeFileSync('/proc/self/clear_refs', '5');
    return memory();
  },
  info: () => ({ ...api.buildInfo() }),
};

answer({ ready: true });
for await (const line of readline.createInterface({ input: process.stdin })) {
  const request = JSON.parse(line);
  try {
    answer(await handlers[request.what](request));
  } catch (error) {
    answer({ error: `${error.code ?? error.name}: ${error.message}` });
  }
}
