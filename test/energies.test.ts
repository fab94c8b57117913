/** The energies on cell maps of real clips against test/helpers/naive-energies.ts, from ffmpeg's frames. */
import { patchStream } from '../src/index.js';
import type { PatchStreamConfig } from '../src/index.js';
import { displaySize } from './helpers/ffmpeg.js';
import { fixturePath, fixtures } from './helpers/fixtures.js';
import { longForm } from './helpers/long-form.js';
import { lumaFrames } from './helpers/luma.js';
import { accumulatedScores, adjacentScores } from './helpers/naive-energies.js';
import { patchGrid } from './helpers/naive.js';

// As in energy-block.test.ts; the short form takes every ninth clip.
const clips = fixtures()
  .filter((clip) => !clip.features.includes('mid-gop') && clip.name !== 'rgb_gbrp10.mkv')
  .filter((_, i) => longForm || i % 9 === 4);

/** A few frames: the first, a repeat, neighbours, the last. */
const idsOf = (n: number): number[] =>
  [0, 1, Math.floor(n / 2), Math.floor(n / 2), n - 1].map((id) => Math.min(id, n - 1));

describe.each(clips.map((clip) => [clip.name, clip] as const))('%s', (_, clip) => {
  const ids = idsOf(clip.frames);
  const { width, height } = displaySize(clip);
  const grid = patchGrid(width, height, 14, 112 * 112, 112 * 112);
  let frames: ReturnType<typeof lumaFrames> | undefined;
  const frameAt = (id: number): ReturnType<NonNullable<typeof frames>> =>
    (frames ??= lumaFrames(clip))(id);
  const scores = async (config: Partial<PatchStreamConfig>): Promise<Float32Array> => {
    const videoPath = fixturePath(clip.name);
    const stream = await patchStream({
      videoPath,
      sample: { indices: ids },
      inputSize: 112,
      ...config,
    });
    expect(stream.grid).toMatchObject({ h: grid.rows, w: grid.cols });
    const data = Float32Array.from(stream.frameScores.data ?? []);
    stream.close();
    return data;
  };

  test('adjacent', async () => {
    const expected = adjacentScores(ids, frameAt, { grid, patchSize: 14 });
    expect(await scores({ energy: 'adjacent' })).toEqual(expected);
  });

  test('accumulated', async () => {
    const expected = accumulatedScores(ids, frameAt, { grid, patchSize: 14 });
    expect(await scores({ energy: 'accumulated' })).toEqual(expected);
    // In any order; and from a frame in the middle on, whose own past counts as well.
    const middle = [...new Set([clip.frames - 1, Math.floor(clip.frames / 2)])];
    const turned = accumulatedScores(middle, frameAt, { grid, patchSize: 14 });
    const got = await scores({ energy: 'accumulated', sample: { indices: middle } });
    expect(got).toEqual(turned);
  });
});
