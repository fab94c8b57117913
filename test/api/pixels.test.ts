/**
 * Options size, resample, augment, outputDtype, layout and normalize of both calls, against the whole
 * frames of the same video (which decode-only.test.ts holds against ffmpeg) put through the filters of
 * helpers/resample.ts.
 */
import { decodeOnly, openVideo, patchStream } from '../../src/index.js';
import { patchesSize } from '../helpers/patches-size.js';
import type { AugmentRule, DecodedFrames, SizeRule } from '../../src/index.js';
import { fixture, fixturePath } from '../helpers/fixtures.js';
import {
  centre,
  FILTERS,
  mirrored,
  normalised,
  part,
  picture,
  resized,
} from '../helpers/resample.js';
import type { Filter, Picture } from '../helpers/resample.js';
import { rawVideo } from '../helpers/ffmpeg.js';
import { someOf } from '../helpers/long-form.js';

const { round, trunc } = Math;
const IDS = [3, 30, 3];
const sample = { indices: IDS } as const;

/** The sampled frames at the video's own size. */
async function wholeFrames(name: string): Promise<Picture[]> {
  using all = await decodeOnly({ videoPath: fixturePath(name), sample, backend: 'cpu' });
  const [, h, w] = all.frames.shape as [number, number, number];
  return IDS.map((_, t) => picture(h, w, Uint8Array.from(all.frame(t).data)));
}

const picturesOf = (result: DecodedFrames<'uint8', boolean, 'thwc'>): Picture[] => {
  const [, h, w] = result.frames.shape as [number, number, number];
  return IDS.map((_, t) => picture(h, w, result.frame(t).data));
};

/** Rules with what they make of a picture of 240×320 (or that turned, 320×240). */
const RULES: readonly [name: string, size: SizeRule | SizeRule[], make: Make][] = [
  ['exact', { exact: [50, 70] }, (p, f) => resized(p, 50, 70, f)],
  ['larger', { exact: [300, 323] }, (p, f) => resized(p, 300, 323, f)],
  ['short', { short: 56 }, (p, f) => fitted(p, 56, 74, f)],
  ['short and crop', { short: 64, crop: 56 }, (p, f) => centre(fitted(p, 64, 85, f), 56, 56)],
  [
    'a crop that is larger',
    { short: 40, crop: 61 },
    (p, f) => centre(fitted(p, 40, 53, f), 61, 61),
  ],
  ['long', { long: 77, even: true }, (p, f) => fitted(p, 58, 77, f)],
  ['long and pad', { long: 90, pad: true }, (p, f) => centre(fitted(p, 67, 90, f), 90, 90)],
  // The golden value of 240×320 for area(28, 3136, 150000).
  ['area', { area: [3136, 150000], multipleOf: 28 }, (p, f) => fitted(p, 252, 308, f)],
  [
    'two rules',
    [{ long: 100, even: true }, { exact: [28, 42] }],
    (p, f) => resized(fitted(p, 76, 100, f), 28, 42, f),
  ],
];
type Make = (source: Picture, filter: Filter) => Picture;

/** Resized to these sides, of a picture that is higher than wide the other way round. */
const fitted = (p: Picture, shorter: number, longer: number, f: Filter): Picture =>
  p.width > p.height ? resized(p, shorter, longer, f) : resized(p, longer, shorter, f);

function expectSame(got: Picture[], wanted: Picture[], what: string): void {
  expect([what, got[0]?.height, got[0]?.width]).toEqual([
    what,
    wanted[0]?.height,
    wanted[0]?.width,
  ]);
  const differ = got.filter((p, t) => Buffer.compare(p.data, (wanted[t] as Picture).data) !== 0);
  expect([what, differ.length]).toEqual([what, 0]);
}

