import { decodeOnly } from '../../src/index.js';
import type { DecodeConfig, DecodedFrames, DecodeOnlyConfig } from '../../src/index.js';
import {
  displaySize,
  frameTimes,
  rawVideo,
  sampledIds,
  weighsChromaRows,
} from '../helpers/ffmpeg.js';
import { fixture, fixturePath, fixtures } from '../helpers/fixtures.js';
import type { Fixture } from '../helpers/fixtures.js';
import { everyNth, someOf } from '../helpers/long-form.js';

const CLOSED: unknown = expect.objectContaining({ code: 'ERR_CPS_CLOSED' });
const BPYRAMID = fixturePath('h264_bpyramid.mp4');

// A local: jest looks globals up through an interceptor, slow in a loop over bytes.
const { abs } = Math;

/** Largest and mean difference of two pictures, and whether another frame of the clip is nearer. */
function difference(actual: Uint8Array, expected: Uint8Array): { max: number; mean: number } {
  expect(actual.length).toBe(expected.length);
  // Equal bytes are the rule; looping over them in JavaScript would take minutes.
  if (Buffer.compare(actual, expected) === 0) return { max: 0, mean: 0 };
  let max = 0;
  let sum = 0;
  for (let i = 0; i < actual.length; i++) {
    const d = abs((actual[i] ?? 0) - (expected[i] ?? 0));
    if (d > max) max = d;
    sum += d;
  }
  return { max, mean: sum / actual.length };
}

/** ffmpeg's scaler, which takes matrix and range from the clip's tags. */
const scalerFilter = (clip: Fixture): string[] =>
  // Odd rows on chroma rows: then it takes the mean for even ones too.
  ['-vf', `scale=flags=bilinear${weighsChromaRows(clip) ? ':in_v_chr_pos=256' : ''}`];

/** Other processors than x86 run the scaler's C code, which rounds another way. */
const TOLERANCE = process.arch === 'x64' ? 0 : 2;

function referenceFrames(clip: Fixture): Buffer[] {
  const raw = rawVideo(clip, 'rgb24', scalerFilter(clip));
  const { width, height } = displaySize(clip);
  const size = width * height * 3;
  expect(raw.length / size).toBe(clip.frames);
  return Array.from({ length: clip.frames }, (_, i) => raw.subarray(i * size, (i + 1) * size));
}

const WAYS = (['auto', 'seek', 'stream'] as const).flatMap((uniformStrategy) => [
  { uniformStrategy, sequenceLength: 3 },
  { uniformStrategy, sequenceLength: 16 },
]);

// media_frames_test has all of them in every form.
const clips = everyNth(fixtures(), 6).map((clip, i) => [clip.name, clip, i] as const);

describe.each(clips)('%s', (_, clip, turn) => {
  const { frames: n } = clip;
  const videoPath = fixturePath(clip.name);
  let every: DecodedFrames<'uint8'> | undefined;

  afterAll(() => every?.close());

  test('every frame is the one that a sequential decode gives', async () => {
    const reference = referenceFrames(clip);
    // AVI stores decode times only, which ffprobe shows in decode order.
    const times = clip.name.endsWith('.avi') ? [] : frameTimes(clip);
    every = await decodeOnly({ videoPath, sequenceLength: n });
    // All but the last row, where the mean cannot be had by a position of the chroma rows.
    const compared = every.width * 3 * (every.height - (weighsChromaRows(clip) ? 1 : 0));
    expect(every.totalFrames).toBe(n);
    expect(every.sampledFrameIds).toEqual(reference.map((__, i) => i));
    expect(every.frames.shape).toEqual([n, every.height, every.width, 3]);
    for (const [i, expected] of reference.entries()) {
      const { max, mean } = difference(
        (every.frame(i).data ?? new Uint8Array()).subarray(0, compared),
        expected.subarray(0, compared),
      );
      if (max > TOLERANCE || mean >= 0.5)
        throw new Error(`frame ${i} differs: max ${max}, mean ${mean}`);
      const time = times[i] ?? NaN;
      if (!Number.isNaN(time)) expect(every.timestampsSec[i]).toBeCloseTo(time, 3);
    }
  });

  // media_frames_test checks all strategies and numbers of samples on the planes.
  test('every strategy gives the same frames', async () => {
    every ??= await decodeOnly({ videoPath, sequenceLength: n });
    for (const way of someOf(WAYS, turn, 1, 4)) {
      const ids = sampledIds(n, way.sequenceLength);
      const result = await decodeOnly({ videoPath, ...way });
      expect(result.sampledFrameIds).toEqual(ids);
      const wrong = ids.filter((id, i) => {
        const bytes = result.frame(i).data ?? new Uint8Array();
        return Buffer.compare(bytes, every?.frame(id).data ?? new Uint8Array()) !== 0;
      });
      expect({ ...way, wrong }).toEqual({ ...way, wrong: [] });
      result.close();
    }
  });
});

