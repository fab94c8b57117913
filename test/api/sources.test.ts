/** Videos that a caller's function reads: the same frames, few reads, errors that say why. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { resolve } from 'node:path';
import { Worker } from 'node:worker_threads';
import * as tf from '@tensorflow/tfjs';
import { frameDataset } from '../../adapters/tfjs/index.js';
import { decodeOnly, nativeStats, openVideo, patchStream, probe } from '../../src/index.js';
import type { DecodedFrames, VideoSource } from '../../src/index.js';
import { fixturePath, fixtures } from '../helpers/fixtures.js';
import { someClips } from '../helpers/long-form.js';
import { failingFrom, sourceOf } from '../helpers/sources.js';

const MIB = 2 ** 20;
const CLIP = fixturePath('h264_bpyramid.mp4');
const never = (): Promise<Uint8Array> => new Promise(() => undefined);
const bytes = (frames: DecodedFrames): Buffer => Buffer.from(frames.frames.data as Uint8Array);
const fails = async (call: Promise<unknown>): Promise<Error & { code?: string; cause?: unknown }> =>
  call.then(
    () => {
      throw new Error('it did not fail');
    },
    (error: unknown) => error as Error,
  );

const all = fixtures();
const some = someClips(all).map(({ name }) => name);

test.each(some)('%s: what a source and a Blob give is what the file gives', async (name) => {
  const file = fixturePath(name);
  const blob = await fs.openAsBlob(file);
  using expected = await decodeOnly({ videoPath: file, sequenceLength: 5 });
  const source = sourceOf(file);
  using read = await decodeOnly({ videoPath: source, sequenceLength: 5 });
  using lazily = await decodeOnly({ videoPath: blob, sequenceLength: 5 });
  expect(read.sampledFrameIds).toEqual(expected.sampledFrameIds);
  expect(bytes(read).equals(bytes(expected))).toBe(true);
  expect(bytes(lazily).equals(bytes(expected))).toBe(true);
  expect(source.reads.atOnce).toBe(1);
  expect(read.timings).toMatchObject({
    sourceReads: source.reads.ranges.length,
    sourceBytes: source.reads.bytes,
  });
  expect(expected.timings).not.toHaveProperty('sourceReads');
});

test('every way to use a video takes sources', async () => {
  const reference = await patchStream({ videoPath: CLIP, kKeep: 64 });
  const stream = await patchStream({ videoPath: sourceOf(CLIP), kKeep: 64 });
  expect(stream.metadata).toEqual(reference.metadata);
  expect(await probe(new File([fs.readFileSync(CLIP)], 'clip.mp4'))).toEqual(await probe(CLIP));
  const source = sourceOf(CLIP);
  using video = await openVideo(source);
  expect(JSON.stringify(video)).toContain('h264_bpyramid.mp4');
  const opened = source.reads.ranges.length;
  let frames = 0;
  for await (const window of video.windows({ frames: 7 }, { of: 'frames' })) {
    using w = window;
    frames += w.sampledFrameIds.length;
  }
  expect(frames).toBe(video.info.totalFrames);
  // It is small: what opening has read is all of it.
  expect(source.reads.ranges.length).toBeLessThanOrEqual(opened + 1);
  reference.close();
  stream.close();
});

test('datasets take sources, alone and as a part of an entry', async () => {
  await tf.setBackend('cpu');
  tf.env().set('IS_TEST', true); // No advertisement of tfjs-node.
  const blob = await fs.openAsBlob(CLIP);
  const videos = [CLIP, sourceOf(CLIP), blob, { video: sourceOf(CLIP) }];
  const rows: number[][] = [];
  const options = { sequenceLength: 2, width: 8, height: 8, backend: 'cpu' } as const;
  await frameDataset(tf, videos, options).forEachAsync(({ xs }) => {
    rows.push(Array.from(xs.dataSync()));
    xs.dispose();
  });
  expect(rows).toHaveLength(4);
  for (const row of rows.slice(1)) expect(row).toEqual(rows[0]);
});

// --- how much is read ---------------------------------------------------------------------------

interface Packet {
  readonly pts: number;
  readonly pos: number;
  readonly size: number;
  readonly flags: string;
}

/** Packets in decode order, by ffprobe. */
function packetsOf(file: string): Packet[] {
  const text = execFileSync(
    'ffprobe',
    ['-v', 'error', '-select_streams', 'v', '-show_entries', 'packet=pts,pos,size,flags'].concat(
      ['-of', 'json'],
      file,
    ),
    { maxBuffer: 2 ** 28 },
  ).toString();
  const { packets } = JSON.parse(text) as { packets: Record<keyof Packet, string>[] };
  return packets.map(({ pts, pos, size, flags }) => ({
    pts: Number(pts),
    pos: Number(pos),
    size: Number(size),
    flags,
  }));
}

