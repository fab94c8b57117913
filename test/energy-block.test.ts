/** energy 'block' and the selection of real clips against test/helpers/naive.ts, from ffmpeg's frames. */
import { patchStream } from '../src/index.js';
import type { PatchStreamConfig } from '../src/index.js';
import { displaySize, rawVideo, sampledIds } from './helpers/ffmpeg.js';
import { fixturePath, fixtures } from './helpers/fixtures.js';
import type { Fixture } from './helpers/fixtures.js';
import { blockScores, patchGrid, percentile, select } from './helpers/naive.js';
import type { LumaFrame } from './helpers/naive.js';
import { someOf } from './helpers/long-form.js';

// A local: jest looks globals up through an interceptor, slow in a loop over samples.
const { floor } = Math;

/** How to get one luma sample per pixel out of ffmpeg without any arithmetic on its side. */
function lumaFormat(clip: Fixture): { pixFmt: string; bits: number; rgb: boolean } {
  const { pixFmt } = clip;
  const bits = Number(/(?:p|gray)(\d\d)/.exec(pixFmt)?.[1] ?? 8);
  if (clip.features.includes('rgb')) {
    return bits > 8
      ? { pixFmt: 'gbrp10le', bits, rgb: true }
      : { pixFmt: 'rgb24', bits, rgb: true };
  }
  // Bits have no luma: black and white are colours.
  if (clip.features.includes('mono')) return { pixFmt: 'rgb24', bits: 8, rgb: true };
  // Packed and half-planar layouts are only reordered by this.
  return { pixFmt: pixFmt === 'uyvy422' ? 'yuv422p' : pixFmt, bits, rgb: false };
}

/** The luma of any frame of the clip by display index; the clip is decoded here, once. */
function lumaFrames(clip: Fixture): (index: number) => LumaFrame {
  const { width, height } = displaySize(clip);
  const { pixFmt, bits, rgb } = lumaFormat(clip);
  const raw = rawVideo(clip, pixFmt);
  expect(raw.length % clip.frames).toBe(0);
  const frameBytes = raw.length / clip.frames;
  const pixels = width * height;
  return (index) => {
    const bytes = raw.subarray(index * frameBytes, (index + 1) * frameBytes);
    const wide = (plane: number): Uint16Array =>
      Uint16Array.from({ length: pixels }, (_, i) => bytes.readUInt16LE((plane * pixels + i) * 2));
    if (!rgb)
      return { width, height, samples: bits > 8 ? wide(0) : bytes.subarray(0, pixels), bits };
    // BT.601 weights, rounded.
    const [g, b, r] = bits > 8 ? [wide(0), wide(1), wide(2)] : [];
    const channel = (i: number, c: number): number =>
      bits > 8 ? ([r, g, b][c]?.[i] ?? 0) : (bytes[i * 3 + c] ?? 0);
    const samples = Uint16Array.from({ length: pixels }, (_, i) =>
      floor((299 * channel(i, 0) + 587 * channel(i, 1) + 114 * channel(i, 2) + 500) / 1000),
    );
    return { width, height, samples, bits };
  };
}

type Variant = { [K in keyof PatchStreamConfig]?: NonNullable<PatchStreamConfig[K]> };

const VARIANTS: readonly Variant[] = [
  { sequenceLength: 16 },
  { sequenceLength: 5, kKeep: 512, selectionUnit: 'block2x2' },
  { sequenceLength: 8, kKeep: 300, patchSize: 16, inputSize: 160, energyPct: 70 },
  {
    sequenceLength: 6,
    kKeep: 800,
    staticFallback: true,
    staticAbsThresh: 120,
    staticUniformFrames: 2,
  },
  { sequenceLength: 3, kKeep: 400, minPixels: 1, maxPixels: 1e9, patchSize: 8 },
];

// ffmpeg's own count is the reference; cut streams are tested where frames are (decode-only.test.ts).
// Deep RGB goes through ffmpeg's own rounding to 8 bits before the naive luma; ctest covers it.
const clips = fixtures().filter(
  (clip) => !clip.features.includes('mid-gop') && clip.name !== 'rgb_gbrp10.mkv',
);

describe('the naive implementation', () => {
  // What no implementation may get wrong, checked on paper.
  test('rank rule: rounds half away from zero, clamps to [1, 100]', () => {
    const values = [40, 10, 30, 20, 50, 60];
    expect(percentile(values, 50)).toBe(40); // rank 2.5
    expect(percentile(values, 100)).toBe(60);
    expect(percentile(values, 0)).toBe(10);
  });

  test('grid of 1080p with the defaults', () => {
    expect(patchGrid(1920, 1080, 14, 50176, 50176)).toEqual({ rows: 12, cols: 22 });
  });
});

describe.each(clips.map((clip, i) => [clip.name, clip, i] as const))('%s', (_, clip, turn) => {
  let frameAt: ((index: number) => LumaFrame) | undefined;
  const variants = someOf(VARIANTS, turn, 2);

  test.each(variants.map((v) => [JSON.stringify(v), v] as const))('%s', async (__, variant) => {
    frameAt ??= lumaFrames(clip);
    const options = { kKeep: 2048, patchSize: 14, sequenceLength: 16, ...variant };
    const stream = await patchStream({ videoPath: fixturePath(clip.name), ...options });
    const ids = sampledIds(clip.frames, options.sequenceLength);
    expect(stream.sampledFrameIds).toEqual(ids);

    const { width, height } = displaySize(clip);
    const area = (options.inputSize ?? 224) ** 2;
    const { minPixels = area, maxPixels = area } = options;
    const grid = patchGrid(width, height, options.patchSize, minPixels, maxPixels);
    expect(stream.grid).toEqual({ t: ids.length, h: grid.rows, w: grid.cols });

    const isI = stream.isKeyFrame.some(Boolean) ? stream.isKeyFrame : ids.map((___, i) => i === 0);
    expect(stream.isI).toEqual(isI);

    const sampled = ids.map(frameAt);
    const scores = blockScores(sampled, grid, options.patchSize, options.energyPct);
    expect(stream.frameScores.data).toEqual(scores);
    const { selectionUnit } = options;
    const indices = select(scores, grid, isI, { ...options, block: selectionUnit === 'block2x2' });
    expect(stream.metadata.map((m) => m.patchLinearIdx)).toEqual(indices);
    stream.close();
  });
});

test('flat areas get no energy', async () => {
  const stream = await patchStream({ videoPath: fixturePath('flat.mp4'), sequenceLength: 8 });
  expect(Math.max(...(stream.frameScores.data ?? [1]))).toBe(0);
  stream.close();
});
