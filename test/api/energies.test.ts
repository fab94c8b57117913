/** The energies on cell maps of real clips against test/helpers/naive-energies.ts, from ffmpeg's frames. */
import { decodeOnly, patchStream } from '../../src/index.js';
import type { PatchStream, PatchStreamConfig } from '../../src/index.js';
import { displaySize } from '../helpers/ffmpeg.js';
import { fixture, fixturePath, fixtures } from '../helpers/fixtures.js';
import { everyNth, fullForm, someOf } from '../helpers/long-form.js';
import { lumaFrames } from '../helpers/luma.js';
import {
  accumulatedEnergy,
  adjacentEnergy,
  blockEnergy,
  motion2,
} from '../helpers/naive-energies.js';
import type { Asked, Scored } from '../helpers/naive-energies.js';
import { patchGrid } from '../helpers/naive.js';

// As in energy-block.test.ts: every 27th clip, every ninth in the long form, every third in full.
const some = fixtures()
  .filter((clip) => !clip.features.includes('mid-gop') && clip.name !== 'rgb_gbrp10.mkv')
  .filter((_, i) => i % (fullForm ? 3 : 9) === (fullForm ? 1 : 4));
const clips = everyNth(some, 3);

const NAIVE = { block: blockEnergy, adjacent: adjacentEnergy, accumulated: accumulatedEnergy };
type Options = Pick<PatchStreamConfig, 'energy' | 'sample'> &
  Pick<Asked, 'energyScope' | 'intraEnergy' | 'globalMotion'>;

const VARIANTS: readonly Options[] = [
  { energy: 'adjacent' },
  { energy: 'accumulated' },
  { energy: 'block', energyScope: 'video', globalMotion: 'subtract' },
  { energy: 'adjacent', energyScope: 'video', intraEnergy: 'texture' },
  { energy: 'accumulated', energyScope: 'video', intraEnergy: 'texture' },
  { energy: 'adjacent', globalMotion: 'subtract' },
  { energy: 'block', intraEnergy: 'texture' },
];

/** A few frames: the first, a repeat, neighbours, the last. */
const spread = (n: number): number[] =>
  [0, 1, Math.floor(n / 2), Math.floor(n / 2), n - 1].map((id) => Math.min(id, n - 1));

function expectMaps(stream: PatchStream, { seen }: Scored): void {
  const maps = stream.energyMaps;
  const shape = maps?.residual.shape ?? [];
  const cells = (shape[1] ?? 0) * (shape[2] ?? 0);
  // By bytes: comparing arrays of numbers one by one takes seconds.
  const same = (
    kind: Int32ArrayConstructor | Float32ArrayConstructor,
    got: ArrayLike<number> | undefined,
    wanted: ArrayLike<number> | undefined,
    t: number,
  ): boolean => {
    const own = kind.from(Array.from(got ?? []).slice(t * cells, (t + 1) * cells));
    const expected = kind.from(wanted ?? new Array<number>(cells).fill(0));
    return Buffer.from(own.buffer).equals(Buffer.from(expected.buffer));
  };
  const all = seen.map((s, t) => ({
    residual: same(Int32Array, maps?.residual.data, s?.maps.residual, t),
    energy: same(Float32Array, maps?.energy.data, s?.energy.values, t),
    motion2: !maps?.motion2 || same(Int32Array, maps.motion2.data, s && motion2(s.maps), t),
  }));
  expect(all).toEqual(seen.map(() => ({ residual: true, energy: true, motion2: true })));
}

describe.each(clips.map((clip, i) => [clip.name, clip, i] as const))('%s', (_, clip, turn) => {
  const { width, height } = displaySize(clip);
  const grid = patchGrid(width, height, 14, 112 * 112, 112 * 112);
  let frames: ReturnType<typeof lumaFrames> | undefined;
  const frameAt: ReturnType<typeof lumaFrames> = (id) => (frames ??= lumaFrames(clip))(id);

  const variants = someOf(VARIANTS, turn, 3).map((v) => [JSON.stringify(v), v] as const);
  test.each(variants)('%s', async (__, options) => {
    const { energy = 'block' } = options;
    const ids = spread(clip.frames);
    const expected = NAIVE[energy as keyof typeof NAIVE](ids, frameAt, {
      grid,
      patchSize: 14,
      ...options,
    });
    const config = { videoPath: fixturePath(clip.name), sample: { indices: ids }, inputSize: 112 };
    using stream = await patchStream({ ...config, ...options });
    expect(stream.grid).toEqual({ t: ids.length, h: grid.rows, w: grid.cols });
    expect(stream.frameScores.data).toEqual(expected.scores);
    expect(stream.energyMaps).toBeUndefined();
    using withMaps = await patchStream({ ...config, ...options, maps: true });
    expect(withMaps.frameScores.data).toEqual(expected.scores);
    expect(withMaps.energyMaps?.motion2 === undefined).toBe(energy === 'accumulated');
    expectMaps(withMaps, expected);
  });

  // In any order; and from a frame in the middle on, whose own past counts as well.
  test('accumulated in another order', async () => {
    const ids = [...new Set([clip.frames - 1, Math.floor(clip.frames / 2)])];
    const expected = accumulatedEnergy(ids, frameAt, { grid, patchSize: 14 });
    const config = { videoPath: fixturePath(clip.name), inputSize: 112 };
    using stream = await patchStream({
      ...config,
      sample: { indices: ids },
      energy: 'accumulated',
    });
    expect(stream.frameScores.data).toEqual(expected.scores);
  });
});