describe('DecodedFrames', () => {
  const open = (
    options: Omit<DecodeOnlyConfig, 'videoPath' | 'outputDtype' | 'layout'> &
      Partial<DecodeConfig> = {},
  ): Promise<DecodedFrames<'uint8'>> =>
    decodeOnly({ videoPath: BPYRAMID, sequenceLength: 4, ...options });

  test('knows the video', async () => {
    const result = await open();
    expect(result).toMatchObject({
      length: 4,
      width: 320,
      height: 240,
      fps: 25,
      totalFrames: 100,
      codec: 'h264',
      isKeyFrame: [true, false, false, false],
      backend: { decode: 'cpu', process: 'cpu' },
    });
    expect(result.durationSec).toBeCloseTo(4, 5);
    expect(result.timings['totalMs']).toBeGreaterThan(0);
    expect(result.frames).toMatchObject({ dtype: 'uint8', shape: [4, 240, 320, 3], device: 'cpu' });
    result.close();
  });

  test('frame(i) is a view, not a copy', async () => {
    const result = await open();
    const whole = result.frames.data;
    const third = result.frame(2);
    expect(third.shape).toEqual([240, 320, 3]);
    expect(third.data?.buffer).toBe(whole?.buffer);
    expect(third.data?.byteOffset).toBe(2 * 240 * 320 * 3);
    expect(() => result.frame(4)).toThrow(/^Expected integer between 0 and 3 for index/);
    result.close();
    expect(third.data).toHaveLength(240 * 320 * 3);
    third.close();
  });

  test('use after close', async () => {
    const result = await open();
    result.close();
    result.close();
    for (const key of ['frames', 'length', 'width', 'fps', 'timings', 'isKeyFrame'] as const) {
      expect(() => result[key]).toThrow(CLOSED as Error);
    }
    expect(() => result.frame(0)).toThrow(CLOSED as Error);
  });

  test('a fixed size is bilinear, without antialiasing', async () => {
    const clip = fixture('h264_444.mp4');
    const options = { videoPath: fixturePath(clip.name), sequenceLength: 2 };
    const full = await open(options);
    const small = await open({ ...options, width: 100, height: 90 });
    expect(small.frames.shape).toEqual([2, 90, 100, 3]);
    expect(small).toMatchObject({ width: 320, height: 240 });
    // src = max(0, (dst+0.5)·in/out − 0.5), neighbours clamped to the last row or column.
    const source = full.frame(1).data ?? new Uint8Array();
    const taps = (dst: number, size: number, out: number): [number, number, number] => {
      const src = Math.max(0, ((dst + 0.5) * size) / out - 0.5);
      const low = Math.min(Math.floor(src), size - 1);
      return [low, Math.min(low + 1, size - 1), src - low];
    };
    const wanted = new Uint8Array(90 * 100 * 3);
    for (let y = 0; y < 90; y++) {
      const [y0, y1, fy] = taps(y, 240, 90);
      for (let x = 0; x < 100; x++) {
        const [x0, x1, fx] = taps(x, 320, 100);
        for (let c = 0; c < 3; c++) {
          const at = (v: number, u: number): number => source[(v * 320 + u) * 3 + c] ?? 0;
          const top = at(y0, x0) * (1 - fx) + at(y0, x1) * fx;
          const bottom = at(y1, x0) * (1 - fx) + at(y1, x1) * fx;
          wanted[(y * 100 + x) * 3 + c] = Math.floor(top * (1 - fy) + bottom * fy + 0.5);
        }
      }
    }
    const { max, mean } = difference(small.frame(1).data ?? new Uint8Array(), wanted);
    expect(max).toBeLessThanOrEqual(1);
    expect(mean).toBeLessThan(0.02);
    full.close();
    small.close();
  });

  test('colorMatrix overrides the tags', async () => {
    const videoPath = fixturePath('limited_709.mp4');
    const [auto, same, other] = await Promise.all([
      open({ videoPath }),
      open({ videoPath, colorMatrix: 'bt709' }),
      open({ videoPath, colorMatrix: 'bt601' }),
    ]);
    expect(same.frames.data).toEqual(auto.frames.data);
    const [a, b] = [auto.frames.data ?? new Uint8Array(), other.frames.data ?? new Uint8Array()];
    expect(difference(a, b).max).toBeGreaterThan(10);
    for (const result of [auto, same, other]) result.close();
  });

  test('the index is read from the cache until the file changes', async () => {
    const first = await open();
    const second = await open();
    const fresh = await open({ readerCacheSize: 0 });
    expect(second.frames.data).toEqual(first.frames.data);
    expect(fresh.frames.data).toEqual(first.frames.data);
    for (const result of [first, second, fresh]) result.close();
  });
});
