/**
 * Model inputs in ONNX Runtime: what arrives in a session, and what models of real architectures make of
 * it against PyTorch (examples/models/make.py).
 *
 * @jest-environment ./test/helpers/one-realm-environment.cjs
 */
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as ort from 'onnxruntime-node';
import { GraphBuilder } from '../../examples/lib/onnx.js';
import type { OnnxType } from '../../examples/lib/onnx.js';
import { feeds, feedStream, patchOptions } from '../../adapters/ort/index.js';
import { defineInput, fromConfig, inputStream, modelInputs } from '../../src/inputs/index.js';
import type { InputSpec, PresetName } from '../../src/inputs/index.js';
import { patchStream } from '../../src/index.js';
import { hashFrames } from '../helpers/hash-frames.js';

const models = path.join(__dirname, '../../examples/models');
const sample = path.join(__dirname, '../../assets/sample.mp4');

interface Recorded {
  readonly preset: PresetName;
  readonly config: object;
  readonly frames: readonly [number, number, number];
  /** Of OneVision-Encoder: as many videos, with the seeds 1, 2, ... */
  readonly videos?: number;
  readonly shape: readonly number[];
  readonly output: readonly number[];
}
const recorded = JSON.parse(fs.readFileSync(path.join(models, 'outputs.json'), 'utf8')) as Record<
  string,
  Recorded
>;

type Shape = readonly (number | string)[];

/** A model that hands its inputs back. */
async function echo(inputs: Record<string, readonly [OnnxType, Shape]>) {
  const g = new GraphBuilder();
  for (const [name, [type, shape]] of Object.entries(inputs)) {
    g.input(name, type, shape);
    g.node('Identity', [name], {}, `${name}_out`);
    g.output(`${name}_out`, type, shape);
  }
  return ort.InferenceSession.create(g.encode());
}

const sessionOf = (name: string) =>
  ort.InferenceSession.create(path.join(models, `${name}.onnx`), { intraOpNumThreads: 1 });

const farthest = (a: ArrayLike<number>, b: readonly number[]): number =>
  Math.max(...b.map((value, i) => Math.abs(value - (a[i] ?? NaN))));

const entries = Object.entries(recorded);
const encoders = entries.filter(([, { videos }]) => videos === undefined);

