/**
 * Mediabunny as a peer, with the protocol of peers.py: HOW VIDEO THREADS FPS ID... HOW is 'server'
 * (its own decoders, @mediabunny/server) or 'webcodecs' (those of @napi-rs/webcodecs). Neither takes
 * a number of threads: both use what FFmpeg or they themselves choose.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as readline from 'node:readline';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [how, video, , fps] = process.argv.slice(2, 6);
const ids = process.argv.slice(6).map(Number);
const answer = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const folder = path.join(process.env.CPS_BENCH_PEERS ?? '', 'node_modules');
const require = createRequire(path.join(folder, 'x.js'));
const addOn = { server: '@mediabunny/server', webcodecs: '@napi-rs/webcodecs' }[how];
const version = (name) =>
  JSON.parse(fs.readFileSync(path.join(folder, name, 'package.json'), 'utf8')).version;

async function load() {
  if (how === 'server') {
    const bunny = await import(pathToFileURL(require.resolve('mediabunny')));
    const server = await import(pathToFileURL(require.resolve('@mediabunny/server')));
    (server.registerMediabunnyServer ?? server.default.registerMediabunnyServer)();
    return bunny.default ?? bunny;
  }
  Object.assign(globalThis, require('@napi-rs/webcodecs'));
  const bunny = await import(pathToFileURL(require.resolve('mediabunny')));
  return bunny.default ?? bunny;
}

let bunny;
try {
  bunny = await load();
} catch (error) {
  answer({ methods: {}, absent: { [`mediabunny with ${addOn}`]: error.message.split('\n')[0] } });
  process.exit(0);
}

async function frames() {
  const input = new bunny.Input({
    formats: bunny.ALL_FORMATS,
    source: new bunny.FilePathSource(video),
  });
  try {
    const track = await input.getPrimaryVideoTrack();
    const sink = new bunny.VideoSampleSink(track);
    const start = await track.getFirstTimestamp();
    const out = [];
    // Half a frame late: containers round timestamps, and the sample shown then is meant.
    const times = ids.map((id) => start + (id + 0.5) / Number(fps));
    for await (const sample of sink.samplesAtTimestamps(times)) {
      if (!sample) continue;
      const format = { format: 'RGBA' };
      const data = new Uint8Array(sample.allocationSize(format));
      await sample.copyTo(data, format);
      out.push({ data, width: sample.codedWidth, height: sample.codedHeight });
      sample.close();
    }
    return out;
  } finally {
    input.dispose?.();
  }
}

const name = `mediabunny-${how}`;
const label = `Mediabunny ${version('mediabunny')} with ${addOn} ${version(addOn)}`;
answer({ methods: { [name]: label }, absent: {} });

function thinned({ data, width, height }) {
  const out = [];
  for (let y = 0; y < height; y += 16) {
    for (let x = 0; x < width; x += 16) {
      out.push(...data.subarray((y * width + x) * 4, (y * width + x) * 4 + 3));
    }
  }
  return Buffer.from(out);
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  const [first, , file] = line.split(' ');
  try {
    const cpu = process.cpuUsage();
    const start = performance.now();
    const pictures = await frames();
    const ms = performance.now() - start;
    const used = process.cpuUsage(cpu);
    if (first === 'check') fs.writeFileSync(file, Buffer.concat(pictures.map(thinned)));
    answer({ ms, cpuMs: (used.user + used.system) / 1e3, frames: pictures.length });
  } catch (error) {
    answer({ error: error.message });
  }
}