describe.each(['h264_bpyramid.mp4', 'rot90.mp4', 'rgb_ffv1.mkv'])(
  'size and resample, %s',
  (name) => {
    let whole: Picture[];
    beforeAll(async () => {
      whole = await wholeFrames(name);
    });

    test.each(RULES)('%s', async (rule, size, make) => {
      for (const [i, resample] of FILTERS.entries()) {
        if (rule !== 'exact' && someOf([0, 1, 2, 3], rule.length, 2).every((k) => k !== i))
          continue;
        using result = await decodeOnly({ videoPath: fixturePath(name), sample, size, resample });
        const wanted = whole.map((p) => make(p, resample));
        expectSame(picturesOf(result), wanted, `${rule} ${resample}`);
      }
    });

    test("'bilinear' unless given; width and height are 'bilinear-plain' as ever", async () => {
      const videoPath = fixturePath(name);
      const call = { videoPath, sample } as const;
      const size = { exact: [50, 70] } as const;
      using usual = await decodeOnly({ ...call, size });
      expectSame(
        picturesOf(usual),
        whole.map((p) => resized(p, 50, 70, 'bilinear')),
        'usual',
      );
      using plain = await decodeOnly({ ...call, size, resample: 'bilinear-plain' });
      using short = await decodeOnly({ ...call, height: 50, width: 70 });
      expectSame(picturesOf(short), picturesOf(plain), 'plain');
      expect(Buffer.from(usual.frames.data!).equals(Buffer.from(plain.frames.data!))).toBe(false);
      using other = await decodeOnly({ ...call, height: 50, width: 70, resample: 'bicubic' });
      expectSame(
        picturesOf(other),
        whole.map((p) => resized(p, 50, 70, 'bicubic')),
        'bicubic',
      );
    });
  },
);

test("whole frames of an RGB file are ffmpeg's", async () => {
  const raw = rawVideo(fixture('rgb_ffv1.mkv'), 'rgb24');
  const whole = await wholeFrames('rgb_ffv1.mkv');
  const bytes = 240 * 320 * 3;
  for (const [t, id] of IDS.entries()) {
    const frame = raw.subarray(id * bytes, (id + 1) * bytes);
    expect(Buffer.compare(frame, (whole[t] as Picture).data)).toBe(0);
  }
});

/** The picture without antialiasing: four pixels, their weights in float32. */
function plainly(source: Picture, height: number, width: number, flip: boolean): Picture {
  const f = Math.fround;
  const out = picture(height, width);
  const tap = (i: number, from: number, to: number) => {
    const s = Math.max(0, f(f(f(from / to) * f(i + 0.5)) - 0.5));
    const low = Math.min(trunc(s), from - 1);
    return [low, Math.min(low + 1, from - 1), s - low] as const;
  };
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const [y0, y1, fy] = tap(y, source.height, height);
      const [x0, x1, fx] = tap(flip ? width - 1 - x : x, source.width, width);
      for (let c = 0; c < 3; c++) {
        const at = (v: number, u: number): number =>
          source.data[(v * source.width + u) * 3 + c] as number;
        const top = at(y0, x0) * (1 - fx) + at(y0, x1) * fx;
        const bottom = at(y1, x0) * (1 - fx) + at(y1, x1) * fx;
        out.data[(y * width + x) * 3 + c] = Math.floor(top * (1 - fy) + bottom * fy + 0.5);
      }
    }
  }
  return out;
}

test("'bilinear-plain' of parts and mirrored, within rounding", async () => {
  const name = 'h264_bpyramid.mp4';
  const whole = await wholeFrames(name);
  const augment = { flip: 1 } as const;
  const size = { short: 60, crop: 44 } as const;
  const options = { sample, size, augment, resample: 'bilinear-plain' } as const;
  using result = await decodeOnly({ videoPath: fixturePath(name), ...options });
  for (const [t, got] of picturesOf(result).entries()) {
    const wanted = mirrored(centre(plainly(whole[t] as Picture, 60, 80, false), 44, 44));
    const off = got.data.map((v, i) => Math.abs(v - (wanted.data[i] as number)));
    expect(Math.max(...off)).toBeLessThanOrEqual(1);
    expect(off.filter((v) => v > 0).length).toBeLessThan(off.length / 100);
  }
});

