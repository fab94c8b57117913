/**
 * Pictures of several sizes in one stream: scaled where the caller gave a size or asks for patches,
 * refused where neither says to which. Compared with each picture as the ffmpeg CLI decodes it, in
 * its own size, and plain loops over that.
 */
import { execFileSync } from 'node:child_process';
import { decodeOnly, patchStream } from '../../src/index.js';
import type { DecodeConfig } from '../../src/index.js';
import { fixturePath } from '../helpers/fixtures.js';
import { longForm, someOf } from '../helpers/long-form.js';
import { blockScores } from '../helpers/naive.js';

// Locals: jest looks globals up through an interceptor, slow in a loop over samples.
const { abs, floor, max, min } = Math;

interface Picture {
  width: number;
  height: number;
  rgb: Buffer;
  luma: Buffer;
}

/** Every picture that a sequential decode gives, in its own size. */
function pictures(videoPath: string): Picture[] {
  const run = (command: string, ...args: string[]): Buffer =>
    execFileSync(command, args, { maxBuffer: 2 ** 30 });
  const raw = (...format: string[]): Buffer =>
    run(
      'ffmpeg',
      ...['-v', 'error', '-threads', '1', '-i', videoPath, '-fps_mode', 'passthrough'],
      ...['-autoscale', '0', ...format, '-f', 'rawvideo', '-'],
    );
  const probe = ['-v', 'error', '-threads', '1', '-show_entries', 'frame=width,height'];
  const sizes = run('ffprobe', ...probe, '-of', 'csv=p=0', videoPath)
    .toString()
    .split('\n')
    .flatMap((line) => (/^\d+,\d+/.test(line) ? [line.split(',').map(Number)] : []));
  const rgb = raw('-vf', 'scale=flags=bilinear', '-pix_fmt', 'rgb24');
  const planes = raw();
  let at = 0;
  let plane = 0;
  return sizes.map(([width = 0, height = 0]) => {
    const pixels = width * height;
    const picture = {
      ...{ width, height, rgb: rgb.subarray(at, at + 3 * pixels) },
      luma: planes.subarray(plane, plane + pixels),
    };
    at += 3 * pixels;
    plane += pixels + 2 * Math.ceil(width / 2) * Math.ceil(height / 2);
    return picture;
  });
}

/** Bilinear with half-pixel centres, without antialiasing. */
function scaled({ width, height, rgb }: Picture, outWidth: number, outHeight: number): Buffer {
  if (width === outWidth && height === outHeight) return rgb;
  const taps = (dst: number, size: number, out: number): [number, number, number] => {
    const src = max(0, ((dst + 0.5) * size) / out - 0.5);
    const low = min(floor(src), size - 1);
    return [low, min(low + 1, size - 1), src - low];
  };
  const out = Buffer.alloc(outWidth * outHeight * 3);
  for (let y = 0; y < outHeight; y++) {
    const [y0, y1, fy] = taps(y, height, outHeight);
    for (let x = 0; x < outWidth; x++) {
      const [x0, x1, fx] = taps(x, width, outWidth);
      for (let c = 0; c < 3; c++) {
        const at = (v: number, u: number): number => rgb[(v * width + u) * 3 + c]!;
        const top = at(y0, x0) * (1 - fx) + at(y0, x1) * fx;
        const bottom = at(y1, x0) * (1 - fx) + at(y1, x1) * fx;
        out[(y * outWidth + x) * 3 + c] = floor(top * (1 - fy) + bottom * fy + 0.5);
      }
    }
  }
  return out;
}

/** Largest difference; halves may be rounded either way. */
function difference(a: Uint8Array, b: Uint8Array): number {
  let worst = a.length === b.length ? 0 : 256;
  for (let i = 0; i < b.length; i++) worst = max(worst, abs(a[i]! - b[i]!));
  return worst;
}

const WAYS: readonly Partial<DecodeConfig>[] = [
  {},
  { uniformStrategy: 'seek', decodeThreads: 1 },
  { uniformStrategy: 'stream', decodeThreads: 2 },
  { uniformStrategy: 'seek', decodeThreads: 4, readerCacheSize: 0 },
  { decodeMode: 'latency' },
];