/** The byte ranges between each target and its key frame, joined where they touch. */
function rangesOf(packets: readonly Packet[], targets: readonly number[]): [number, number][] {
  const shown = [...packets.keys()].sort((a, b) => packets[a]!.pts - packets[b]!.pts);
  const ranges: [number, number][] = [];
  for (const target of [...new Set(targets)]) {
    const last = shown[target]!;
    let first = last;
    while (first > 0 && !packets[first]!.flags.startsWith('K')) first--;
    const part = packets.slice(first, last + 1);
    const begin = Math.min(...part.map((p) => p.pos));
    const end = Math.max(...part.map((p) => p.pos + p.size));
    const before = ranges.at(-1);
    if (before && begin <= before[1]) before[1] = Math.max(before[1], end);
    else ranges.push([begin, end]);
  }
  return ranges;
}

describe('a large MP4', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-sources-'));
  afterAll(() => fs.rmSync(folder, { recursive: true }));

  /** `times` copies of a clip in one file. */
  function repeated(name: string, times: number, ...flags: string[]): string {
    const file = path.join(folder, `${flags.length}-${name}`);
    const input = ['-stream_loop', String(times - 1), '-i', fixturePath(name), '-c', 'copy'];
    execFileSync('ffmpeg', ['-v', 'error', ...input, ...flags, '-y', file]);
    return file;
  }

  test.each([
    ['its tables at the end', []],
    ['its tables at the beginning', ['-movflags', '+faststart']],
  ])('%s: only tables and what frames need are read', async (_, flags) => {
    const file = repeated('lossless_444.mp4', 60, ...flags);
    const { size } = fs.statSync(file);
    expect(size).toBeGreaterThan(100 * MIB);
    const source = sourceOf(file);
    using read = await decodeOnly({ videoPath: source, width: 64, height: 64 });
    using expected = await decodeOnly({ videoPath: file, width: 64, height: 64 });
    expect(bytes(read).equals(bytes(expected))).toBe(true);
    const needed = rangesOf(packetsOf(file), read.sampledFrameIds)
      .map(([begin, end]) => Math.ceil((end - begin) / MIB))
      .reduce((sum, n) => sum + n, 0);
    expect(source.reads.ranges.length).toBeLessThan(1.2 * needed);
    expect(source.reads.bytes).toBeLessThan(0.4 * size);
    expect(source.reads.atOnce).toBe(1);
    // Nothing is read twice.
    const ascending = source.reads.ranges.sort(([a], [b]) => a - b);
    ascending.slice(1).forEach(([begin], i) => {
      expect(begin).toBeGreaterThanOrEqual(ascending[i]![1]);
    });
  });

  test('packets that might hold no picture are looked at in few places', async () => {
    const file = repeated('h264_bpyramid.mp4', 60);
    const source = sourceOf(file);
    using video = await openVideo(source);
    expect(video.info.totalFrames).toBe((await probe(file)).totalFrames);
    expect(source.reads.ranges.length).toBeLessThanOrEqual(6);
  });
});

// --- what can go wrong --------------------------------------------------------------------------

const file = sourceOf(CLIP);
const whole = new Uint8Array(fs.readFileSync(CLIP));
const network = new Error('socket hang up');

test.each<[string, VideoSource['read'], RegExp]>([
  ['rejects', () => Promise.reject(network), /socket hang up/],
  [
    'throws',
    () => {
      throw network;
    },
    /socket hang up/,
  ],
  [
    'is short',
    (o, n) => Promise.resolve(whole.subarray(o, o + n - 1)),
    /gave \d+ bytes where \d+ were asked/,
  ],
  ['is long', (_, n) => Promise.resolve(new Uint8Array(n + 1)), /were asked for/],
  ['is something else', () => Promise.resolve(new Uint8Array(7)), /were asked for/],
  [
    'is text',
    (() => Promise.resolve('bytes')) as unknown as VideoSource['read'],
    /Uint8Array or ArrayBuffer/,
  ],
  ['is nothing', (() => undefined) as unknown as VideoSource['read'], /received undefined/],
])('a read that %s is an error with the name of the source', async (_, read, message) => {
  const source = { ...failingFrom(0, file, read), name: 'bucket/clip.mp4' };
  const error = await fails(decodeOnly({ videoPath: source }));
  expect(error).toMatchObject({ name: 'CodecPatchStreamError', code: 'ERR_CPS_SOURCE' });
  expect(error.message).toMatch(message);
  expect(error.message).toContain("'bucket/clip.mp4'");
  if (message.source === 'socket hang up') expect(error.cause).toBe(network);
  using after = await decodeOnly({ videoPath: CLIP, sequenceLength: 2 });
  expect(after.sampledFrameIds).toHaveLength(2);
});