const NORMALIZE = {
  unit: { scale: 1 / 255, mean: [0, 0, 0], std: [1, 1, 1] },
  signed: { scale: 1 / 255, mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5] },
  imagenet: { scale: 1 / 255, mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225] },
} as const;
const ORDERS = {
  thwc: (t: number, y: number, x: number, c: number) => ((t * 40 + y) * 56 + x) * 3 + c,
  tchw: (t: number, y: number, x: number, c: number) => ((t * 3 + c) * 40 + y) * 56 + x,
  cthw: (t: number, y: number, x: number, c: number) => ((c * 3 + t) * 40 + y) * 56 + x,
} as const;

describe('tensors of decodeOnly', () => {
  const videoPath = fixturePath('h264_bpyramid.mp4');
  const size = { exact: [40, 56] } as const;
  const call = { videoPath, sample, size, backend: 'cpu' } as const;

  test.each(Object.keys(ORDERS) as (keyof typeof ORDERS)[])('layout %s', async (layout) => {
    using plain = await decodeOnly(call);
    const source = plain.frames.data;
    for (const [name, n] of Object.entries(NORMALIZE)) {
      const normalize = name as keyof typeof NORMALIZE;
      using result = await decodeOnly({ ...call, layout, normalize, outputDtype: 'fp32' });
      expect(result.layout).toBe(layout);
      expect(result.frames.dtype).toBe('float32');
      const { [layout]: order } = ORDERS;
      const wanted = new Float32Array(source.length);
      for (let i = 0; i < source.length; i++) {
        const at = [trunc(i / 6720), trunc(i / 168) % 40, trunc(i / 3) % 56, i % 3] as const;
        const c = at[3] as 0 | 1 | 2;
        wanted[order(...at)] = normalised(source[i] as number, n.scale, n.mean[c], n.std[c]);
      }
      expect(Buffer.from(result.frames.data.buffer).equals(Buffer.from(wanted.buffer))).toBe(true);
      // Half floats are the same values rounded.
      for (const outputDtype of ['fp16', 'bf16'] as const) {
        using half = await decodeOnly({ ...call, layout, normalize, outputDtype });
        const values = await half.frames.toFloat32();
        const relative = outputDtype === 'fp16' ? 2 ** -11 : 2 ** -8;
        const off = values.filter((v, i) => {
          const w = wanted[i] as number;
          return Math.abs(v - w) > Math.max(Math.abs(w) * relative, 2 ** -25);
        });
        expect([outputDtype, off.length]).toEqual([outputDtype, 0]);
      }
    }
    using bytes = await decodeOnly({ ...call, layout });
    const { [layout]: order } = ORDERS;
    let wrong = 0;
    for (let i = 0; i < source.length; i += 7) {
      const at = [trunc(i / 6720), trunc(i / 168) % 40, trunc(i / 3) % 56, i % 3] as const;
      if (bytes.frames.data[order(...at)] !== source[i]) wrong++;
    }
    expect(wrong).toBe(0);
  });

  test('shapes, frames, and the whole picture normalised', async () => {
    using result = await decodeOnly({ ...call, layout: 'tchw' });
    expect(result.frames.shape).toEqual([3, 3, 40, 56]);
    expect(result.frame(1).shape).toEqual([3, 40, 56]);
    using planes = await decodeOnly({ ...call, layout: 'cthw' });
    expect(planes.frames.shape).toEqual([3, 3, 40, 56]);
    expect(() => planes.frame(1)).toThrow("Expected 'thwc' or 'tchw' (for frame()) for layout");
    using whole = await decodeOnly({ videoPath, sample, backend: 'cpu' });
    using unit = await decodeOnly({
      ...{ videoPath, sample, backend: 'cpu', normalize: 'unit', outputDtype: 'fp32' },
    } as const);
    expect(unit.frames.shape).toEqual(whole.frames.shape);
    const wrong = unit.frames.data.filter(
      (v, i) => v !== Math.fround((whole.frames.data[i] as number) / 255),
    );
    expect(wrong.length).toBe(0);
  });

  test('a held video and its windows take them', async () => {
    using video = await openVideo(videoPath, { backend: 'cpu' });
    using whole = await video.frames({ sample: { indices: [0, 1, 2] }, size });
    for await (const frames of video.windows({ frames: 3 }, { of: 'frames', size })) {
      using window = frames;
      expect(Buffer.from(window.frames.data!).equals(Buffer.from(whole.frames.data!))).toBe(true);
      break;
    }
  });
});

