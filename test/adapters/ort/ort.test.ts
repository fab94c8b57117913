/**
 * The ONNX Runtime adapter on the real addon and the CPU provider of onnxruntime-node.
 *
 * @jest-environment ./test/helpers/one-realm-environment.cjs
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import * as ort from 'onnxruntime-node';
import { writeClips } from '../../../examples/lib/clips.js';
import type { Clip } from '../../../examples/lib/clips.js';
import { GraphBuilder } from '../../../examples/lib/onnx.js';
import type { OnnxType } from '../../../examples/lib/onnx.js';
import { vitOnnx, vitTfjs, vitWeights } from '../../../examples/lib/vit.js';
import { toFloat16 } from '../../../adapters/ort/convert.js';
import { feeds, feedStream, patchOptions, toOrtTensor } from '../../../adapters/ort/index.js';
import type { Mapping } from '../../../adapters/ort/index.js';
import { patchDataset } from '../../../adapters/tfjs/index.js';
import type { ClipXs } from '../../../adapters/tfjs/index.js';
import { patchStream } from '../../../src/index.js';
import type { PatchStream, PatchStreamConfig } from '../../../src/index.js';
import { jsMemory, Tensor } from '../../../src/api/tensor.js';
import { sourceOf } from '../../helpers/sources.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-ort-'));
const missing = path.join(folder, 'missing.mp4');
const small = { sequenceLength: 4, inputSize: 56, patchSize: 14, backend: 'cpu' } as const;
let clips: Clip[];
const videoOf = (i: number): string => (clips[i] as Clip).video;

beforeAll(async () => {
  await tf.setBackend('cpu');
  tf.env().set('IS_TEST', true);
  clips = writeClips(folder, 6, 1, { size: 56, frames: 8 });
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));

const open = (i: number, config: Partial<PatchStreamConfig> = {}): Promise<PatchStream> =>
  patchStream({ ...small, videoPath: videoOf(i), kKeep: 20, ...config });

type Shape = readonly (number | string)[];

/** A model that hands its inputs back, so that what really arrives can be seen. */
async function echo(inputs: Record<string, readonly [OnnxType, Shape]>) {
  const g = new GraphBuilder();
  for (const [name, [type, shape]] of Object.entries(inputs)) {
    g.input(name, type, shape);
    g.node('Identity', [name], {}, `${name}_out`);
    g.output(`${name}_out`, type, shape);
  }
  return ort.InferenceSession.create(g.encode());
}

async function run(session: ort.InferenceSession, feed: Record<string, ort.Tensor>, name: string) {
  const results = await session.run(feed);
  return results[`${name}_out`] as ort.Tensor;
}

/** The bits of float16 results, whichever array holds them. */
const bitsOf = (tensor: ort.Tensor): Uint16Array => {
  const { buffer, byteOffset } = tensor.data as Uint16Array;
  return new Uint16Array(buffer, byteOffset, tensor.size);
};