describe('what energies cannot be combined with', () => {
  const refused: [PatchStreamConfig['energy'], Partial<PatchStreamConfig>][] = [
    ['reference', { energyScope: 'video' }],
    ['reference', { intraEnergy: 'texture' }],
    ['reference', { globalMotion: 'subtract' }],
    ['reference', { maps: true }],
    ['accumulated', { globalMotion: 'subtract' }],
    ['codec', { backend: 'gpu' }],
    ['codec', { decodeBackend: 'gpu' }],
    ['codec', { processBackend: 'gpu' }],
  ];
  test.each(refused)('%s with %p: an error that names both', async (energy, options) => {
    const [name = ''] = Object.keys(options);
    const call = patchStream({ videoPath: 'unused.mp4', energy, ...options });
    await expect(call).rejects.toMatchObject({ code: 'ERR_CPS_INVALID_ARGUMENT' });
    await expect(call).rejects.toThrow(` for ${name} but`);
    await expect(call).rejects.toThrow(`energy is '${energy ?? ''}'`);
  });
});

test('codec: a stream of another kind is refused with the command that makes one of its kind', async () => {
  const videoPath = fixturePath('h264_bpyramid.mp4');
  const call = patchStream({ videoPath, energy: 'codec' });
  await expect(call).rejects.toMatchObject({ code: 'ERR_CPS_UNSUPPORTED' });
  await expect(call).rejects.toThrow(/ffmpeg -i INPUT .*-bf 0 -refs 1 OUTPUT\.mp4/);
});

test('maps that are kept count against maxMemoryBytes', async () => {
  const videoPath = fixturePath('h264_bpyramid.mp4');
  const call = patchStream({
    ...{ videoPath, energy: 'adjacent', energyScope: 'video', sequenceLength: 64 },
    maxMemoryBytes: 4 * 2 ** 20,
  });
  await expect(call).rejects.toMatchObject({ code: 'ERR_CPS_OUT_OF_MEMORY' });
});

/** A frame that only an energy needs may be lost: it is stepped over, or the call fails. */
describe('damaged frames', () => {
  const videoPath = fixturePath('hole.mp4');
  const sound = fixture('faststart.mp4'); // the same file without the hole
  const grid = patchGrid(sound.width, sound.height, 14, 112 * 112, 112 * 112);
  let frameAt: ReturnType<typeof lumaFrames>;
  let lost: ReadonlySet<number>;
  let ids: number[];

  beforeAll(async () => {
    frameAt = lumaFrames(sound);
    const sample = { indices: Array.from({ length: sound.frames }, (_, i) => i) };
    using all = await decodeOnly({ videoPath, sample, damaged: 'skip', width: 16, height: 16 });
    lost = new Set(all.skippedFrameIds);
    const behind = all.sampledFrameIds.find((id) => lost.has(id - 1)) ?? -1;
    expect(behind).toBeGreaterThan(5);
    ids = [2, 5, behind, sound.frames - 1];
  });

  test.each(['adjacent', 'accumulated'] as const)('%s', async (energy) => {
    const config = { videoPath, energy, sample: { indices: ids }, inputSize: 112 };
    const asked = { grid, patchSize: 14, intraEnergy: 'texture' } as const;
    const expected = NAIVE[energy](ids, frameAt, asked, lost);
    using stream = await patchStream({ ...config, intraEnergy: 'texture', damaged: 'skip' });
    expect(stream.sampledFrameIds).toEqual(ids);
    expect(stream.skippedFrameIds).toEqual([]);
    expect(stream.frameScores.data).toEqual(expected.scores);
    await expect(patchStream(config)).rejects.toMatchObject({ code: 'ERR_CPS_CORRUPT' });
  });
});