describe('models of real architectures', () => {
  test.each(entries.filter(([, { videos }]) => videos !== undefined))(
    '%s, every axis of it open, gives what PyTorch gives',
    async (_, { config, frames: [frames, height, width], videos = 1, shape, output }) => {
      const given = Array.from({ length: videos }, (__, v) =>
        hashFrames({ frames, height, width, seed: 1 + v }),
      );
      const input = fromConfig('onevision-encoder', config);
      const session = await sessionOf('onevision-encoder');
      const run = async (own: InputSpec): Promise<ort.Tensor> => {
        using inputs = await modelInputs(given, own);
        return (await session.run(await feeds(session, inputs)))['output'] as ort.Tensor;
      };
      const { dims, data } = await run(input);
      expect(dims).toEqual(shape);
      const step = Math.max(1, Math.floor(data.length / 256));
      const some = (values: Float32Array) => values.filter((__, i) => i % step === 0);
      expect(farthest(some(data as Float32Array), output)).toBeLessThan(1e-5);
      // Rows for columns, and every place one off: it would show.
      const axes = 'n c f X Y';
      const turned = { ...input.tensors, pixel_values: { of: 'pixels', axes } } as const;
      const { data: other } = await run({ ...input, tensors: turned });
      expect(farthest(some(other as Float32Array), output)).toBeGreaterThan(1e-3);
      if (frames === 1) return;
      const early = {
        ...input.tensors,
        visible_indices: { of: 'indices', axes: 'n (f h w)' },
      } as const;
      const { data: shifted } = await run({ ...input, tensors: early });
      expect(farthest(some(shifted as Float32Array), output)).toBeGreaterThan(1e-3);
    },
  );

  test('codec patches of OneVision-Encoder: their order does not matter as long as indices go along', async () => {
    const session = await sessionOf('onevision-encoder');
    const options = {
      sample: { count: 8, place: 'linspace' },
      select: { kKeep: { frames: 2 } },
    } as const;
    using inputs = await modelInputs(sample, 'onevision-encoder-codec', options);
    const fed = await feeds(session, inputs);
    const { output } = await session.run(fed);
    expect(output?.dims).toEqual([1, 512, 32]);
    // The two pictures changed over, and their halves of the indices with them.
    const pixels = Float32Array.from(fed['pixel_values']?.data as Float32Array);
    const [, , F = 0, H = 0, W = 0] = fed['pixel_values']?.dims ?? [];
    for (let plane = 0; plane < 3; plane++) {
      const at = plane * F * H * W;
      const first = pixels.slice(at, at + H * W);
      pixels.copyWithin(at, at + H * W, at + 2 * H * W);
      pixels.set(first, at + H * W);
    }
    const indices = fed['visible_indices']?.data as BigInt64Array;
    const changed = BigInt64Array.from([...indices.subarray(256), ...indices.subarray(0, 256)]);
    const { output: other } = await session.run({
      pixel_values: new ort.Tensor('float32', pixels, [1, 3, F, H, W]),
      visible_indices: new ort.Tensor('int64', changed, [1, 512]),
    });
    const rows = Array.from(output?.data as Float32Array);
    const turned = [...rows.slice(256 * 32), ...rows.slice(0, 256 * 32)];
    expect(farthest(other?.data as Float32Array, turned)).toBeLessThan(1e-5);
  });

  test.each(encoders)('%s gives what PyTorch gives', async (name, one) => {
    const [frames, height, width] = one.frames;
    const given = hashFrames({ frames, height, width, seed: 1 });
    const input = fromConfig(one.preset, one.config);
    const session = await sessionOf(name);
    using inputs = await modelInputs(given, input);
    const { output } = await session.run(await feeds(session, inputs));
    expect(output?.dims).toEqual(one.shape);
    expect(farthest(output?.data as Float32Array, one.output)).toBeLessThan(1e-5);
    // Rows and columns changed over: it would show.
    const [tensorName = '', spec] = Object.entries(input.tensors)[0] ?? [];
    const axes = (spec as { axes: string }).axes.replace('Y X', 'X Y');
    const turned = defineInput({ ...input, tensors: { [tensorName]: { of: 'pixels', axes } } });
    using wrong = await modelInputs(given, turned);
    const other = await session.run(await feeds(session, wrong));
    expect(farthest(other['output']?.data as Float32Array, one.output)).toBeGreaterThan(1e-3);
  });

  test('a stream of videos, decoded while the model runs', async () => {
    const { preset, config } = recorded['clip'] as Recorded;
    const input = fromConfig(preset, config);
    const session = await sessionOf('clip');
    const seen: unknown[] = [];
    const sampled = { sample: { count: 2 } } as const;
    for await (const inputs of inputStream(
      [sample, { video: sample, label: 'b' }],
      input,
      sampled,
    )) {
      const { output } = await session.run(await feeds(session, inputs));
      seen.push([inputs.videos[0]?.index, output?.dims]);
      inputs.close();
    }
    expect(seen).toEqual([
      [0, [2, 16]],
      [1, [2, 16]],
    ]);
  });
});