describe('toOrtTensor', () => {
  test.each(['float32', 'float16', 'uint8'] as const)(
    '%s: no copy, survives close()',
    async (t) => {
      const stream = await open(0, { outputDtype: t });
      const data = stream.patches.data as Float32Array;
      const tensor = await toOrtTensor(ort, stream.patches);
      stream.close();
      expect(tensor).toBeInstanceOf(ort.Tensor);
      expect([tensor.type, tensor.dims]).toEqual([t, [20, 3, 14, 14]]);
      expect((tensor.data as Float32Array).buffer).toBe(data.buffer);
    },
  );

  test('bfloat16 is widened, int32 becomes int64, dims change', async () => {
    const stream = await open(0, { outputDtype: 'bf16' });
    const tensor = await toOrtTensor(ort, stream.patches, { dims: [1, 20, 588] });
    expect([tensor.type, tensor.dims]).toEqual(['float32', [1, 20, 588]]);
    expect(tensor.data).toEqual(await stream.patches.toFloat32());
    const positions = await toOrtTensor(ort, stream.positions, { dtype: 'int64' });
    expect(positions.type).toBe('int64');
    expect(Array.from(positions.data as BigInt64Array, Number)).toEqual([
      ...(stream.positions.data as Int32Array),
    ]);
    await expect(toOrtTensor(ort, stream.patches, { dims: [3] })).rejects.toThrow(/11760 elements/);
    await expect(toOrtTensor(ort, stream.patches, { dtype: 'int8' as never })).rejects.toThrow(
      /for dtype but received 'int8'/,
    );
    stream.close();
  });

  test('int64 and bool stay what they are, and become other whole numbers', async () => {
    const ids = BigInt64Array.of(7n, -1n);
    const tensor = Tensor.over(jsMemory(ids.buffer), 'int64', [2]);
    const same = await toOrtTensor(ort, tensor);
    expect([same.type, (same.data as BigInt64Array).buffer]).toEqual(['int64', ids.buffer]);
    const narrow = await toOrtTensor(ort, tensor, { dtype: 'int32' });
    expect(narrow.data).toEqual(Int32Array.of(7, -1));
    const flags = Tensor.over(jsMemory(Uint8Array.of(1, 0).buffer), 'bool', [2]);
    expect((await toOrtTensor(ort, flags)).type).toBe('bool');
    const wide = await toOrtTensor(ort, flags, { dtype: 'int64' });
    expect(wide.data).toEqual(BigInt64Array.of(1n, 0n));
    ids[0] = 2n ** 40n;
    await expect(toOrtTensor(ort, tensor, { dtype: 'int32' })).rejects.toThrow(/fit into int32/);
  });

  test('float32 to float16 against every half float and its neighbourhood', async () => {
    const bits = Uint16Array.from({ length: 65536 }, (_, i) => i);
    const halves = await Tensor.over(jsMemory(bits.buffer), 'float16', [65536]).toFloat32();
    const back = toFloat16(halves);
    const wrong = bits.filter((b, i) => !Number.isNaN(halves[i]) && back[i] !== b);
    expect([...wrong]).toEqual([]);
    expect((back[0x7e01] as number) & 0x7e00).toBe(0x7e00);
    // Between two neighbours: the middle goes to the even one, a little more or less to the nearest.
    for (let i = 0; i < 0x7bff; i += 7) {
      const [low, high] = [halves[i] as number, halves[i + 1] as number];
      const middle = (low + high) / 2;
      const near = Float32Array.of(middle, middle + (high - low) / 64, middle - (high - low) / 64);
      expect([...toFloat16(near)]).toEqual([i % 2 === 0 ? i : i + 1, i + 1, i]);
    }
    expect([...toFloat16(Float32Array.of(65519, 65520, -1e9, 1e-9, -0))]).toEqual([
      0x7bff, 0x7c00, 0xfc00, 0, 0x8000,
    ]);
  });
});

