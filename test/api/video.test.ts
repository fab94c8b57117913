/** openVideo, probe and windows. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { inspect } from 'node:util';
import { decodeOnly, nativeStats, openVideo, patchStream, probe } from '../../src/index.js';
import type { DecodedFrames, Video } from '../../src/index.js';
import { displaySize } from '../helpers/ffmpeg.js';
import { fixture, fixturePath, fixtures } from '../helpers/fixtures.js';
import { someClips } from '../helpers/long-form.js';
import { buffersInUse } from '../helpers/native-memory.js';

const NAME = 'h264_bpyramid.mp4';
const BPYRAMID = fixturePath(NAME);
const CLOSED: unknown = expect.objectContaining({ code: 'ERR_CPS_CLOSED' });
const bytes = (frames: DecodedFrames): Buffer => Buffer.from(frames.frames.data as Uint8Array);

const all = fixtures();
const some = someClips(all).map((f) => [f.name, f] as const);

describe.each(some)('%s', (name, clip) => {
  let video: Video;
  beforeAll(async () => {
    video = await openVideo(fixturePath(name));
  });
  afterAll(() => video.close());

  test('what it says is what results say', async () => {
    using whole = await decodeOnly({ videoPath: video, sequenceLength: clip.frames });
    const { info } = video;
    expect(info).toMatchObject({ totalFrames: clip.frames, ...displaySize(clip) });
    expect(info.fps).toBe(whole.fps);
    expect(info.rotation % 180 === 90).toBe(Math.abs(clip.rotation) % 180 === 90);
    expect([...video.timestampsSec]).toEqual(whole.timestampsSec);
    expect(video.secondsFromStart).toEqual(whole.secondsFromStart);
    expect(video.secondsFromStart[0]).toBe(0);
    const steps = [...video.secondsFromStart].map((t, i, ts) => t - (ts[i - 1] ?? 0));
    expect(steps.every((step) => step >= 0)).toBe(true);
    const keys = [...whole.isKeyFrame.keys()].filter((i) => whole.isKeyFrame[i]);
    expect([...video.keyFrameIndices]).toEqual(keys);
    expect(video.packetBytes).toHaveLength(clip.frames);
    expect(await probe(fixturePath(name))).toEqual(info);
  });

  test.each([3, 16])('windows of %i frames are the video', async (frames) => {
    using whole = await decodeOnly({ videoPath: video, sequenceLength: clip.frames });
    const expected = bytes(whole);
    const size = expected.length / clip.frames;
    let at = 0;
    for await (const window of video.windows({ frames }, { of: 'frames' })) {
      const count = Math.min(frames, clip.frames - at);
      expect(window.sampledFrameIds).toEqual(Array.from({ length: count }, (_, i) => at + i));
      const part = expected.subarray(at * size, (at + count) * size);
      expect(bytes(window).equals(part)).toBe(true);
      at += count;
      window.close();
    }
    expect(at).toBe(clip.frames);
  });
});

describe('windows', () => {
  const { frames: n } = fixture(NAME);
  const packets = async (hop?: number): Promise<number> => {
    using video = await openVideo(BPYRAMID);
    let decoded = 0;
    const span = hop === undefined ? { frames: 4 } : { frames: 4, hop };
    for await (const window of video.windows(span, { of: 'frames' })) {
      decoded += window.timings['packetsDecoded'] ?? 0;
      window.close();
    }
    return decoded;
  };

  test('each packet is decoded once where they do not overlap', async () => {
    expect(await packets()).toBe(n);
    expect(await packets(2)).toBeGreaterThan(n);
  });

  test('of seconds, with a hop, of patches, with a rule', async () => {
    using video = await openVideo(BPYRAMID);
    const times = [...video.secondsFromStart];
    const windows: number[][] = [];
    const span = { seconds: 0.4, hop: 0.3 };
    for await (const window of video.windows(span, { of: 'frames' })) {
      windows.push([...window.sampledFrameIds]);
      window.close();
    }
    const expected: number[][] = [];
    for (let k = 0; expected.at(-1)?.at(-1) !== n - 1; k++) {
      const inside = (t: number): boolean => k * 0.3 <= t + 1e-6 && t + 1e-6 < k * 0.3 + 0.4;
      const ids = [...times.keys()].filter((i) => inside(times[i] as number));
      if ((ids.at(-1) ?? -1) > (expected.at(-1)?.at(-1) ?? -1)) expected.push(ids);
    }
    expect(windows).toEqual(expected);

    const sample = { indices: [-1, 0] };
    for await (const stream of video.windows({ frames: 10 }, { of: 'patches', sample, kKeep: 8 })) {
      const [last = 0, first = 0] = stream.sampledFrameIds;
      expect(first % 10).toBe(0);
      expect(last).toBe(Math.min(n, first + 10) - 1);
      using same = await patchStream({
        videoPath: BPYRAMID,
        sample: { indices: [last, first] },
        kKeep: 8,
      });
      expect(stream.metadata).toEqual(same.metadata);
      stream.close();
    }
  });

  test('damage is met as in any call', async () => {
    const damaged = fs.readFileSync(BPYRAMID);
    for (let at = damaged.length >> 1; at < damaged.length * 0.6; at += 97)
      damaged[at] = 0x5a ^ (damaged[at] as number);
    using video = await openVideo(damaged, { damaged: 'nearest' });
    const replaced: number[] = [];
    for await (const window of video.windows({ frames: 10 }, { of: 'frames' })) {
      replaced.push(...window.replacedFrames.map(({ wantedId }) => wantedId));
      const from = window.replacedFrames.find(({ seqPos }) => seqPos === 0)?.wantedId;
      const first = from ?? window.sampledFrameIds.at(0) ?? 0;
      const indices = Array.from({ length: window.length }, (_, i) => first + i);
      using same = await video.frames({ sample: { indices } });
      expect(window.sampledFrameIds).toEqual(same.sampledFrameIds);
      expect(bytes(window).equals(bytes(same))).toBe(true);
      window.close();
    }
    expect(replaced.length).toBeGreaterThan(0);
    using strict = await openVideo(damaged);
    const reading = (async () => {
      for await (const window of strict.windows({ frames: 10 }, { of: 'frames' })) window.close();
    })();
    await expect(reading).rejects.toMatchObject({ code: 'ERR_CPS_CORRUPT' });
  });

  test('random clips differ from window to window and are the same every time', async () => {
    using video = await openVideo(BPYRAMID);
    const run = async (): Promise<number[]> => {
      const starts: number[] = [];
      const options = { of: 'frames', sample: { clip: 2, start: 'random' } } as const;
      for await (const window of video.windows({ frames: 12 }, options)) {
        starts.push((window.sampledFrameIds[0] as number) % 12);
        window.close();
      }
      return starts;
    };
    const starts = await run();
    expect(await run()).toEqual(starts);
    expect(new Set(starts).size).toBeGreaterThan(1);
  });

  test('leaving the loop, an abort and close() leave nothing behind', async () => {
    const before = await buffersInUse();
    const video = await openVideo(BPYRAMID);
    for await (const window of video.windows({ frames: 2 }, { of: 'frames' })) {
      window.close();
      break;
    }
    const stop = new AbortController();
    const aborted = video.windows({ frames: 2 }, { of: 'frames', signal: stop.signal });
    (await aborted.next()).value?.close();
    stop.abort();
    await expect(aborted.next()).rejects.toMatchObject({ name: 'AbortError' });
    expect(await aborted.next()).toEqual({ value: undefined, done: true });
    const closed = video.windows({ frames: 2 }, { of: 'frames' });
    (await closed.next()).value?.close();
    video.close();
    await expect(closed.next()).rejects.toEqual(CLOSED);
    while (nativeStats().callsInFlight > 0) await new Promise(setImmediate);
    await new Promise(setImmediate);
    expect(nativeStats().liveBuffers).toBe(before);
  });
});

describe('Video', () => {
  test('calls take it, and its options, without reading the file again', async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-video-'));
    const file = path.join(folder, 'a.mp4');
    fs.copyFileSync(BPYRAMID, file);
    using video = await openVideo(file, { backend: 'cpu', readerCacheSize: 0 });
    fs.rmSync(folder, { recursive: true });
    using own = await video.frames({ sample: { indices: [3] } });
    using given = await decodeOnly({ videoPath: video, sample: { indices: [3] } });
    using other = await decodeOnly({ videoPath: BPYRAMID, sample: { indices: [3] } });
    expect(bytes(own).equals(bytes(other))).toBe(true);
    expect(bytes(given).equals(bytes(other))).toBe(true);
    using patches = await video.patches({ sample: { count: 2 }, kKeep: 4 });
    expect(patches.length).toBe(4);
  });

  test('undefined is no value: what the video was opened with counts', async () => {
    using video = await openVideo(BPYRAMID, { backend: 'cpu', maxMemoryBytes: 4 * 2 ** 20 });
    const size = { exact: [1024, 1024] } as const; // 6 MiB
    const unsaid = { backend: undefined, maxMemoryBytes: undefined };
    const large = { ...unsaid, size, sample: { count: 2 } };
    const refused = { code: 'ERR_CPS_OUT_OF_MEMORY' };
    await expect(video.frames(large)).rejects.toMatchObject(refused);
    const patches = { ...large, patchSize: 16, kKeep: 8192 };
    await expect(video.patches(patches)).rejects.toMatchObject(refused);
    const windows = video.windows({ frames: 8 }, { of: 'frames', ...large });
    await expect(windows.next()).rejects.toMatchObject(refused);
    using enough = await video.frames({ ...large, maxMemoryBytes: 2 ** 30 });
    expect(enough.frames.shape).toEqual([2, 1024, 1024, 3]);
  });

  test('the backend of a call is that of both stages', async () => {
    const stages = { decodeBackend: 'gpu', processBackend: 'gpu' } as const;
    using video = await openVideo(BPYRAMID, stages);
    const sample = { count: 2 } as const;
    using frames = await video.frames({ backend: 'cpu', sample });
    using other = await decodeOnly({ videoPath: BPYRAMID, backend: 'cpu', sample });
    expect(bytes(frames).equals(bytes(other))).toBe(true);
    using patches = await video.patches({ backend: 'cpu', sample, kKeep: 4 });
    expect([frames.frames.device, patches.patches.device]).toEqual(['cpu', 'cpu']);
    const windows = video.windows({ frames: 4 }, { of: 'frames', backend: 'cpu' });
    using first = (await windows.next()).value as DecodedFrames;
    expect([first.length, first.frames.device]).toEqual([4, 'cpu']);
    await windows.return?.();
    // What the call says of a stage goes on counting.
    const refused = { code: 'ERR_CPS_BACKEND_UNAVAILABLE' };
    const own = { backend: 'cpu', processBackend: 'gpu', processDeviceId: 1023 } as const;
    await expect(video.frames({ ...own, sample })).rejects.toMatchObject(refused);
  });

  test('from bytes', async () => {
    using video = await openVideo(fs.readFileSync(BPYRAMID));
    using frames = await video.frames({ sample: { indices: [0] } });
    expect(frames.length).toBe(1);
  });

  test('a file that was written to is an error', async () => {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-video-'));
    const file = path.join(folder, 'a.mp4');
    fs.copyFileSync(BPYRAMID, file);
    using video = await openVideo(file);
    fs.appendFileSync(file, 'x');
    await expect(video.frames()).rejects.toMatchObject({
      code: 'ERR_CPS_CORRUPT',
      message: expect.stringContaining('since openVideo') as string,
    });
    fs.rmSync(folder, { recursive: true });
  });

  test('close: calls that run end, then everything throws', async () => {
    const video = await openVideo(BPYRAMID);
    const running = video.frames({ sample: { count: 4 } });
    video.close();
    video.close();
    (await running).close();
    expect(video.closed).toBe(true);
    for (const read of [() => video.info, () => video.timestampsSec, () => video.packetBytes]) {
      expect(read).toThrow(CLOSED as Error);
    }
    await expect(video.frames()).rejects.toEqual(CLOSED);
    await expect(decodeOnly({ videoPath: video })).rejects.toEqual(CLOSED);
  });

  test('no other video can be given to its calls, and options are named after the call', async () => {
    const video = await openVideo(BPYRAMID);
    const other = { videoPath: 'other.mp4' } as object;
    const refused = { message: expect.stringContaining('no value for a Video') as string };
    await expect(video.frames(other)).rejects.toMatchObject(refused);
    await expect(video.patches(other)).rejects.toMatchObject(refused);
    expect(() => video.windows({ frames: 4 }, { of: 'frames', ...other })).toThrow(
      'no value for a Video',
    );
    video.close();
    await expect(openVideo(BPYRAMID, { foo: 1 } as object)).rejects.toMatchObject({
      message: expect.stringContaining('Expected an option of openVideo') as string,
    });
  });

  test('console.log and JSON show facts', async () => {
    const video = await openVideo(BPYRAMID);
    expect(inspect(video)).toMatch(/^Video \{[^]*info: \{[^]*codec: 'h264'/);
    expect(JSON.parse(JSON.stringify(video))).toMatchObject({ video: BPYRAMID, codec: 'h264' });
    video.close();
    expect(inspect(video)).toBe('Video { closed: true }');
  });
});