test('a server that ignores the range is told of', async () => {
  const everything = new Uint8Array(4 * MIB);
  const source = { size: everything.length, read: () => Promise.resolve(everything) };
  const error = await fails(probe(source));
  expect(error.message).toMatch(/ignores Range headers/);
  expect(error.message).toContain('<source,');
});

test('a source that changes its size', async () => {
  let { size } = file;
  const source: VideoSource = {
    get size() {
      return size;
    },
    read: (...args) => {
      size += 1;
      return file.read(...args);
    },
  };
  expect((await fails(probe(source))).message).toMatch(/its size was \d+ and is \d+ now/);
});

test('a source that changes its version', async () => {
  const source = { ...sourceOf(fixturePath('lossless_444.mp4')), version: 'one' };
  using video = await openVideo(source);
  source.version = 'two';
  const error = await fails(video.frames());
  expect(error).toMatchObject({ code: 'ERR_CPS_SOURCE' });
  expect(error.message).toMatch(/its version was 'one' and is 'two' now/);
});

test('a video that is held says so, too, and goes on when its source does', async () => {
  const big = sourceOf(fixturePath('lossless_444.mp4'));
  let broken = false;
  const source: VideoSource = {
    ...big,
    read: (...args) => (broken ? Promise.reject(network) : big.read(...args)),
  };
  using video = await openVideo(source);
  broken = true;
  const error = await fails(video.frames());
  expect(error).toMatchObject({ code: 'ERR_CPS_SOURCE', cause: network });
  broken = false;
  using frames = await video.frames();
  using expected = await decodeOnly({ videoPath: fixturePath('lossless_444.mp4') });
  expect(bytes(frames).equals(bytes(expected))).toBe(true);
});

test('a read that never settles: timeoutMs, abort, and everybody else goes on', async () => {
  const { callsInFlight, threads } = nativeStats();
  const silent = { size: 10 * MIB, name: 'silent', read: never };
  const late = await fails(decodeOnly({ videoPath: silent, timeoutMs: 50 }));
  expect(late).toMatchObject({ code: 'ERR_CPS_TIMEOUT' });
  expect(late.message).toMatch(/waiting for bytes 0 to 1048576 of 'silent'/);

  const abort = new AbortController();
  const { signal } = abort;
  const stuck = Array.from({ length: 3 * threads }, () =>
    fails(decodeOnly({ videoPath: silent, signal })),
  );
  let ticks = 0;
  const ticking = setInterval(() => ticks++, 5);
  for (let i = 0; i < 3; i++) {
    using frames = await decodeOnly({ videoPath: CLIP, sequenceLength: 2 });
    expect(frames.sampledFrameIds).toHaveLength(2);
    using read = await decodeOnly({ videoPath: sourceOf(CLIP, 20), sequenceLength: 2 });
    expect(bytes(read).equals(bytes(frames))).toBe(true);
  }
  clearInterval(ticking);
  expect(ticks).toBeGreaterThan(3);
  const aborted = performance.now();
  abort.abort();
  for (const error of await Promise.all(stuck)) expect(error).toMatchObject({ code: 'ABORT_ERR' });
  expect(performance.now() - aborted).toBeLessThan(1000);
  expect(nativeStats()).toMatchObject({ callsInFlight });
});

test('a read that nobody waits for any more hears it, and no other', async () => {
  const large = sourceOf(fixturePath('lossless_444.mp4'));
  const signals: AbortSignal[] = [];
  const slow: VideoSource = {
    size: large.size,
    name: 'slow',
    read: (offset, length, options) => {
      signals.push(options.signal);
      if (signals.length < 2) return large.read(offset, length, options);
      return new Promise((_, refuse) => {
        options.signal.addEventListener('abort', () => refuse(options.signal.reason as Error));
      });
    },
  };
  const abort = new AbortController();
  const call = fails(decodeOnly({ videoPath: slow, signal: abort.signal }));
  while (signals.length < 2) await new Promise((done) => setImmediate(done));
  expect(signals.map(({ aborted }) => aborted)).toEqual([false, false]);
  abort.abort();
  expect(await call).toMatchObject({ code: 'ABORT_ERR' });
  while (!signals[1]!.aborted) await new Promise((done) => setImmediate(done));
  expect(signals.map(({ aborted }) => aborted)).toEqual([false, true]);

  const given: AbortSignal[] = [];
  const quick: VideoSource = {
    ...large,
    read: (offset, length, options) => {
      given.push(options.signal);
      return large.read(offset, length, options);
    },
  };
  (await decodeOnly({ videoPath: quick })).close();
  // The last one may have been asked for ahead of its turn.
  expect(given.slice(0, -1).some(({ aborted }) => aborted)).toBe(false);
});

