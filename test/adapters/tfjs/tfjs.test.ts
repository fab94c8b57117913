/** The TensorFlow.js adapter on the real addon and the pure-JavaScript backend. */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { makeClip, writeClips } from '../../../examples/lib/clips.js';
import type { Clip } from '../../../examples/lib/clips.js';
import { frameDataset, patchDataset, toTensor } from '../../../adapters/tfjs/index.js';
import type { PatchDatasetOptions } from '../../../adapters/tfjs/index.js';
import { decodeOnly, patchStream } from '../../../src/index.js';
import { Tensor, jsMemory } from '../../../src/api/tensor.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-tfjs-'));
const missing = path.join(folder, 'missing.mp4');
const text = path.join(folder, 'text.mp4');
let clips: Clip[];

/** 8 frames of 48×48, P 8: 6×6 patches a frame, 288 in all. */
const small = { sequenceLength: 8, inputSize: 48, patchSize: 8, backend: 'cpu' } as const;
const options = { ...small, kKeep: 20 } as const;

beforeAll(async () => {
  await tf.setBackend('cpu');
  tf.env().set('IS_TEST', true); // No advertisement of tfjs-node.
  clips = writeClips(folder, 10, 1, { size: 48, frames: 12 });
  fs.writeFileSync(text, 'this is no video, however long one looks at it '.repeat(50));
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

let tensors = 0;
beforeEach(() => (tensors = tf.memory().numTensors));
afterEach(() => expect(tf.memory().numTensors).toBe(tensors));

const videoOf = (i: number): string => (clips[i] as Clip).video;

async function collect<T extends tf.TensorContainer>(dataset: tf.data.Dataset<T>): Promise<T[]> {
  const iterator = await dataset.iterator();
  const elements: T[] = [];
  for (;;) {
    const result = await iterator.next();
    if (result.done) return elements;
    elements.push(result.value);
  }
}

describe('toTensor', () => {
  test('int64 becomes int32, bool stays bool, and what fits into neither is refused', async () => {
    const over = (data: BigInt64Array | Uint8Array, dtype: 'int64' | 'bool'): Tensor =>
      Tensor.over(jsMemory(data.buffer as ArrayBuffer), dtype, [data.length]);
    const ids = await toTensor(tf, over(BigInt64Array.of(-3n, 2n ** 31n - 1n), 'int64'));
    expect([ids.dtype, ...ids.dataSync()]).toEqual(['int32', -3, 2 ** 31 - 1]);
    const mask = await toTensor(tf, over(Uint8Array.of(1, 0), 'bool'));
    expect([mask.dtype, ...mask.dataSync()]).toEqual(['bool', 1, 0]);
    const weights = await toTensor(tf, over(Uint8Array.of(1, 0), 'bool'), { dtype: 'float32' });
    expect([weights.dtype, ...weights.dataSync()]).toEqual(['float32', 1, 0]);
    await expect(toTensor(tf, over(BigInt64Array.of(2n ** 31n), 'int64'))).rejects.toThrow(
      /int64 values that fit into int32.*2147483648n/,
    );
    tf.dispose([ids, mask, weights]);
  });

  test('float32 on the cpu backend shares the memory and survives close()', async () => {
    const stream = await patchStream({ videoPath: videoOf(0), ...options, outputDtype: 'fp32' });
    const data = stream.patches.data;
    const copy = Float32Array.from(data);
    const tensor = await toTensor(tf, stream);
    stream.close();
    expect(tensor.shape).toEqual([20, 3, 8, 8]);
    expect(tensor.dtype).toBe('float32');
    expect((tensor.dataSync() as Float32Array).buffer).toBe(data.buffer);
    expect(tensor.dataSync()).toEqual(copy);
    tensor.dispose();
  });

  test.each(['bf16', 'fp16', 'uint8'] as const)('%s is widened', async (outputDtype) => {
    const stream = await patchStream({ videoPath: videoOf(0), ...options, outputDtype });
    const tensor = await toTensor(tf, stream.patches);
    expect(tensor.dtype).toBe('float32');
    expect(tensor.dataSync()).toEqual(await stream.patches.toFloat32());
    tensor.dispose();
    stream.close();
  });

  test('int32: positions as they are, frames on request', async () => {
    const stream = await patchStream({ videoPath: videoOf(0), ...options });
    const positions = await toTensor(tf, stream.positions);
    expect([positions.dtype, positions.shape]).toEqual(['int32', [20, 3]]);
    expect(positions.dataSync()).toEqual(stream.positions.data);
    positions.dispose();
    stream.close();
    const frames = await decodeOnly({ videoPath: videoOf(0), sequenceLength: 2 });
    const tensor = await toTensor(tf, frames, { dtype: 'int32' });
    expect([tensor.dtype, tensor.shape]).toEqual(['int32', [2, 48, 48, 3]]);
    expect([...tensor.dataSync()]).toEqual([...(frames.frames.data as Uint8Array)]);
    tensor.dispose();
    frames.close();
  });

  test('layout and normalisation agree with the native ones', async () => {
    const base = { videoPath: videoOf(1), ...options, outputDtype: 'fp32' } as const;
    const plain = await patchStream(base);
    const native = await patchStream({ ...base, layout: 'nhwc', normalize: 'imagenet' });
    const tensor = await toTensor(tf, plain, { layout: 'nhwc', normalize: 'imagenet' });
    expect(tensor.shape).toEqual(native.patches.shape);
    const [got, want] = [tensor.dataSync(), native.patches.data];
    for (let i = 0; i < want.length; i++) {
      expect(Math.abs((got[i] as number) - (want[i] as number))).toBeLessThan(1e-5);
    }
    const back = await toTensor(tf, native, { layout: 'nchw' });
    expect(back.shape).toEqual([20, 3, 8, 8]);
    tensor.dispose();
    back.dispose();
    plain.close();
    native.close();
  });

  test.each([
    ...(['none', 'unit', 'signed', 'imagenet', 'clip'] as const),
    { scale: 1 / 127.5, offset: 1 },
    { offset: 127.5 },
    { scale: 2, offset: -3, mean: [1, 2, 3], std: [4, 5, 6] },
    { mean: 7, std: 0.5 },
  ])('normalize %j is that of decodeOnly', async (normalize) => {
    const base = { videoPath: videoOf(1), sequenceLength: 2, outputDtype: 'fp32' } as const;
    using native = await decodeOnly({ ...base, normalize });
    using plain = await decodeOnly(base);
    const tensor = await toTensor(tf, plain, { normalize });
    const [got, want] = [tensor.dataSync(), native.frames.data as Float32Array];
    expect(got).toHaveLength(want.length);
    const apart = want.map((value, i) => Math.abs(value - (got[i] as number)));
    expect(Math.max(...apart)).toBeLessThan(1e-6 * Math.max(1, ...want.map(Math.abs)));
    tensor.dispose();
  });

  test('what does not fit is said', async () => {
    const tensor = Tensor.over(jsMemory(new ArrayBuffer(4 * 27)), 'float32', [3, 3, 3]);
    await expect(toTensor(tf, tensor, { layout: 'nhwc' })).rejects.toThrow(/both fit/);
    const fromNchw = await toTensor(tf, tensor, { layout: 'nhwc', from: 'nchw' });
    fromNchw.dispose();
    await expect(toTensor(tf, tensor, { layout: 'x' as never })).rejects.toThrow(/for layout/);
    await expect(toTensor(tf, tensor, { dtype: 'bool' as never })).rejects.toThrow(/for dtype/);
    const flat = Tensor.over(jsMemory(new ArrayBuffer(8)), 'float32', [2]);
    await expect(toTensor(tf, flat, { layout: 'nhwc' })).rejects.toThrow(/axis of 3 colours/);
  });
});

describe('patchDataset, clips', () => {
  test('kKeep by the second: rows of its max, the mask says how many count', async () => {
    const kKeep = { perSecond: 10, max: 12 };
    const dataset = patchDataset(tf, clips.slice(0, 2), { ...options, kKeep, batchSize: 2 });
    expect(dataset.inputShapes.patches).toEqual([12, 8, 8, 3]);
    const [element] = await collect(dataset);
    expect(element?.xs.patches.shape).toEqual([2, 12, 8, 8, 3]);
    using stream = await patchStream({ ...options, kKeep, videoPath: videoOf(0) });
    expect(stream.length).toBeLessThan(12);
    const counted = Array.from({ length: 12 }, (_, i) => (i < stream.length ? 1 : 0));
    expect(Array.from(element?.xs.mask.dataSync() ?? [])).toEqual([...counted, ...counted]);
    tf.dispose(element);
  });

  test('is a tf.data.Dataset whose elements are what patchStream gives', async () => {
    const dataset = patchDataset(tf, clips, { ...options, batchSize: 4, normalize: 'unit' });
    expect(dataset).toBeInstanceOf(tf.data.Dataset);
    expect(dataset.size).toBe(3);
    expect(dataset.inputShapes).toEqual({ patches: [20, 8, 8, 3], positions: [20, 3], mask: [20] });
    const elements = await collect(dataset);
    expect(elements.map(({ xs }) => xs.patches.shape)).toEqual([
      [4, 20, 8, 8, 3],
      [4, 20, 8, 8, 3],
      [2, 20, 8, 8, 3],
    ]);
    for (let i = 0; i < clips.length; i++) {
      const { xs, ys } = elements[i >> 2] as (typeof elements)[number];
      const stream = await patchStream({
        videoPath: videoOf(i),
        ...options,
        outputDtype: 'fp32',
        layout: 'nhwc',
        normalize: 'unit',
      });
      const want = stream.patches.data;
      const at = i % 4;
      expect(xs.patches.dataSync().subarray(at * want.length, (at + 1) * want.length)).toEqual(
        want,
      );
      expect(xs.positions.dataSync().subarray(at * 60, (at + 1) * 60)).toEqual(
        stream.positions.data,
      );
      expect(xs.positions.dtype).toBe('int32');
      expect([...xs.mask.dataSync()].every((m) => m === 1)).toBe(true);
      expect(ys.shape).toEqual([xs.patches.shape[0], 1]);
      expect(ys.dataSync()[at]).toBe((clips[i] as Clip).label);
      stream.close();
    }
    tf.dispose(elements);
  });

  test('fewer than K patches are padded and masked', async () => {
    const [element] = await collect(
      patchDataset(tf, [videoOf(0)], { ...small, kKeep: 300, batchSize: 2, layout: 'nchw' }),
    );
    const { patches, positions, mask } = (element as { xs: never })['xs'] as {
      patches: tf.Tensor;
      positions: tf.Tensor;
      mask: tf.Tensor;
    };
    expect(element).not.toHaveProperty('ys');
    expect([patches.shape, positions.shape, mask.shape]).toEqual([
      [1, 300, 3, 8, 8],
      [1, 300, 3],
      [1, 300],
    ]);
    expect([...mask.dataSync()]).toEqual([
      ...Array<number>(288).fill(1),
      ...Array<number>(12).fill(0),
    ]);
    expect([...patches.dataSync().subarray(288 * 192)].some((v) => v !== 0)).toBe(false);
    expect([...positions.dataSync().slice(-36)].some((v) => v !== 0)).toBe(false);
    expect([...positions.dataSync().slice(287 * 3, 288 * 3)]).toEqual([7, 5, 5]);
    tf.dispose(element);
  });

  test('select: one tensor for models with one input; what it leaves is disposed', async () => {
    const dataset = patchDataset(tf, clips.slice(0, 3), {
      ...options,
      batchSize: 3,
      select: ({ patches, mask }) => patches.sum<tf.Tensor2D>([2, 3, 4]).mul<tf.Tensor2D>(mask),
    });
    const elements = await collect(dataset);
    expect(elements[0]?.xs.shape).toEqual([3, 20]);
    expect(tf.memory().numTensors).toBe(tensors + 2);
    tf.dispose(elements);
    const failing = patchDataset(tf, clips, {
      ...options,
      select: () => {
        throw new Error('no such input');
      },
    });
    await expect((await failing.iterator()).next()).rejects.toThrow('no such input');
  });

  test('labels: functions, vectors, one-hot', async () => {
    const few = clips.slice(0, 4);
    const read = async (
      videos: Iterable<string | Clip>,
      more: Partial<PatchDatasetOptions<string | Clip, 'clip'>>,
    ): Promise<tf.Tensor> => {
      const dataset = patchDataset(tf, videos, { ...options, batchSize: 4, ...more });
      const [element] = (await collect(dataset)) as unknown as { xs: never; ys: tf.Tensor }[];
      tf.dispose(element?.xs);
      return element?.ys as tf.Tensor;
    };
    const oneHot = await read(few, { numClasses: 4 });
    expect(oneHot.arraySync()).toEqual([
      [1, 0, 0, 0],
      [0, 1, 0, 0],
      [0, 0, 1, 0],
      [0, 0, 0, 1],
    ]);
    const byName = await read(
      few.map(({ video }) => video),
      { label: (video) => ((video as string).includes('left') ? [1, 0.5] : [0, 0.25]) },
    );
    expect(byName.arraySync()).toEqual([
      [1, 0.5],
      [0, 0.25],
      [0, 0.25],
      [0, 0.25],
    ]);
    oneHot.dispose();
    byName.dispose();
    await expect(read(few, { numClasses: 3 })).rejects.toThrow(/0003-down.*between 0 and 2.*3/);
    await expect(read([videoOf(0), clips[1] as Clip], {})).rejects.toThrow(
      /0001-right.*no label, as for .*0000-left.*received a label of 1 number/,
    );
  });

  test('the order is the same for a seed, whatever the concurrency', async () => {
    const order = async (more: Partial<PatchDatasetOptions>): Promise<number[]> => {
      const videos = clips.map(({ video }, label) => ({ video, label }));
      const dataset = patchDataset(tf, videos, { ...options, kKeep: 4, shuffle: true, ...more });
      const elements = await collect(dataset);
      const labels = elements.flatMap(({ ys }) => [...(ys as tf.Tensor).dataSync()]);
      tf.dispose(elements);
      return labels;
    };
    const alone = await order({ seed: 5, prefetchDepth: 1 });
    expect([...alone].sort((a, b) => a - b)).toEqual([...Array(10).keys()]);
    expect(await order({ seed: 5, prefetchDepth: 8 })).toEqual(alone);
    expect(await order({ seed: 5, prefetchDepth: 8, concurrency: 2, batchSize: 3 })).toEqual(alone);
    expect(await order({ seed: 6 })).not.toEqual(alone);
    expect(await order({ shuffle: false })).toEqual([...Array(10).keys()]);
    expect(await order({ shuffle: false, shard: { index: 1, count: 4 } })).toEqual([1, 5, 9]);
    const dropped = await order({ shuffle: false, batchSize: 4, dropRemainder: true });
    expect(dropped).toEqual([0, 1, 2, 3, 4, 5, 6, 7]);
  });

  test('size', () => {
    const size = (more: PatchDatasetOptions, videos: Iterable<Clip> = clips): number =>
      patchDataset(tf, videos, { ...options, ...more }).size;
    expect(size({})).toBe(10);
    expect(size({ batchSize: 3 })).toBe(4);
    expect(size({ batchSize: 3, dropRemainder: true })).toBe(3);
    expect(size({ batchSize: 3, repeat: 2 })).toBe(7);
    expect(size({ repeat: Infinity })).toBe(Infinity);
    expect(size({ shard: { index: 3, count: 4 } })).toBe(2);
    expect(size({}, [])).toBe(0);
    expect(size({ onError: 'skip' })).toBeNull();
    expect(size({}, new Set(clips))).toBeNull();
    expect(size({ unit: 'patch' })).toBeNull();
    expect(frameDataset(tf, clips, { batchSize: 3, repeat: 2 }).size).toBe(7);
    expect(frameDataset(tf, clips, { onError: 'skip' }).size).toBeNull();
    const dataset = patchDataset(tf, clips, options);
    expect(dataset.take(3).size).toBe(3);
    expect(dataset.skip(3).repeat(2).size).toBe(14);
    expect(dataset.shuffle(3).prefetch(2).batch(5).size).toBe(2);
  });

  test('sources: bytes, URLs, sets, generators, async generators', async () => {
    const url = new URL(`file://${videoOf(0)}`);
    const bytes = makeClip(1, 0, { size: 48, frames: 12 });
    const sources = [
      [videoOf(0), url, bytes, { video: new Uint8Array(bytes).buffer }],
      new Set([videoOf(0), url]),
      function* () {
        yield url;
      },
      async function* () {
        yield await Promise.resolve({ video: bytes });
      },
    ];
    const sums: number[] = [];
    for (const videos of sources) {
      const dataset = patchDataset(tf, videos as string[], {
        ...options,
        select: ({ patches }) => patches.sum(),
      });
      const elements = await collect(dataset);
      sums.push(...elements.map(({ xs }) => xs.dataSync()[0] as number));
      tf.dispose(elements);
    }
    expect(sums).toHaveLength(8);
    expect(new Set(sums).size).toBe(1);
  });
});

describe('patchDataset, patches', () => {
  test('one row per patch, batches across clips, the label repeated', async () => {
    const dataset = patchDataset(tf, clips.slice(0, 3), {
      ...options,
      unit: 'patch',
      batchSize: 16,
    });
    const elements = await collect(dataset);
    expect(elements.map(({ xs }) => xs.shape)).toEqual([
      [16, 8, 8, 3],
      [16, 8, 8, 3],
      [16, 8, 8, 3],
      [12, 8, 8, 3],
    ]);
    const all = tf.concat(elements.map(({ xs }) => xs));
    const labels = tf.concat(elements.map(({ ys }) => ys));
    expect([...labels.dataSync()]).toEqual([0, 1, 2].flatMap((l) => Array<number>(20).fill(l)));
    for (let i = 0; i < 3; i++) {
      const videoPath = videoOf(i);
      const stream = await patchStream({
        videoPath,
        ...options,
        outputDtype: 'fp32',
        layout: 'nhwc',
      });
      const want = stream.patches.data;
      expect(all.dataSync().subarray(i * want.length, (i + 1) * want.length)).toEqual(want);
      stream.close();
    }
    tf.dispose([elements, all, labels]);
  });

  test('select sees the positions; a smaller last batch can be left out', async () => {
    const positionsOf = async (more: object): Promise<number[][]> => {
      const dataset = patchDataset(tf, clips.slice(0, 2), {
        ...options,
        unit: 'patch',
        batchSize: 15,
        select: ({ positions }) => positions,
        ...more,
      });
      const elements = await collect(dataset);
      const rows = elements.map(({ xs }) => [...xs.dataSync()]);
      tf.dispose(elements);
      return rows;
    };
    const streams = await Promise.all(
      [0, 1].map((i) => patchStream({ videoPath: videoOf(i), ...options })),
    );
    const want = streams.flatMap((stream) => [...(stream.positions.data as Int32Array)]);
    for (const stream of streams) stream.close();
    const rows = await positionsOf({});
    expect(rows.map((row) => row.length)).toEqual([45, 45, 30]);
    expect(rows.flat()).toEqual(want);
    expect((await positionsOf({ dropRemainder: true })).flat()).toEqual(want.slice(0, 90));
    expect((await positionsOf({ batchSize: 100 })).flat()).toEqual(want);
  });
});

describe('frameDataset', () => {
  test('frames of one size, normalised and laid out', async () => {
    const config = { sequenceLength: 3, width: 20, height: 12, backend: 'cpu' } as const;
    const frames = await decodeOnly({ videoPath: videoOf(2), ...config });
    const rgb = frames.frames.data;
    const mixed = [clips[2] as Clip, { video: makeClip(9, 1, { size: 32, frames: 5 }), label: 9 }];
    const plain = await collect(frameDataset(tf, mixed, { ...config, batchSize: 2 }));
    expect(plain[0]?.xs.shape).toEqual([2, 3, 12, 20, 3]);
    expect([...(plain[0]?.xs.dataSync().subarray(0, rgb.length) ?? [])]).toEqual([...rgb]);
    expect([...(plain[0]?.ys.dataSync() ?? [])]).toEqual([2, 9]);
    const four = { ...config, batchSize: 4 } as const;
    const counts = async (dropRemainder: boolean): Promise<(number | undefined)[]> => {
      const all = await collect(frameDataset(tf, clips, { ...four, dropRemainder }));
      tf.dispose(all);
      return all.map(({ xs }) => xs.shape[0]);
    };
    expect([await counts(false), await counts(true)]).toEqual([
      [4, 4, 2],
      [4, 4],
    ]);
    const ints = await collect(frameDataset(tf, [videoOf(2)], { ...config, dtype: 'int32' }));
    expect(ints[0]?.xs.dtype).toBe('int32');
    const nchw = await collect(
      frameDataset(tf, [videoOf(2)], { ...config, layout: 'nchw', normalize: 'clip' }),
    );
    expect(nchw[0]?.xs.shape).toEqual([1, 3, 3, 12, 20]);
    const reference = await toTensor(tf, frames, { layout: 'nchw', normalize: 'clip' });
    const difference = tf.tidy(() =>
      (nchw[0]?.xs as tf.Tensor).sub(reference.expandDims(0)).abs().max().dataSync(),
    );
    expect(difference[0]).toBeLessThan(1e-5);
    tf.dispose([plain, ints, nchw, reference] as never);
    frames.close();
  });

  test('videos of different sizes are an error that says what to do', async () => {
    const mixed = [videoOf(0), makeClip(9, 1, { size: 32, frames: 5 })];
    const iterator = await frameDataset(tf, mixed, { sequenceLength: 2, batchSize: 2 }).iterator();
    await expect(iterator.next()).rejects.toThrow(/memory.*48×48.*32×32.*width and height/);
  });
});

describe('errors', () => {
  test('an error of a video comes once, with its path, and the rest follows', async () => {
    const videos = [videoOf(0), missing, videoOf(1), text, videoOf(2)];
    const iterator = await patchDataset(tf, videos, { ...options, prefetchDepth: 5 }).iterator();
    const seen: string[] = [];
    for (;;) {
      try {
        const result = await iterator.next();
        if (result.done) break;
        tf.dispose(result.value);
        seen.push('ok');
      } catch (error) {
        const { code, video, message } = error as { code: string; video: string; message: string };
        expect(message).toContain(video);
        seen.push(`${code} ${path.basename(video)}`);
      }
    }
    expect(seen.slice(0, 3)).toEqual(['ok', 'ERR_CPS_NOT_FOUND missing.mp4', 'ok']);
    expect(seen[3]).toMatch(/^ERR_CPS_\w+ text\.mp4$/);
    expect(seen.slice(4)).toEqual(['ok']);
    expect((await iterator.next()).done).toBe(true);
  });

  test("'skip' and callbacks: the rest comes in order", async () => {
    const videos = [missing, ...clips.slice(0, 2), { video: text, label: 0 }, ...clips.slice(2, 4)];
    const reasons: string[] = [];
    for (const onError of [
      'skip' as const,
      (error: Error): void => void reasons.push(error.message),
    ]) {
      const labelled = videos.map((v) => (typeof v === 'string' ? { video: v, label: 0 } : v));
      const dataset = patchDataset(tf, labelled, { ...options, batchSize: 3, onError });
      const elements = await collect(dataset);
      expect(elements.flatMap(({ ys }) => [...ys.dataSync()])).toEqual([0, 1, 2, 3]);
      tf.dispose(elements);
    }
    expect(reasons).toHaveLength(2);
    expect(reasons[0]).toContain(missing);
    expect(reasons[1]).toContain(text);
  });

  test.each(['clip', 'patch', 'frames'] as const)(
    '%s: abort ends the epoch with an AbortError; of a batch half full nothing comes',
    async (unit) => {
      const controller = new AbortController();
      let labels = 0;
      const label = (entry: Clip): number => {
        if (++labels === 7) controller.abort();
        return entry.label;
      };
      const { signal } = controller;
      const flow = { signal, label, prefetchDepth: 2 };
      const dataset: tf.data.Dataset<tf.TensorContainer> =
        unit === 'frames'
          ? frameDataset(tf, clips, { ...flow, sequenceLength: 2, batchSize: 4 })
          : patchDataset(tf, clips, {
              ...options,
              ...flow,
              unit,
              batchSize: unit === 'clip' ? 4 : 80,
            });
      const iterator = await dataset.iterator();
      tf.dispose((await iterator.next()).value as never);
      await expect(iterator.next()).rejects.toMatchObject({ name: 'AbortError' });
      expect((await iterator.next()).done).toBe(true);
    },
  );

  test('a label that does not fit is an error once, of its own video alone', async () => {
    const videos = [0, 1, 2, 3].map((i) => ({ video: videoOf(i), label: i === 1 ? [1, 2] : [i] }));
    const flow = { batchSize: 2 };
    for (const dataset of [
      patchDataset(tf, videos, { ...options, ...flow }),
      patchDataset(tf, videos, { ...options, unit: 'patch', batchSize: 40 }),
      frameDataset(tf, videos, { sequenceLength: 2, ...flow }),
    ] as tf.data.Dataset<{ xs: tf.TensorContainer; ys: tf.Tensor2D }>[]) {
      const iterator = await dataset.iterator();
      await expect(iterator.next()).rejects.toThrow(
        /0001-right.*a label of 1 number, as for .*0000-left.*received a label of 2 numbers/,
      );
      const labels = new Set<number>();
      for (let x = await iterator.next(); !x.done; x = await iterator.next()) {
        for (const value of x.value.ys.dataSync()) labels.add(value);
        tf.dispose(x.value);
      }
      expect([...labels]).toEqual([0, 2, 3]);
    }
  });

  test('toArray: everything, or nothing is left behind', async () => {
    const all = await patchDataset(tf, clips.slice(0, 3), options).toArray();
    expect(all).toHaveLength(3);
    tf.dispose(all);
    const broken = patchDataset(tf, [videoOf(0), videoOf(1), missing], options);
    await expect(broken.toArray()).rejects.toThrow(missing);
    await expect(broken.map((x) => x).toArray()).rejects.toThrow(missing);
  });

  test('options are checked before anything is decoded', () => {
    const make =
      (o: object, videos: unknown = clips) =>
      () =>
        patchDataset(tf, videos as Clip[], o as PatchDatasetOptions<Clip>);
    expect(make({ kKep: 3 })).toThrow(/unknown key "kKep".*kKeep/);
    expect(make({ kKeep: 0 })).toThrow(/kKeep/);
    for (const kKeep of [{ frames: 2 }, { perSecond: 8 }]) {
      expect(make({ kKeep })).toThrow(/integer, or { perSecond, max } for kKeep .*have one length/);
      expect(make({ kKeep, unit: 'patch' })).not.toThrow();
    }
    expect(make({ batchSize: 0 })).toThrow(/integer >= 1 for batchSize but received 0/);
    expect(make({ prefetchDepth: 65 })).toThrow(/prefetchDepth/);
    expect(make({ outputDtype: 'fp16' })).toThrow(/'float32' for outputDtype but received 'fp16'/);
    expect(make({ layout: 'chw' })).toThrow(/layout/);
    expect(make({ unit: 'frame' })).toThrow(/'clip' or 'patch' for unit/);
    expect(make({ shuffle: -1 })).toThrow(/shuffle/);
    expect(make({ repeat: 0 })).toThrow(/repeat/);
    expect(make({ shard: { index: 2, count: 2 } })).toThrow(/shard.index/);
    expect(make({ onError: 'ignore' })).toThrow(/onError/);
    expect(make({ signal: {} })).toThrow(/signal/);
    expect(make({ batchsize: 3 })).toThrow(
      /unknown key "batchsize".*patchDataset takes.*batchSize/,
    );
    expect(make({ videoPath: 'a' })).toThrow(/no value for videoPath.*argument of patchDataset/);
    expect(make({ outputDtype: undefined })).not.toThrow();
    expect(make({ outputDtype: 'fp32' })).not.toThrow();
    expect(make({}, videoOf(0))).toThrow(/write \[video\] for one/);
    expect(make({}, 7)).toThrow(/for videos but received 7/);
    expect(() => frameDataset(tf, clips, { width: 3 })).toThrow(/height/);
    expect(() => frameDataset(tf, clips, { kKeep: 3 } as never)).toThrow(/"kKeep".*frameDataset/);
    for (const size of [0, -1, 1.5, undefined as never]) {
      expect(() => patchDataset(tf, clips, options).prefetch(size)).toThrow(/for bufferSize/);
      expect(() => patchDataset(tf, clips, options).shuffle(size)).toThrow(/for bufferSize/);
    }
  });
});

describe('training', () => {
  test('fitDataset: labelled clips, one-hot, several epochs, validation', async () => {
    const dataset = patchDataset(tf, clips.slice(0, 6), {
      ...options,
      batchSize: 2,
      shuffle: true,
      normalize: 'unit',
      numClasses: 4,
      select: ({ patches }) => patches.reshape([-1, 20, 192]),
    });
    const model = tf.sequential();
    model.add(tf.layers.dense({ inputShape: [20, 192], units: 4, kernelInitializer: 'zeros' }));
    model.add(tf.layers.globalAveragePooling1d({}));
    model.add(tf.layers.activation({ activation: 'softmax' }));
    model.compile({ optimizer: tf.train.adam(0.002), loss: 'categoricalCrossentropy' });
    const batches: number[] = [];
    const history = await model.fitDataset(dataset, {
      epochs: 6,
      verbose: 0,
      validationData: dataset,
      callbacks: { onBatchEnd: (batch) => void batches.push(batch) },
    });
    expect(batches).toEqual(Array.from({ length: 18 }, (_, i) => i % 3));
    expect(history.history['loss']).toHaveLength(6);
    const losses = history.history['val_loss'] as number[];
    expect(losses.at(-1)).toBeLessThan(losses[0] as number);
    const held = tf.memory().numTensors;
    await model.fitDataset(dataset, { epochs: 2, verbose: 0 });
    expect(tf.memory().numTensors).toBe(held);
    model.dispose();
    model.optimizer.dispose();
  });
});