describe.each(
  [
    'sizes_h264.ts',
    'sizes_h264_one_clock.ts',
    'sizes_hevc.ts',
    'sizes_mpeg2.ts',
    'sizes_mjpeg.mjpeg',
  ].map((name, turn) => [name, turn] as const),
)('%s', (name, turn) => {
  const videoPath = fixturePath(name);
  let all: Picture[];
  const [width, height] = [100, 90];
  let small: Buffer[];
  beforeAll(() => {
    all = pictures(videoPath);
    small = all.map((picture) => scaled(picture, width, height));
    expect(new Set(all.map(({ width }) => width)).size).toBe(3);
  });

  // In the short form some ways; the refusal below has all.
  test.each(someOf(WAYS, turn, 2))('to the size that was asked for, %j', async (way) => {
    for (const sequenceLength of [all.length, 7]) {
      const options = { videoPath, sequenceLength, backend: 'cpu', ...way } as const;
      const result = await decodeOnly({ ...options, width, height });
      expect(result.totalFrames).toBe(all.length);
      expect(result.frames.shape).toEqual([sequenceLength, height, width, 3]);
      const off = result.sampledFrameIds.map((id, t) =>
        difference(result.frame(t).data!, small[id]!),
      );
      expect(Math.max(...off)).toBeLessThanOrEqual(1);
      result.close();
    }
  });

  test("to the video's own size, by name", async () => {
    const own = { width: all[0]!.width, height: all[0]!.height };
    const options = { videoPath, sequenceLength: all.length, backend: 'cpu' } as const;
    const result = await decodeOnly({ ...options, ...own });
    all.forEach((picture, id) => {
      const most = picture.width === own.width ? 0 : 1;
      const wanted = scaled(picture, own.width, own.height);
      expect(difference(result.frame(id).data, wanted)).toBeLessThanOrEqual(most);
    });
    result.close();
  });

  test.each(WAYS)('without a size: one message, %j', async (way) => {
    for (const sequenceLength of [2, 5, all.length]) {
      const call = decodeOnly({ videoPath, sequenceLength, backend: 'cpu', ...way });
      await expect(call).rejects.toMatchObject({
        code: 'ERR_CPS_UNSUPPORTED',
        message: expect.stringMatching(
          /Frame \d+ of .* is (208x112|322x246) while the video is 320x240: a change of size .* width and height/,
        ) as string,
      });
    }
    // Frames of the first size alone are no reason to refuse.
    const first = await decodeOnly({ videoPath, sequenceLength: 1, backend: 'cpu', ...way });
    expect(Buffer.from(first.frames.data!).equals(all[0]!.rgb)).toBe(true);
    first.close();
  });

  // Small targets let pictures go but for a few rows, large ones keep them.
  const large = longForm || name === 'sizes_h264.ts' ? [448 * 448] : [];
  test.each([56 * 56, ...large])('patches and scores with %d pixels a frame', async (pixels) => {
    const patchSize = 14;
    const results = await Promise.all(
      WAYS.map((way) =>
        patchStream({
          ...{ videoPath, sequenceLength: all.length, backend: 'cpu', patchSize, kKeep: 600 },
          ...{ minPixels: pixels, maxPixels: pixels, normalize: 'none', outputDtype: 'fp32' },
          ...way,
        }),
      ),
    );
    const [first] = results;
    const { grid } = first!;
    const lumas = all.map(({ width, height, luma }) => ({
      width,
      height,
      samples: luma,
      bits: 8,
    }));
    const scores = blockScores(lumas, { rows: grid.h, cols: grid.w }, patchSize);
    const [width, height] = [grid.w * patchSize, grid.h * patchSize];
    const wanted = all.map((picture) => scaled(picture, width, height));
    for (const result of results) {
      expect(result).toMatchObject({ width: all[0]!.width, height: all[0]!.height });
      expect(Buffer.from(result.frameScores.data!.slice().buffer)).toEqual(
        Buffer.from(scores.buffer),
      );
      const values = result.patches.data as Float32Array;
      let worst = 0;
      result.metadata.forEach(({ frameId, patchHIdx, patchWIdx }, i) => {
        const picture = wanted[frameId]!;
        for (let c = 0; c < 3; c++) {
          for (let y = 0; y < patchSize; y++) {
            for (let x = 0; x < patchSize; x++) {
              const at = ((patchHIdx * patchSize + y) * width + patchWIdx * patchSize + x) * 3 + c;
              const value = values[((i * 3 + c) * patchSize + y) * patchSize + x]!;
              worst = max(worst, abs(value - picture[at]!));
            }
          }
        }
      });
      expect(worst).toBeLessThanOrEqual(1);
      result.close();
    }
  });

  test("energy 'reference' is the same in every way", async () => {
    const scores = await Promise.all(
      WAYS.map(async (way) => {
        const options = { videoPath, sequenceLength: 9, backend: 'cpu', ...way } as const;
        const result = await patchStream({ ...options, energy: 'reference' });
        const data = Buffer.from(result.frameScores.data!.slice().buffer);
        result.close();
        return data;
      }),
    );
    for (const other of scores) expect(other.equals(scores[0]!)).toBe(true);
  });
});