describe('feeds of model inputs', () => {
  const qwen: InputSpec = {
    sample: { count: 4 },
    size: { exact: [56, 84] },
    normalize: 'clip',
    patch: { size: 14, frames: 2, merge: 2 },
    tensors: {
      pixel_values_videos: { of: 'pixels', axes: '(n t H W a b) (c s y x)' },
      video_grid_thw: { of: 'grid' },
      seconds: { of: 'secondsPerStep' },
    },
  };
  const given = hashFrames({ frames: 4, height: 40, width: 60, seed: 2 });

  test('names of exports stand for those of videos, in the types of the model', async () => {
    const session = await echo({
      pixel_values: ['float16', ['p', 1176]],
      grid_thw: ['int32', ['n', 3]],
    });
    using inputs = await modelInputs(given, qwen);
    const feed = await feeds(session, inputs);
    const results = await session.run(feed);
    expect(results['pixel_values_out']?.dims).toEqual([48, 1176]);
    expect([...(results['grid_thw_out']?.data as Int32Array)]).toEqual([2, 4, 6]);
    expect(feed['pixel_values']?.type).toBe('float16');
  });

  test('the mapping names tensors; what is left over is named on both sides', async () => {
    const session = await echo({ x: ['float32', ['p', 1176]], y: ['int64', ['n', 3]] });
    using inputs = await modelInputs(given, qwen);
    await expect(feeds(session, inputs)).rejects.toThrow(
      /nothing is fed to: x, y; of the inputs are left pixel_values_videos, video_grid_thw, seconds/,
    );
    await expect(feeds(session, inputs, { x: 'pixels' })).rejects.toThrow(/a tensor of the inputs/);
    await expect(feeds(session, inputs, { z: 'seconds' })).rejects.toThrow(/inputs of the model/);
    const zeros = new ort.Tensor('int64', BigInt64Array.of(0n, 0n, 0n), [1, 3]);
    const feed = await feeds(session, inputs, { x: 'pixel_values_videos', y: () => zeros });
    expect(feed['y']).toBe(zeros);
    expect(feed['x']?.dims).toEqual([48, 1176]);
  });

  test('axes are joined in front; a fixed batch is filled up; masks become bool', async () => {
    const spec: InputSpec = {
      sample: { count: 4 },
      size: { exact: [28, 28] },
      tensors: {
        pixel_values_videos: { of: 'pixels', axes: 'n f c Y X' },
        pixel_attention_mask: { of: 'pixelMask' },
      },
    };
    using inputs = await modelInputs([given, given], spec);
    const joined = await echo({
      pixel_values: ['float32', ['n', 3, 28, 28]],
      pixel_attention_mask: ['bool', ['b', 'f', 28, 28]],
    });
    const feed = await feeds(joined, inputs);
    expect([feed['pixel_values']?.dims, feed['pixel_attention_mask']?.type]).toEqual([
      [8, 3, 28, 28],
      'bool',
    ]);
    const fixed = await echo({ pixel_values: ['float32', [3, 4, 3, 28, 28]] });
    const { pixel_values: filled } = await feeds(fixed, inputs);
    expect(filled?.dims).toEqual([3, 4, 3, 28, 28]);
    const data = filled?.data as Float32Array;
    expect(data.subarray(0, 2 * 9408)).toEqual(inputs.tensors['pixel_values_videos']?.data);
    expect(data.subarray(2 * 9408).every((v) => v === 0)).toBe(true);
    const other = await echo({ pixel_values: ['float32', ['n', 4, 3, 32, 32]] });
    await expect(feeds(other, inputs)).rejects.toThrow(
      /float32\[n, 4, 3, 32, 32\] but 'pixel_values_videos' is \[2, 4, 3, 28, 28\].*fromConfig/,
    );
  });

  test('a model of whole pictures is not fed patches', async () => {
    const session = await echo({ pixel_values: ['float32', ['b', 3, 224, 224]] });
    const says = /whole pictures, not patches.*'clip', 'siglip', 'videomae'/;
    using stream = await patchStream({ videoPath: sample, sequenceLength: 2, inputSize: 56 });
    await expect(feeds(session, stream)).rejects.toThrow(says);
    expect(() => feedStream(session, [sample])).toThrow(says);
    expect(() => patchOptions(session)).toThrow(says);
    expect(patchOptions(session, { pixel_values: 'patches' })).toMatchObject({ patchSize: 224 });
    expect(() => feedStream(session, [sample], { patchSize: 224 })).not.toThrow();
  });
});
