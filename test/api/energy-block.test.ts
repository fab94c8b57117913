/** energy 'block' and the selection of real clips against test/helpers/naive.ts, from ffmpeg's frames. */
import { patchStream } from '../../src/index.js';
import type { PatchStreamConfig } from '../../src/index.js';
import { displaySize, sampledIds } from '../helpers/ffmpeg.js';
import { fixturePath, fixtures } from '../helpers/fixtures.js';
import { blockScores, patchGrid, percentile, select } from '../helpers/naive.js';
import type { LumaFrame } from '../helpers/naive.js';
import { everyNth, someOf } from '../helpers/long-form.js';
import { lumaFrames } from '../helpers/luma.js';

type Given = { [K in keyof PatchStreamConfig]?: NonNullable<PatchStreamConfig[K]> };
type Variant = Omit<Given, 'kKeep'> & { kKeep?: number };

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

describe.each(everyNth(clips, 4).map((clip, i) => [clip.name, clip, i] as const))(
  '%s',
  (_, clip, turn) => {
    let frameAt: ((index: number) => LumaFrame) | undefined;
    const variants = someOf(VARIANTS, turn, 1, 4);

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

      const isI = stream.isKeyFrame.some(Boolean)
        ? stream.isKeyFrame
        : ids.map((___, i) => i === 0);
      expect(stream.isI).toEqual(isI);

      const sampled = ids.map(frameAt);
      const scores = blockScores(sampled, grid, options.patchSize, options.energyPct);
      expect(stream.frameScores.data).toEqual(scores);
      const indices = select(scores, grid, isI, options);
      expect(stream.metadata.map((m) => m.patchLinearIdx)).toEqual(indices);
      stream.close();
    });
  },
);

test('flat areas get no energy', async () => {
  const stream = await patchStream({ videoPath: fixturePath('flat.mp4'), sequenceLength: 8 });
  expect(Math.max(...(stream.frameScores.data ?? [1]))).toBe(0);
  stream.close();
});