describe('patches', () => {
  const videoPath = fixturePath('h264_bpyramid.mp4');
  const call = { videoPath, sample, backend: 'cpu' } as const;

  /** Each patch is the piece of the frame that decodeOnly gives for the same options. */
  test.each([
    ['bicubic', { exact: [56, 84] }, {}],
    ['bilinear', { short: 64, crop: 56 }, { flip: 1 }],
    ['lanczos', { short: 40, crop: 56 }, {}],
    ['area', [{ long: 100 }, { exact: [42, 56] }], { crop: { scale: [0.2, 0.5] }, seed: 5 }],
    ['bilinear-plain', { short: 64, crop: 56 }, { crop: 'random', flip: 1, seed: 3 }],
  ] as [Filter, SizeRule, AugmentRule][])('%s %j %j', async (resample, size, given) => {
    const augment = Object.keys(given).length > 0 ? given : undefined;
    const options = { ...call, size, resample, augment, normalize: 'clip' } as const;
    using frames = await decodeOnly({ ...options, layout: 'tchw', outputDtype: 'fp32' });
    for (const selectionUnit of ['patch', 'block2x2'] as const) {
      if (selectionUnit === 'block2x2' && Array.isArray(size)) continue; // 42 is no multiple of 28
      const kKeep = 24;
      const more = { selectionUnit, kKeep, outputDtype: 'fp32' } as const;
      using stream = await patchStream({ ...options, ...more });
      expect(stream.augmentation).toEqual(frames.augmentation);
      const [, , h, w] = frames.frames.shape as [number, number, number, number];
      expect(stream.targetSize).toEqual({ height: h, width: w });
      expect(stream.grid).toEqual({ t: 3, h: h / 14, w: w / 14 });
      const all = frames.frames.data;
      const patches = stream.patches.data;
      let wrong = 0;
      for (const [k, { seqPos, patchHIdx, patchWIdx }] of stream.metadata.entries()) {
        for (let i = 0; i < 588; i++) {
          const [c, y, x] = [trunc(i / 196), trunc(i / 14) % 14, i % 14];
          const row = (seqPos * 3 + c) * h + patchHIdx * 14 + y;
          if (patches[k * 588 + i] !== all[row * w + patchWIdx * 14 + x]) wrong++;
        }
      }
      expect(wrong).toBe(0);
      using nhwc = await patchStream({ ...options, ...more, layout: 'nhwc' });
      expect(nhwc.patches.at(0).data[3 * 14 + 2]).toBe(stream.patches.at(0).data[2 * 196 + 14]);
    }
  });

  test('the size that the area rule gives is the area rule, to the bit', async () => {
    const area = { ...call, kKeep: 100, outputDtype: 'fp32' } as const;
    using usual = await patchStream(area);
    const { height, width } = usual.targetSize;
    using exact = await patchStream({ ...area, size: { exact: [height, width] } });
    for (const name of ['patches', 'frameScores', 'positions'] as const) {
      expect(
        Buffer.from(exact[name].data!.buffer).equals(Buffer.from(usual[name].data!.buffer)),
      ).toBe(true);
    }
    using reference = await patchStream({ ...area, energy: 'reference' });
    const same = { ...area, energy: 'reference', size: { exact: [height, width] } } as const;
    using exactly = await patchStream(same);
    expect(exactly.frameScores.data).toEqual(reference.frameScores.data);
    // Another filter: other pixels of the same patches.
    using bicubic = await patchStream({ ...area, resample: 'bicubic' });
    expect(bicubic.positions.data).toEqual(usual.positions.data);
    expect(bicubic.targetSize).toEqual(usual.targetSize);
    expect(bicubic.patches.data).not.toEqual(usual.patches.data);
  });

  test('scores are those of what patches show', async () => {
    // 240×320 at its own size: patches of 20 are 12×16. Cropped to the middle 240, four columns on.
    const sized = { ...call, patchSize: 20, kKeep: 40 } as const;
    using whole = await patchStream({ ...sized, size: { exact: [240, 320] } });
    using middle = await patchStream({ ...sized, size: { short: 240, crop: 240 } });
    using mirror = await patchStream({
      ...{ ...sized, size: { short: 240, crop: 240 }, augment: { flip: 1 } },
    });
    using padded = await patchStream({ ...sized, size: { short: 240, crop: 360 } });
    const at = (of: typeof whole, t: number, y: number, x: number): number =>
      of.frameScores.data![(t * of.grid.h + y) * of.grid.w + x] as number;
    expect(whole.grid).toEqual({ t: 3, h: 12, w: 16 });
    let scored = 0;
    for (let t = 0; t < 3; t++) {
      for (let y = 0; y < 12; y++) {
        for (let x = 0; x < 12; x++) {
          const wanted = at(whole, t, y, x + 2);
          scored += wanted;
          expect(at(middle, t, y, x)).toBeCloseTo(wanted, 3);
          expect(at(mirror, t, y, 11 - x)).toBeCloseTo(wanted, 3);
          expect(at(padded, t, y + 3, x + 3)).toBeCloseTo(wanted, 3);
        }
      }
      for (let x = 0; x < 18; x++) expect(at(padded, t, 0, x)).toBe(0);
      for (let y = 0; y < 18; y++) expect(at(padded, t, y, 17)).toBe(0);
    }
    expect(scored).toBeGreaterThan(0);
  });
});