test('an answer that comes after the call is over goes nowhere', async () => {
  const answers: (() => void)[] = [];
  const source: VideoSource = {
    size: file.size,
    read: (offset, length) =>
      new Promise((give) => answers.push(() => give(whole.subarray(offset, offset + length)))),
  };
  await fails(decodeOnly({ videoPath: source, timeoutMs: 20 }));
  for (const answer of answers) answer();
  await new Promise((done) => setImmediate(done));
  using after = await decodeOnly({ videoPath: sourceOf(CLIP), sequenceLength: 2 });
  expect(after.sampledFrameIds).toHaveLength(2);
});

test('a worker that ends in mid-read takes nothing with it', async () => {
  const script = resolve(__dirname, '../helpers/source-worker.cjs');
  const video = fixturePath('lossless_444.mp4');
  const worker = new Worker(script, { workerData: { video, answers: 2 } });
  await once(worker, 'message');
  const terminated = performance.now();
  await worker.terminate();
  expect(performance.now() - terminated).toBeLessThan(1000);
  using after = await decodeOnly({ videoPath: CLIP, sequenceLength: 2 });
  expect(after.sampledFrameIds).toHaveLength(2);
});

test.each<[unknown, RegExp]>([
  [{ size: 1.5, read: never }, /videoPath\.size/],
  [{ size: 10, read: never, name: 7 }, /videoPath\.name/],
  [{ size: 10, read: never, name: 'a', version: 7 }, /videoPath\.version/],
  [{ size: 10, read: never, version: 'a' }, /a name, which version is of for videoPath\.name/],
  [{ size: 10 }, /source \(\{ size, read \}\)/],
  [new ReadableStream(), /read but once/],
])('what is no source: %p', async (value, message) => {
  const error = await fails(decodeOnly({ videoPath: value as VideoSource }));
  expect(error).toMatchObject({ code: 'ERR_CPS_INVALID_ARGUMENT' });
  expect(error.message).toMatch(message);
});

describe('what tells the bytes from others', () => {
  // Every packet has to be seen to know which frames there are.
  const whole = fixturePath('src_100.mkv');
  const versioned = (name: string, version?: string) => {
    const source = sourceOf(whole);
    return Object.assign(source, { name }, version === undefined ? {} : { version });
  };
  const read = async (source: ReturnType<typeof sourceOf>, options = {}): Promise<number> => {
    const sample = { indices: [0] };
    using frames = await decodeOnly({ videoPath: source, sample, ...options });
    using expected = await decodeOnly({ videoPath: whole, sample });
    expect(bytes(frames).equals(bytes(expected))).toBe(true);
    expect(frames.totalFrames).toBe(expected.totalFrames);
    return source.reads.bytes;
  };

  test('keeps the index in memory for it alone', async () => {
    const first = await read(versioned('memory.mkv', 'one'));
    expect(await read(versioned('memory.mkv', 'one'))).toBeLessThan(first);
    for (const [name, version] of [
      ['memory.mkv', 'two'],
      ['other.mkv', 'one'],
      ['memory.mkv', undefined],
    ] as const) {
      expect(await read(versioned(name, version))).toBe(first);
    }
  });

  test('keeps the index on disk', async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-source-index-'));
    const options = { readerCacheDir: folder, readerCacheSize: 0 };
    const first = await read(versioned('disk.mkv', 'one'), options);
    expect(fs.readdirSync(folder)).toHaveLength(1);
    expect(await read(versioned('disk.mkv', 'one'), options)).toBeLessThan(first);
    expect(await read(versioned('disk.mkv', 'two'), options)).toBe(first);
    expect(fs.readdirSync(folder)).toHaveLength(1); // of the last version
    using beside = await decodeOnly({
      videoPath: versioned('disk.mkv', 'one'),
      ...{ ...options, readerCacheDir: 'beside' },
    });
    expect(beside.notes.map(({ code }) => code)).toContain('index-not-kept');
    fs.rmSync(folder, { recursive: true });
  });
});

test('what is kept counts against maxMemoryBytes', async () => {
  const videoPath = sourceOf(fixturePath('lossless_444.mp4'));
  using expected = await decodeOnly({ videoPath: videoPath.name as string, sequenceLength: 2 });
  using enough = await decodeOnly({
    videoPath,
    ...{ sequenceLength: 2, maxMemoryBytes: 64 * MIB },
  });
  expect(bytes(enough).equals(bytes(expected))).toBe(true);
  const error = await fails(decodeOnly({ videoPath, sequenceLength: 2, maxMemoryBytes: MIB }));
  expect(error).toMatchObject({ code: 'ERR_CPS_OUT_OF_MEMORY' });
});

test('nothing in it', async () => {
  for (const videoPath of [new Blob([]), { size: 0, read: never, name: 'empty' }]) {
    const error = await fails(decodeOnly({ videoPath }));
    expect(error).toMatchObject({ code: 'ERR_CPS_NO_VIDEO' });
    expect(error.message).toMatch(/is empty \(0 bytes\)/);
  }
});
