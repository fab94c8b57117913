/** Option `sample` of datasets and feeds: what decides randomness, and what does not. */
import * as tf from '@tensorflow/tfjs';
import { decodeOnly, openVideo } from '../../src/index.js';
import type { SampleRule } from '../../src/index.js';
import { decodingWith } from '../../adapters/common/sampling.js';
import type { SampleOption } from '../../adapters/common/sampling.js';
import { feedStream } from '../../adapters/ort/index.js';
import { frameDataset, patchDataset } from '../../adapters/tfjs/index.js';
import { fixture, fixturePath } from '../helpers/fixtures.js';

const BPYRAMID = fixturePath('h264_bpyramid.mp4');
const { frames: n } = fixture('h264_bpyramid.mp4');
const random = { clip: 3, start: 'random' } as const;

beforeAll(async () => {
  await tf.setBackend('cpu');
  tf.env().set('IS_TEST', true); // No advertisement of tfjs-node.
});

/** Batches of three videos as plain numbers. */
async function batches(option: SampleOption, more: object = {}, epochs = 1): Promise<number[][]> {
  const dataset = frameDataset(tf, [BPYRAMID, BPYRAMID, BPYRAMID], {
    ...{ sample: option, width: 8, height: 8, backend: 'cpu', ...more },
  });
  const all: number[][] = [];
  for (let epoch = 0; epoch < epochs; epoch++) {
    await dataset.forEachAsync(({ xs }) => {
      all.push(Array.from(xs.dataSync()));
      xs.dispose();
    });
  }
  return all;
}

test('random clips hang on seed, epoch, pass and index, never on concurrency', async () => {
  const alone = await batches(random, { concurrency: 1 }, 2);
  expect(alone).toHaveLength(6);
  expect(await batches(random, { concurrency: 3 }, 2)).toEqual(alone);
  const [first, second] = [alone.slice(0, 3), alone.slice(3)];
  expect(second).not.toEqual(first); // another epoch
  expect(await batches(random, { repeat: 2 })).not.toEqual(alone); // another pass is no epoch
  expect((await batches(random, { repeat: 2 })).slice(0, 3)).toEqual(first);
  expect(await batches(random, { seed: 1 })).not.toEqual(first);
  expect(await batches({ ...random, seed: 5 })).not.toEqual(first);
  expect(new Set(alone.map((values) => values.join())).size).toBeGreaterThan(3);
  // A shard draws what the whole would have drawn for its videos.
  const half = await batches(random, { shard: { index: 1, count: 2 } });
  expect(half).toEqual([first[1]]);
});

test('augment: drawn for each epoch, pass and video, never by concurrency', async () => {
  const rule = { indices: [0] } as const;
  const size = { short: 24, crop: 12 } as const;
  const more = {
    size,
    augment: { crop: 'random', flip: 0.5 },
    width: undefined,
    height: undefined,
  };
  const alone = await batches(rule, { ...more, concurrency: 1 }, 2);
  expect(alone).toHaveLength(6);
  expect(await batches(rule, { ...more, concurrency: 3 }, 2)).toEqual(alone);
  const [first, second] = [alone.slice(0, 3), alone.slice(3)];
  expect(second).not.toEqual(first);
  expect(new Set(alone.map((values) => values.join())).size).toBeGreaterThan(3);
  expect(await batches(rule, { ...more, seed: 1 })).not.toEqual(first);
  const other = { ...more, augment: { ...more.augment, seed: 5 } };
  expect(await batches(rule, other)).not.toEqual(first);
  // Beside a function of the video, too.
  expect(await batches(() => rule, more)).toEqual(first);
  // As decodeOnly crops and mirrors: each is one of the places in the whole picture.
  using whole = await decodeOnly({ videoPath: BPYRAMID, sample: rule, size: { short: 24 } });
  const [, h, w] = whole.frames.shape as [number, number, number];
  const all = new Set<string>();
  for (let top = 0; top <= h - 12; top++) {
    for (let left = 0; left <= w - 12; left++) {
      const rows = Array.from({ length: 12 }, (_, y) => {
        const at = ((top + y) * w + left) * 3;
        return Array.from(whole.frames.data!.subarray(at, at + 36));
      });
      const pixels = rows.map((row) =>
        Array.from({ length: 12 }, (_, x) => row.slice(3 * x, 3 * x + 3)),
      );
      all.add(pixels.flat(2).join());
      all.add(
        pixels
          .map((row) => [...row].reverse())
          .flat(2)
          .join(),
      );
    }
  }
  expect(alone.filter((values) => !all.has(values.join()))).toEqual([]);
});