test('size { patches, patchSize }: what SigLIP 2 searches for', async () => {
  for (const name of ['h264_bpyramid.mp4', 'rot270.mp4', 'odd_420.mp4']) {
    for (const [patches, patchSize] of [
      [256, 16],
      [1, 14],
      [37, 8],
      [1000, 16],
    ] as const) {
      const size = { patches, patchSize };
      const sample = { indices: [0] };
      using frames = await decodeOnly({ videoPath: fixturePath(name), sample, size });
      const [, h, w] = frames.frames.shape;
      expect([h, w]).toEqual(patchesSize(frames.height, frames.width, patchSize, patches));
      expect((h! / patchSize) * (w! / patchSize)).toBeLessThanOrEqual(patches);
      using stream = await patchStream({
        ...{ videoPath: fixturePath(name), sample, size, patchSize },
        kKeep: { frames: 1 },
      });
      expect(stream.targetSize).toEqual({ height: h, width: w });
    }
  }
});

describe.each(['h264_bpyramid.mp4', 'rot270.mp4'])('augment, %s', (name) => {
  const videoPath = fixturePath(name);
  let whole: Picture[];
  beforeAll(async () => {
    whole = await wholeFrames(name);
  });
  const sizeOf = (): { height: number; width: number } => whole[0] as Picture;

  test("crop 'random': the crop of size anywhere, in all frames alike", async () => {
    const { height, width } = sizeOf();
    const places = new Set<string>();
    for (let seed = 0; seed < 8; seed++) {
      const augment = { crop: 'random', flip: 0.5, seed } as const;
      const size = { short: 60, crop: 44 } as const;
      using result = await decodeOnly({ videoPath, sample, size, resample: 'area', augment });
      const { crop, flipped } = result.augmentation!;
      const [h, w] = width > height ? [60, 80] : [80, 60];
      const [top, left] = [(crop.top / height) * h, (crop.left / width) * w];
      expect(crop.height).toBeCloseTo((44 / h) * height, 9);
      expect(crop.width).toBeCloseTo((44 / w) * width, 9);
      expect([round(top) - top, round(left) - left].every((v) => Math.abs(v) < 1e-9)).toBe(true);
      const wanted = whole.map((p) => {
        const cut = part(resized(p, h, w, 'area'), round(top), round(left), 44, 44);
        return flipped ? mirrored(cut) : cut;
      });
      expectSame(picturesOf(result), wanted, `seed ${seed}`);
      places.add(`${round(top)} ${round(left)} ${flipped}`);
      expect(result.toJSON()).toMatchObject({ augmentation: { crop, flipped } });
      using again = await decodeOnly({ videoPath, sample, size, resample: 'area', augment });
      expect(again.augmentation).toEqual(result.augmentation);
    }
    expect(places.size).toBeGreaterThan(4);
  });

  test('crop { scale, ratio }: a part before size', async () => {
    const { height, width } = sizeOf();
    for (let seed = 0; seed < 4; seed++) {
      const crop = { scale: [0.1, 0.4], ratio: [0.5, 2] } as const;
      const augment = { crop, flip: seed % 2, seed };
      const size = { exact: [32, 48] } as const;
      using result = await decodeOnly({ videoPath, sample, size, resample: 'bicubic', augment });
      const { crop: drawn, flipped } = result.augmentation!;
      expect(flipped).toBe(seed % 2 === 1);
      const share = (drawn.height * drawn.width) / (height * width);
      expect(share).toBeGreaterThan(0.095);
      expect(share).toBeLessThan(0.405);
      const ratio = drawn.width / drawn.height;
      expect(ratio).toBeGreaterThan(0.48);
      expect(ratio).toBeLessThan(2.05);
      const wanted = whole.map((p) => {
        const { top, left, height: ph, width: pw } = drawn;
        const small = resized(part(p, top, left, ph, pw), 32, 48, 'bicubic');
        return flipped ? mirrored(small) : small;
      });
      expectSame(picturesOf(result), wanted, `seed ${seed}`);
    }
  });

  test('a mirror alone', async () => {
    using result = await decodeOnly({ videoPath, sample, augment: { flip: 1 } });
    const { height, width } = sizeOf();
    const crop = { top: 0, left: 0, height, width };
    expect(result.augmentation).toEqual({ crop, flipped: true });
    expectSame(picturesOf(result), whole.map(mirrored), 'mirrored');
    using none = await decodeOnly({ videoPath, sample, augment: { flip: 0 } });
    expect(none.augmentation?.flipped).toBe(false);
    expectSame(picturesOf(none), whole, 'plain');
    using without = await decodeOnly({ videoPath, sample });
    expect(without.augmentation).toBeUndefined();
  });
});

