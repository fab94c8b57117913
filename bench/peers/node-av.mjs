/**
 * node-av as a peer, with the protocol of peers.py: VIDEO THREADS FPS ID... Its synchronous calls
 * are used: they are quicker than its promises, at the price of a blocked event loop.
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as readline from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';

const [video, threads, fps] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])];
const ids = process.argv.slice(5).map(Number);
const answer = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

/** node-av from this project, or from where bench/peers/setup.mjs puts it. */
async function load() {
  const here = path.dirname(fileURLToPath(import.meta.url));
  const places = [path.join(here, '..', '..'), process.env.CPS_BENCH_PEERS].filter(Boolean);
  for (const place of places) {
    const folder = path.join(place, 'node_modules', 'node-av');
    if (!fs.existsSync(folder)) continue;
    const { version } = JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'));
    const at = (name) => import(pathToFileURL(path.join(folder, 'dist', name, 'index.js')));
    return { version, ...(await at('lib')), ...(await at('constants')) };
  }
  return undefined;
}

const av = await load();
if (!av) {
  answer({ methods: {}, absent: { 'node-av': 'not installed' } });
  process.exit(0);
}

const check = (status, what) => {
  if (status < 0) throw new Error(`${what}: ${status}`);
};

class Reader {
  constructor() {
    this.input = new av.FormatContext();
    check(this.input.openInputSync(video), 'openInput');
    check(this.input.findStreamInfoSync(), 'findStreamInfo');
    this.index = this.input.findBestStream(av.AVMEDIA_TYPE_VIDEO);
    this.stream = this.input.streams[this.index];
    const codec = av.Codec.findDecoder(this.stream.codecpar.codecId);
    this.codec = new av.CodecContext();
    this.codec.allocContext3(codec);
    check(this.codec.parametersToContext(this.stream.codecpar), 'parametersToContext');
    this.codec.threadCount = threads;
    check(this.codec.open2Sync(codec, null), 'open2');
    this.packet = new av.Packet();
    this.packet.alloc();
    this.frame = new av.Frame();
    this.frame.alloc();
  }

  /** Pictures in display order until `take` returns false. */
  read(take) {
    let ended = false;
    for (;;) {
      if (this.codec.receiveFrameSync(this.frame) >= 0) {
        const more = take(this.frame);
        this.frame.unref();
        if (!more) return;
        continue;
      }
      if (ended) return;
      if (this.input.readFrameSync(this.packet) < 0) {
        ended = true;
        this.codec.sendPacketSync(null);
        continue;
      }
      if (this.packet.streamIndex === this.index) {
        check(this.codec.sendPacketSync(this.packet), 'sendPacket');
      }
      this.packet.unref();
    }
  }

  rgb(frame) {
    const { width, height, format } = frame;
    this.scaler ??= new av.SoftwareScaleContext();
    this.scaler.getContext(width, height, format, width, height, av.AV_PIX_FMT_RGB24, 2);
    const out = Buffer.allocUnsafe(width * height * 3);
    this.scaler.scaleSync(frame.data, frame.linesize, 0, height, [out], [width * 3]);
    return { data: out, width, height };
  }

  close() {
    this.scaler?.freeContext();
    this.frame.free();
    this.packet.free();
    this.codec.freeContext();
    this.input.closeInputSync();
  }
}

function inReader(work) {
  const reader = new Reader();
  try {
    return work(reader);
  } finally {
    reader.close();
  }
}

const methods = {
  'node-av-stream': () =>
    inReader((reader) => {
      const out = [];
      const wanted = new Set(ids);
      let i = 0;
      reader.read((frame) => {
        if (wanted.has(i)) out.push(reader.rgb(frame));
        return ++i <= ids[ids.length - 1];
      });
      return out;
    }),
  'node-av-seek': () =>
    inReader((reader) => {
      const out = [];
      const { num, den } = reader.stream.timeBase;
      const start = reader.stream.startTime > 0n ? reader.stream.startTime : 0n;
      for (const id of ids) {
        const target = start + BigInt(Math.trunc((((id - 0.5) / fps) * den) / num));
        const from = target > start ? target : start;
        check(reader.input.seekFrameSync(reader.index, from, 1), 'seekFrame');
        reader.codec.flushBuffers();
        reader.read((frame) => {
          if (frame.pts < target) return true;
          out.push(reader.rgb(frame));
          return false;
        });
      }
      return out;
    }),
};

answer({
  methods: {
    'node-av-stream': `node-av ${av.version}, read on`,
    'node-av-seek': `node-av ${av.version}, seek to each frame`,
  },
  absent: {},
});

function thinned({ data, width, height }) {
  const out = [];
  for (let y = 0; y < height; y += 16) {
    for (let x = 0; x < width; x += 16) {
      out.push(...data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3));
    }
  }
  return Buffer.from(out);
}

for await (const line of readline.createInterface({ input: process.stdin })) {
  const [first, second, file] = line.split(' ');
  try {
    const cpu = process.cpuUsage();
    const start = performance.now();
    const frames = methods[first === 'check' ? second : first]();
    const ms = performance.now() - start;
    const used = process.cpuUsage(cpu);
    if (first === 'check') fs.writeFileSync(file, Buffer.concat(frames.map(thinned)));
    answer({ ms, cpuMs: (used.user + used.system) / 1e3, frames: frames.length });
  } catch (error) {
    answer({ error: error.message });
  }
}
