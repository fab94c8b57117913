/**
 * Which patches are kept, through the API: every option of it against test/helpers/naive.ts, fed with the
 * result's own scores. The native tests have many more fields of scores.
 */
import { execFileSync } from 'node:child_process';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { openVideo, patchStream } from '../../src/index.js';
import type { PatchStream, PatchStreamConfig } from '../../src/index.js';
import { fixturePath, repoRoot } from '../helpers/fixtures.js';
import { longForm } from '../helpers/long-form.js';
import { select } from '../helpers/naive.js';
import type { SelectOptions } from '../helpers/naive.js';

const MP4 = fixturePath('h264_bpyramid.mp4'); // a key frame every 30
const small = { backend: 'cpu', inputSize: 84 } as const;

/** Numbers that are the same in every run. */
function generator(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const chosen = (stream: PatchStream): number[] =>
  stream.metadata.map(({ patchLinearIdx }) => patchLinearIdx);

/** Scores and key frames of a sample, all patches kept. */
async function fieldOf(config: Omit<PatchStreamConfig, 'videoPath'>) {
  using stream = await patchStream({ ...small, ...config, videoPath: MP4, kKeep: 1e6 });
  const { grid, isI } = stream;
  const scores = Float32Array.from(stream.frameScores.data ?? []);
  return { scores, isI, grid: { rows: grid.h, cols: grid.w }, frames: grid.t };
}

describe('every option against the naive selection', () => {
  const next = generator(5);
  const one = <T>(...values: T[]): T => values[next(values.length)] as T;

  test.each(['block', 'reference'] as const)('energy %s', async (energy) => {
    // 8 frames, of which two are key frames; the second repeats.
    const sample = { indices: [0, 3, 10, 30, 31, 31, 50, 77] };
    const field = await fieldOf({ sample, energy });
    const perFrame = field.grid.rows * field.grid.cols;
    let refused = 0;
    const rounds = longForm ? 300 : 24;
    for (let round = 0; round < rounds; round++) {
      const unit = one('patch', 'block2x2');
      const bound = (): number => one(0.1, 0.25, 0.5, 0.9, 4, 8, 4 * (1 + next(perFrame / 4)));
      const options: SelectOptions = {
        ...{ energy, patchSize: 14, selectionUnit: unit },
        kKeep: 4 * (1 + next((perFrame * field.frames) / 4 + 2)),
        keyFramePatches: one('auto', 'before-others', 'compete', 'none'),
        wholeFrames: one('none', 'none', 'first'),
        ...(next(3) === 0 ? { minPerFrame: bound() } : {}),
        ...(next(3) === 0 ? { maxPerFrame: bound() } : {}),
        ...(next(3) === 0 ? { staticFallback: true, staticAbsThresh: 250 } : {}),
      };
      const expected = select(field.scores, field.grid, field.isI, options);
      const call = patchStream({ ...small, sample, ...options, videoPath: MP4 });
      if (expected === undefined) {
        refused++;
        await expect(call).rejects.toMatchObject({
          code: 'ERR_CPS_INVALID_ARGUMENT',
          message: expect.stringMatching(/^Expected .* for \w+ but received/) as string,
        });
        continue;
      }
      using stream = await call;
      expect([options, chosen(stream)]).toEqual([options, expected]);
    }
    expect(refused).toBeGreaterThan(0);
    expect(refused).toBeLessThan(rounds / 2);
  });
});

describe('the default', () => {
  const codes = (stream: PatchStream): string[] => stream.notes.map(({ code }) => code);

  test.each([
    ['the sample', path.join(repoRoot, 'assets', 'sample.mp4')],
    ['a clip with key frames', MP4],
  ])('64 patches of %s come from at least a third of its frames', async (_, videoPath) => {
    using stream = await patchStream({ videoPath, backend: 'cpu', kKeep: 64 });
    expect(stream.codec).toBe('h264');
    expect(stream.length).toBe(64);
    const frames = new Set(stream.metadata.map(({ seqPos }) => seqPos));
    expect(frames.size).toBeGreaterThanOrEqual(stream.grid.t / 3);
    expect(codes(stream)).toEqual(['key-frames-compete']);
  });

  test('from two frames on, key frames come first', async () => {
    const call = (kKeep: PatchStreamConfig['kKeep']) =>
      patchStream({ ...small, videoPath: MP4, sequenceLength: 100, kKeep });
    using two = await call({ frames: 2 });
    expect(two.metadata.every(({ isI }) => isI)).toBe(true);
    expect(codes(two)).toEqual(['key-frames-alone']);
    using more = await call({ frames: 5 }); // four key frames
    expect(more.metadata.every(({ isI }) => isI)).toBe(false);
    expect(codes(more)).toEqual([]);
    using less = await call({ frames: 1.99 });
    expect(less.metadata.every(({ isI }) => isI)).toBe(false);
    expect(codes(less)).toEqual(['key-frames-compete']);
  });

  test("energy 'reference' is that of the original at any budget", async () => {
    using stream = await patchStream({ ...small, videoPath: MP4, energy: 'reference', kKeep: 8 });
    expect(stream.metadata.every(({ isI }) => isI)).toBe(true);
    expect(codes(stream)).toEqual(['key-frames-alone']);
  });
});

describe('ignore', () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-selection-'));
  afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

  /** A moving picture with black on these sides of it, and a subtitle now and then. */
  function clip(name: string, pad: string, more: string[] = []): string {
    const file = path.join(folder, name);
    const source = 'testsrc2=size=320x180:rate=25,trim=end_frame=24,hue=b=1,format=yuv420p';
    execFileSync('ffmpeg', [
      ...['-v', 'error', '-y', '-f', 'lavfi', '-i', `${source},${pad}`],
      ...['-c:v', 'libx264', '-preset', 'veryfast', '-crf', '23', ...more, file],
    ]);
    return file;
  }

  /** Rows and columns of patches that give none. */
  const without = (
    stream: PatchStream,
    axis: 'patchHIdx' | 'patchWIdx',
    size: number,
  ): number[] => {
    const there = new Set(stream.metadata.map((patch) => patch[axis]));
    return Array.from({ length: size }, (_, i) => i).filter((i) => !there.has(i));
  };

  test.each([
    // The encoder blurs the edge of a bar, so a bar may be found a row of cells smaller.
    ['top and bottom', 'pad=320:240:0:32', [32, 28, 0, 0]],
    ['left and right', 'pad=400:180:40:0', [0, 0, 40, 40]],
    ['one side', 'pad=320:208:0:28', [28, 0, 0, 0]],
  ] as const)('letterbox %s', async (name, pad, [top, bottom, left, right]) => {
    const videoPath = clip(`${name}.mp4`, pad);
    const config = { videoPath, backend: 'cpu', kKeep: 1e6, patchSize: 8 } as const;
    using stream = await patchStream({ ...config, ignore: 'letterbox' });
    const bars = stream.letterbox ?? { top: NaN, bottom: NaN, left: NaN, right: NaN };
    for (const [found, real] of [
      [bars.top, top],
      [bars.bottom, bottom],
      [bars.left, left],
      [bars.right, right],
    ] as const) {
      expect(found).toBeLessThanOrEqual(real);
      expect(found).toBeGreaterThanOrEqual(Math.max(0, real - 4));
    }
    // Whole rows and columns of patches, those of which more than half is bar.
    const { h, w } = stream.grid;
    const bar = (size: number, count: number, from: number, to: number): number[] =>
      Array.from({ length: count }, (_, i) => i).filter((i) => {
        const [begin, end] = [(i * size) / count, ((i + 1) * size) / count];
        const covered = Math.max(0, from - begin) + Math.max(0, end - (size - to));
        return covered > (end - begin) / 2;
      });
    expect(without(stream, 'patchHIdx', h)).toEqual(bar(stream.height, h, bars.top, bars.bottom));
    expect(without(stream, 'patchWIdx', w)).toEqual(bar(stream.width, w, bars.left, bars.right));
    expect(without(stream, 'patchHIdx', h).length + without(stream, 'patchWIdx', w).length)
      .toBeGreaterThan(0); // prettier-ignore
    using all = await patchStream(config);
    expect(all.letterbox).toBeUndefined();
    expect(all.length).toBe(stream.grid.t * h * w);
  });

  test("a full-range picture's black is 0, and a picture without bars has none", async () => {
    const range = ['-color_range', 'pc', '-vf', 'scale=out_range=full', '-pix_fmt', 'yuvj420p'];
    const pad = 'pad=320:240:0:30';
    using full = await patchStream({
      videoPath: clip('full.mp4', pad, range),
      ignore: 'letterbox',
    });
    expect(full.letterbox?.top).toBe(28);
    using none = await patchStream({ videoPath: MP4, ignore: ['letterbox'] });
    expect(none.letterbox).toEqual({ top: 0, bottom: 0, left: 0, right: 0 });
    expect(none.length).toBe(2048);
  });

  test('rectangles, alone and with blocks, against the naive selection', async () => {
    const ignore = [
      { x: 0, y: 0, width: 0.5, height: 0.4 },
      { x: 0.3, y: 0.2, width: 0.7, height: 0.35 },
    ];
    const sample = { count: 5 };
    const field = await fieldOf({ sample });
    const { rows, cols } = field.grid;
    // Places of which more than half of 40 x 40 points lie in a rectangle.
    const inside = (x: number, y: number): boolean =>
      ignore.some((r) => x > r.x && x < r.x + r.width && y > r.y && y < r.y + r.height);
    const ignored = new Set<number>();
    for (let place = 0; place < rows * cols; place++) {
      let points = 0;
      for (let i = 0; i < 1600; i++) {
        const x = ((place % cols) + ((i % 40) + 0.5) / 40) / cols;
        const y = (Math.floor(place / cols) + (Math.floor(i / 40) + 0.5) / 40) / rows;
        if (inside(x, y)) points++;
      }
      if (points > 800) ignored.add(place);
    }
    expect(ignored.size).toBeGreaterThan(4);
    for (const selectionUnit of ['patch', 'block2x2'] as const) {
      for (const kKeep of [24, 1 << 20]) {
        const options = { kKeep, selectionUnit, patchSize: 14 };
        using stream = await patchStream({ ...small, ...options, sample, ignore, videoPath: MP4 });
        const expected = select(field.scores, field.grid, field.isI, options, ignored);
        expect(chosen(stream)).toEqual(expected);
      }
    }
  });

  test('nothing left is an error', async () => {
    const all = [{ x: 0, y: 0, width: 1, height: 1 }];
    await expect(patchStream({ videoPath: MP4, ignore: all })).rejects.toMatchObject({
      code: 'ERR_CPS_INVALID_ARGUMENT',
      message: expect.stringContaining('for ignore but received parts that leave none') as string,
    });
    const keyFrames = { videoPath: fixturePath('h264_intra_only.mp4'), keyFramePatches: 'none' };
    await expect(patchStream(keyFrames as PatchStreamConfig)).rejects.toMatchObject({
      code: 'ERR_CPS_INVALID_ARGUMENT',
      message: expect.stringContaining("keyFramePatches 'none' but received") as string,
    });
  });
});