describe('feeds', () => {
  test('one stream, everything open: names, types and shapes of the model', async () => {
    const session = await echo({
      pixel_values: ['float32', ['n', 3, 14, 14]],
      position_ids: ['int64', ['n', 3]],
      attention_mask: ['bool', ['n']],
      scores: ['float32', ['n']],
      indices: ['int32', ['n']],
    });
    const stream = await open(0, { outputDtype: 'fp32' });
    const feed = await feeds(session, stream);
    expect(Object.entries(feed).map(([name, { type, dims }]) => [name, type, dims])).toEqual([
      ['pixel_values', 'float32', [20, 3, 14, 14]],
      ['position_ids', 'int64', [20, 3]],
      ['attention_mask', 'bool', [20]],
      ['scores', 'float32', [20]],
      ['indices', 'int32', [20]],
    ]);
    expect((feed['pixel_values']?.data as Float32Array).buffer).toBe(stream.patches.data?.buffer);
    const results = await session.run(feed);
    expect(results['pixel_values_out']?.data).toEqual(stream.patches.data);
    expect(Array.from(results['position_ids_out']?.data as BigInt64Array, Number)).toEqual([
      ...(stream.positions.data as Int32Array),
    ]);
    expect([...(results['attention_mask_out']?.data as Uint8Array)]).toEqual(Array(20).fill(1));
    expect(results['scores_out']?.data).toEqual(stream.metadataTensors.scores.data);
    expect([...(results['indices_out']?.data as Int32Array)]).toEqual(
      stream.metadata.map(({ patchLinearIdx }) => patchLinearIdx),
    );
    stream.close();
  });

  test.each([
    ['float32', 'fp32'],
    ['float16', 'fp16'],
    ['uint8', 'uint8'],
  ] as const)('%s, natively and converted, arrives bit for bit', async (type, outputDtype) => {
    const session = await echo({ patches: [type, [1, 24, 3, 14, 14]] });
    expect(patchOptions(session)).toEqual({
      ...{ outputDtype: type, layout: 'nchw', patchSize: 14, kKeep: 24 },
    });
    // Resized, so that there is something to round.
    const native = await open(1, { ...patchOptions(session), inputSize: 84 });
    const result = await run(session, await feeds(session, native), 'patches');
    const plain = await open(1, { kKeep: 24, outputDtype: 'fp32', inputSize: 84 });
    const converted = await run(session, await feeds(session, plain), 'patches');
    const get = (tensor: ort.Tensor): unknown =>
      type === 'float16' ? bitsOf(tensor) : tensor.data;
    expect(get(result)).toEqual(native.patches.data);
    expect(get(converted)).toEqual(native.patches.data);
    expect((await open(1, { outputDtype })).patches.dtype).toBe(type);
    native.close();
    plain.close();
  });

  test('fixed K pads, batches stack, flattened patches, layout nhwc', async () => {
    const session = await echo({
      patches: ['float32', ['b', 70, 588]],
      positions: ['int32', ['b', 70, 3]],
      mask: ['float32', ['b', 70]],
    });
    const streams = await Promise.all([open(0, { kKeep: 64 }), open(1, { kKeep: 10 })]);
    const feed = await feeds(session, streams);
    expect(feed['patches']?.dims).toEqual([2, 70, 588]);
    const results = await session.run(feed);
    const mask = [...(results['mask_out']?.data as Float32Array)];
    expect(mask).toEqual([64, 10].flatMap((n) => Array.from({ length: 70 }, (_, i) => +(i < n))));
    const pixels = results['patches_out']?.data as Float32Array;
    const [first, second] = await Promise.all(streams.map((s) => s.patches.toFloat32()));
    expect(pixels.subarray(0, 64 * 588)).toEqual(first);
    expect(pixels.subarray(70 * 588, 80 * 588)).toEqual(second);
    expect(pixels.subarray(64 * 588, 70 * 588).some((v) => v !== 0)).toBe(false);
    const positions = results['positions_out']?.data as Int32Array;
    expect(positions.subarray(70 * 3, 80 * 3)).toEqual(streams[1].positions.data);
    for (const stream of streams) stream.close();

    const nhwc = await echo({ x: ['float32', ['k', 14, 14, 3]] });
    expect(patchOptions(nhwc)).toEqual({ outputDtype: 'float32', layout: 'nhwc', patchSize: 14 });
    const stream = await open(0, patchOptions(nhwc));
    expect((await feeds(nhwc, stream))['x']?.dims).toEqual([20, 14, 14, 3]);
    stream.close();
  });

  test('mapping: other names, constants, functions of the streams', async () => {
    const session = await echo({
      a: ['float32', ['k', 3, 14, 14]],
      tokens: ['int64', [2]],
      length: ['int32', [1]],
    });
    const tokens = new ort.Tensor('int64', BigInt64Array.of(5n, 6n), [2]);
    const mapping: Mapping = {
      a: 'patches',
      tokens,
      length: ([stream]) => new ort.Tensor('int32', Int32Array.of(stream?.length ?? 0), [1]),
    };
    const stream = await open(0);
    const feed = await feeds(session, stream, mapping, { ort });
    expect(feed['tokens']).toBe(tokens);
    expect((feed['length']?.data as Int32Array)[0]).toBe(20);
    await expect(feeds(session, stream)).rejects.toThrow(
      /'a'.*float32\[k, 3, 14, 14\].*no name that tells.*mapping \{ "a"/,
    );
    await expect(feeds(session, stream, { b: 'mask' })).rejects.toThrow(/a, tokens, length/);
    await expect(feeds(session, stream, { ...mapping, a: 'x' as never })).rejects.toThrow(
      /for mapping.a/,
    );
    stream.close();
  });

  test.each([
    [{ patches: ['float32', ['k', 3, 16, 16]] }, {}, /\[3, 14, 14\].*patchSize/],
    [{ patches: ['float32', ['k', 14, 14, 3]] }, {}, /layout: 'nhwc'/],
    [{ patches: ['float32', [8, 3, 14, 14]] }, {}, /takes 8 patches.*has 20.*kKeep: 8/],
    [{ patches: ['int32', ['k', 3, 14, 14]] }, {}, /int32.*float32, float16, uint8/],
    [{ patches: ['float32', ['k', 'c', 3, 1, 14, 14]] }, {}, /\[B, K, 3, P, P\]/],
    [{ positions: ['int64', ['k', 2]] }, {}, /3 numbers per patch/],
    [{ positions: ['bool', ['k', 3]] }, {}, /int64, int32/],
    [{ mask: ['bool', ['k', 1, 1]] }, {}, /mask are \[K\] or \[B, K\]/],
    [{ patches: ['float32', [8, 588]], mask: ['bool', [9]] }, {}, /8 patches for 'patches'.*9/],
  ] as const)('what does not fit is said in words: %j', async (inputs, config, message) => {
    const session = await echo(inputs);
    const stream = await open(0, config);
    await expect(feeds(session, stream)).rejects.toThrow(message);
    stream.close();
  });

  test('several streams for a model without a batch axis, none at all', async () => {
    const session = await echo({ patches: ['float32', ['k', 3, 14, 14]] });
    const stream = await open(0);
    await expect(feeds(session, [stream, stream])).rejects.toThrow(/one stream.*no batch axis/);
    const open5 = await echo({ patches: ['float32', ['b', 'k', 3, 'p', 'p']] });
    const larger = await open(0, { patchSize: 28 });
    await expect(feeds(open5, [stream, larger])).rejects.toThrow(
      /one shape.*\[3, 14, 14\] and \[3, 28, 28\].*same patchSize and layout/,
    );
    larger.close();
    await expect(feeds(session, [])).rejects.toThrow(/at least one stream/);
    const old = { inputNames: ['patches'], inputMetadata: undefined as never };
    await expect(feeds(old, stream)).rejects.toThrow(/update onnxruntime-node/);
    stream.close();
  });
});

describe('feedStream', () => {
  const config = { ...small, ort } as const;

  test('one video after the other, in order, with what the model takes', async () => {
    const session = await echo({ patches: ['uint8', [1, 12, 3, 14, 14]], mask: ['bool', [1, 12]] });
    const seen: number[] = [];
    for await (const { feeds: feed, videos } of feedStream(session, clips, config)) {
      const result = await run(session, feed, 'patches');
      const [video] = videos;
      const stream = await open(video?.index ?? -1, { kKeep: 12, outputDtype: 'uint8' });
      expect(result.data).toEqual(stream.patches.data);
      expect(video).toMatchObject({ length: 12, sampledFrameIds: [0, 2, 4, 7], grid: { t: 4 } });
      seen.push(video?.entry.label as number);
      stream.close();
    }
    expect(seen).toEqual([0, 1, 2, 3, 0, 1]);
  });

  test('takes sources, alone and as a part of an entry', async () => {
    const session = await echo({ patches: ['uint8', [1, 12, 3, 14, 14]] });
    const source = sourceOf(videoOf(0));
    const videos = [source, { video: sourceOf(videoOf(1)), label: 'second' }];
    const seen: unknown[] = [];
    for await (const { feeds: feed, videos: rows } of feedStream(session, videos, config)) {
      const stream = await open(seen.length, { kKeep: 12, outputDtype: 'uint8' });
      expect((await run(session, feed, 'patches')).data).toEqual(stream.patches.data);
      stream.close();
      seen.push(rows[0]?.entry);
    }
    expect(seen[0]).toBe(source);
    expect(seen[1]).toBe(videos[1]);
    expect(source.reads.ranges.length).toBeGreaterThan(0);
  });

  test('batches; a fixed batch size pads the last one', async () => {
    const shapes = async (
      b: number | string,
      batchSize?: number,
      dropRemainder = false,
    ): Promise<unknown[]> => {
      const session = await echo({ x: ['float32', [b, 'k', 588]] });
      const all: unknown[] = [];
      const options = { ...config, kKeep: 8, batchSize, dropRemainder };
      for await (const { feeds: feed, videos } of feedStream(session, clips, options)) {
        all.push([feed['x']?.dims[0], videos.length]);
      }
      return all;
    };
    expect(await shapes('b', 4)).toEqual([
      [4, 4],
      [2, 2],
    ]);
    expect(await shapes(4)).toEqual([
      [4, 4],
      [4, 2],
    ]);
    expect(await shapes('b', 4, true)).toEqual([[4, 4]]);
    await expect(shapes(4, 3)).rejects.toThrow(/4, the model's batch size for batchSize/);
  });

  test('options that contradict the model are refused before anything is decoded', async () => {
    const session = await echo({ patches: ['uint8', [12, 3, 14, 14]] });
    const make = (options: object) => () => feedStream(session, clips, { ...config, ...options });
    expect(make({ outputDtype: 'fp32' })).toThrow(/"uint8", which the model takes for outputDtype/);
    expect(make({ layout: 'nhwc' })).toThrow(/for layout/);
    expect(make({ patchSize: 16 })).toThrow(/for patchSize/);
    expect(make({ kKeep: 13 })).toThrow(/12, which the model takes for kKeep/);
    expect(make({ kKeep: { frames: 0.1 } })).toThrow(/12, which the model takes for kKeep/);
    expect(make({ kKeep: { perSecond: 5, max: 12 } })).not.toThrow();
    expect(make({ normalize: 'unit' })).toThrow(/for normalize/);
    expect(make({ batchSize: 2 })).toThrow(/no batch axis/);
    expect(make({ kKep: 2 })).toThrow(/unknown key "kKep".*feedStream takes.*mapping/);
    expect(make({ videoPath: 'a' })).toThrow(/no value for videoPath/);
    expect(() => feedStream(session, clips, null as never)).toThrow(/object for options/);
    expect(make({ kKeep: 10, outputDtype: 'uint8' })).not.toThrow();
  });

  test('errors, policies, abort, leaving the loop', async () => {
    const session = await echo({ patches: ['float32', ['k', 588]] });
    const videos = [videoOf(0), missing, videoOf(1)];
    const options = { ...config, kKeep: 8 };
    const iterator = feedStream(session, videos, options);
    await iterator.next();
    await expect(iterator.next()).rejects.toMatchObject({
      code: 'ERR_CPS_NOT_FOUND',
      video: missing,
    });
    const third = (await iterator.next()).value as { videos: { entry: string }[] };
    expect(third.videos[0]?.entry).toBe(videoOf(1));
    expect((await iterator.next()).done).toBe(true);

    const reasons: string[] = [];
    const entries: string[] = [];
    const onError = (error: Error): void => void reasons.push(error.message);
    for await (const batch of feedStream(session, videos, { ...options, onError })) {
      entries.push(batch.videos[0]?.entry as string);
    }
    expect(entries).toEqual([videoOf(0), videoOf(1)]);
    expect(reasons).toEqual([expect.stringContaining(missing)]);

    const controller = new AbortController();
    const aborted = feedStream(session, clips, { ...options, signal: controller.signal });
    await aborted.next();
    controller.abort();
    await expect(aborted.next()).rejects.toMatchObject({ name: 'AbortError' });

    let count = 0;
    const left = feedStream(session, clips, options);
    for await (const { videos: seen } of left) if ((count += seen.length) === 2) break;
    expect((await left.next()).done).toBe(true);
  });

  test('the next video decodes while the model blocks the event loop', async () => {
    const session = await echo({ patches: ['float32', ['k', 588]] });
    const readerCacheDir = path.join(folder, 'indexes');
    const options = { ...config, kKeep: 8, readerCacheDir, concurrency: 1 } as const;
    const videos = writeClips(path.join(folder, 'once'), 3, 1, { size: 56, frames: 8 });
    const iterator = feedStream(session, videos, options);
    await iterator.next();
    for (let i = 0; i < 50; i++) await Promise.resolve(); // The next call is made without the event loop.
    // From here on only native threads can move, and the index of the second video appears.
    const indexes = (): number => fs.readdirSync(readerCacheDir).length;
    const end = performance.now() + 10_000;
    while (indexes() < 2 && performance.now() < end);
    expect(indexes()).toBeGreaterThanOrEqual(2);
    await iterator.return?.();
  });
});

describe('the same weights in TensorFlow.js and in ONNX Runtime', () => {
  const weights = vitWeights(3);
  const config = { ...small, kKeep: 24 } as const;

  async function embedTfjs(): Promise<Float32Array> {
    const dataset = patchDataset(tf, clips, { ...config, batchSize: 6, layout: 'nchw' });
    const element = await (await dataset.iterator()).next();
    const { xs } = element.value as { xs: ClipXs };
    const embedding = vitTfjs(tf, weights, xs);
    return embedding.dataSync<'float32'>();
  }

  test('embeddings agree within 1e-4; float16 and uint8 within their precision', async () => {
    const want = await embedTfjs();
    for (const [input, tolerance] of [
      ['float32', 1e-4],
      // float32 pixels against rounded ones, and half precision throughout.
      ['uint8', 0.01],
      ['float16', 0.01],
    ] as const) {
      const session = await ort.InferenceSession.create(vitOnnx(weights, { input, count: 24 }));
      const got: number[] = [];
      for await (const { feeds: feed } of feedStream(session, clips, {
        ...config,
        ort,
        batchSize: 3,
      })) {
        const { embedding } = await session.run(feed);
        got.push(...(embedding?.data as Float32Array));
      }
      expect(got).toHaveLength(want.length);
      const worst = Math.max(...got.map((v, i) => Math.abs(v - (want[i] as number))));
      expect(worst).toBeLessThan(tolerance);
      expect(new Set(got.map((v) => v.toFixed(2))).size).toBeGreaterThan(50);
    }
  });

  test('padding changes nothing', async () => {
    const embed = async (count: number): Promise<Float32Array> => {
      const session = await ort.InferenceSession.create(vitOnnx(weights, { count }));
      const stream = await open(0, { kKeep: 24, outputDtype: 'fp32' });
      const { embedding } = await session.run(await feeds(session, stream));
      stream.close();
      return embedding?.data as Float32Array;
    };
    const [exact, padded] = [await embed(24), await embed(40)];
    exact.forEach((v, i) => expect(Math.abs(v - (padded[i] as number))).toBeLessThan(1e-5));
  });
});