describe('errors name the options', () => {
  const videoPath = fixturePath('h264_bpyramid.mp4');
  const call = { videoPath, sample } as const;

  test.each<[object, RegExp]>([
    [{ size: { exact: [50, 70] }, patchSize: 14 }, /multiples of 14 \(patchSize\) for size.*70x50/],
    [
      { size: { exact: [42, 56] }, selectionUnit: 'block2x2' },
      /multiples of 28 \(twice patchSize\) for size.*56x42/,
    ],
    [
      { size: { area: [99, 4096], multipleOf: 28, of: 'video', framesPerStep: 4 } },
      /at least 4 sampled frames.*; sample \{ count: 4 \} repeats/,
    ],
    [{ size: { short: 16384 } }, /at most 16384 pixels a side for size/],
  ])('%j', async (more, message) => {
    await expect(patchStream({ ...call, ...more })).rejects.toMatchObject({
      code: 'ERR_CPS_INVALID_ARGUMENT',
      message: expect.stringMatching(message) as string,
    });
  });

  test('a result that is too large is refused before it is made', async () => {
    const options = { size: { exact: [4000, 4000] }, outputDtype: 'fp32' } as const;
    await expect(
      decodeOnly({ ...call, ...options, maxMemoryBytes: 2 ** 28 }),
    ).rejects.toMatchObject({ code: 'ERR_CPS_OUT_OF_MEMORY' });
  });
});