describe('kKeep by time', () => {
  const perSecond = { perSecond: 10.5 };
  test.each([
    [{}, 42], // 100 frames at 25 a second
    [{ sample: { count: 4, range: { fromSec: 1, toSec: 3 } } }, 21],
    [{ sample: { count: 4, trim: 1 } }, 42],
    [{ sample: { count: 2, only: 'key-frames' } }, 42],
    [{ sample: { clip: 4, range: { from: 10, to: 60 } } }, 21],
    [{ sample: { indices: [1, 2, 3] } }, 42],
    [{ selectionUnit: 'block2x2' }, 40],
  ] as const)('%j', async (config, patches) => {
    using stream = await patchStream({ ...small, ...config, videoPath: MP4, kKeep: perSecond });
    expect(stream.length).toBe(patches);
  });

  test('within bounds, and of each window by itself', async () => {
    const config = { ...small, videoPath: MP4 };
    using most = await patchStream({ ...config, kKeep: { ...perSecond, max: 30 } });
    expect(most.length).toBe(30);
    using least = await patchStream({ ...config, kKeep: { ...perSecond, min: 50 } });
    expect(least.length).toBe(50);
    const lengths: number[] = [];
    using video = await openVideo(MP4);
    const span = { seconds: 1.6 };
    for await (const window of video.windows(span, { of: 'patches', ...small, kKeep: perSecond })) {
      lengths.push(window.length);
      window.close();
    }
    expect(lengths).toEqual([16, 16, 8]); // 40, 40 and 20 frames
  });
});

test('a budget of more than there is keeps everything', async () => {
  using stream = await patchStream({ ...small, videoPath: MP4, kKeep: { frames: 1e9 } });
  expect(stream.length).toBe(stream.grid.t * stream.grid.h * stream.grid.w);
});