test('size and resample reach every reader; frameDataset has a dtype of its own', async () => {
  const call = { size: { exact: [28, 42] }, resample: 'bicubic' } as const;
  using frames = await decodeOnly({ videoPath: BPYRAMID, sample: { indices: [3] }, ...call });
  const got = await batches({ indices: [3] }, { ...call, width: undefined, height: undefined });
  expect(got[0]).toEqual(Array.from(frames.frames.data!));
  const patches = { ...call, sample: { indices: [3, 4] }, backend: 'cpu', kKeep: 2 } as const;
  const dataset = patchDataset(tf, [BPYRAMID], patches);
  await dataset.forEachAsync(({ xs }) => {
    expect(xs.patches.shape).toEqual([1, 2, 14, 14, 3]);
    tf.dispose(xs);
  });
  const dtype = { outputDtype: 'fp32' } as object;
  expect(() => frameDataset(tf, [BPYRAMID], dtype)).toThrow('no value for outputDtype');
});

test('a function gets what is known of the video, and its own random numbers', async () => {
  const seen: number[] = [];
  const option: SampleOption = ({ totalFrames }, rng) => {
    expect(totalFrames).toBe(n);
    const start = rng(totalFrames - 1);
    seen.push(start);
    return Promise.resolve({ clip: 2, start });
  };
  const all = await batches(option, { concurrency: 1 });
  expect(new Set(seen).size).toBeGreaterThan(1);
  const asked = [...seen];
  seen.length = 0;
  expect(await batches(option, { concurrency: 3 })).toEqual(all);
  expect([...seen].sort()).toEqual([...asked].sort());
  using frames = await decodeOnly({
    videoPath: BPYRAMID,
    sample: { clip: 2, start: asked[0] as number },
    ...{ width: 8, height: 8, backend: 'cpu' },
  });
  expect(Array.from(frames.frames.data)).toEqual(all[0]);
});

test('errors: rules that are none, and batches of different lengths', async () => {
  await expect(batches({ count: 0 })).rejects.toThrow('sample.count');
  await expect(batches(() => 3 as never)).rejects.toThrow('Expected a rule');
  await expect(batches(() => ({ count: 0 }))).rejects.toThrow('sample.count');
  let calls = 0;
  const growing: SampleOption = () => ({ count: ++calls });
  await expect(batches(growing, { batchSize: 3, concurrency: 1 })).rejects.toThrow(
    'Expected 1 frames, as before, but received 2',
  );
});

test('patchDataset and feedStream hand it on; a Video is a video', async () => {
  using video = await openVideo(BPYRAMID);
  const sample = { indices: [7, 2] } as const;
  const options = { sample, kKeep: 8, backend: 'cpu' } as const;
  const dataset = patchDataset(tf, [video, { video }], options);
  let rows = 0;
  await dataset.forEachAsync(({ xs }) => {
    const frames = new Set(xs.positions.arraySync()[0]?.map(([t]) => t));
    expect([...frames].every((t) => t === 0 || t === 1)).toBe(true);
    tf.dispose(xs);
    rows++;
  });
  expect(rows).toBe(2);
  const session = {
    inputNames: ['patches'],
    inputMetadata: [
      { name: 'patches', isTensor: true, type: 'float32', shape: ['B', 'K', 3, 14, 14] },
    ],
  };
  class Tensor {
    constructor(
      readonly type: string,
      readonly data: unknown,
      readonly dims: readonly number[],
    ) {}
  }
  const ids: (readonly number[])[] = [];
  const more = { ...options, ort: { Tensor } as never };
  for await (const { videos } of feedStream(session as never, [video], more)) {
    ids.push(...videos.map(({ sampledFrameIds }) => sampledFrameIds));
    expect([...(videos[0]?.secondsFromStart ?? [])]).toEqual([
      video.secondsFromStart[7],
      video.secondsFromStart[2],
    ]);
  }
  expect(ids).toEqual([[7, 2]]);
});

test('a call that is aborted closes what a function opened', async () => {
  const stop = new AbortController();
  let open: SampleRule | undefined;
  const decode = decodingWith(
    () => {
      stop.abort();
      return (open = { count: 1 });
    },
    0,
    {},
    ({ videoPath, sample, signal }) => decodeOnly({ videoPath, sample, signal }),
  );
  const about = { entry: BPYRAMID, video: BPYRAMID, index: 0, epoch: 0, pass: 0 };
  await expect(decode(about, stop.signal)).rejects.toMatchObject({ name: 'AbortError' });
  expect(open).toEqual({ count: 1 });
});
