/**
 * Model inputs: every layout against a naive reading of its axes, videos against frames that are there
 * already, which frames the presets take, streams and what they hold.
 *
 * @jest-environment ./test/helpers/one-realm-environment.cjs
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import { decodeOnly, nativeStats, patchStream } from '../../src/index.js';
import * as ort from 'onnxruntime-node';
import {
  defineInput,
  fromConfig,
  inputStream,
  modelInputs,
  presets,
  toTransformers,
} from '../../src/inputs/index.js';
import type { Inputs, InputSpec, PresetName } from '../../src/inputs/index.js';
import { fixturePath } from '../helpers/fixtures.js';
import { hashFrames } from '../helpers/hash-frames.js';
import { buffersInUse } from '../helpers/native-memory.js';

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-inputs-'));
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
const video = fixturePath('h264_bpyramid.mp4');

const tensorOf = (inputs: Inputs, name = 'x') =>
  inputs.tensors[name] as NonNullable<Inputs['tensors'][string]>;

describe('layouts', () => {
  const [T, H, W, P, M, S] = [5, 24, 40, 4, 2, 2];
  const sizes: Record<string, number> = {
    ...{ n: 2, f: T, t: Math.ceil(T / S), s: S, c: 3, Y: H, X: W, y: P, x: P },
    ...{ h: H / P, w: W / P, H: H / P / M, W: W / P / M, a: M, b: M },
  };
  const seeds = [3, 4];
  const given = seeds.map((seed) => hashFrames({ frames: T, height: H, width: W, seed }));
  const byteOf = (v: number, f: number, row: number, column: number, c: number): number => {
    const { data } = (given[v] as (typeof given)[number]).frames as { data: Uint8Array };
    return data[((Math.min(f, T - 1) * H + row) * W + column) * 3 + c] as number;
  };

  /** The value that the axes name at a place: each axis' index, taken as what the letter says. */
  function naive(groups: readonly string[][], at: readonly number[]): number {
    const index: Record<string, number> = {};
    groups.forEach((group, g) => {
      let rest = at[g] as number;
      for (const axis of [...group].reverse()) {
        index[axis] = rest % (sizes[axis] as number);
        rest = Math.floor(rest / (sizes[axis] as number));
      }
    });
    const i = (axis: string): number => index[axis] ?? 0;
    const frame = i('f') + i('t') * S + i('s');
    const row = i('Y') + (i('h') + i('H') * M + i('a')) * P + i('y');
    const column = i('X') + (i('w') + i('W') * M + i('b')) * P + i('x');
    return byteOf(i('n'), frame, row, column, i('c'));
  }

  test.each([
    ...['n f c Y X', 'n c f Y X', '(n f) c Y X', '(n f) Y X c', 'n c Y X f', 'n X Y f c'],
    ...['(n t H W a b) (c s y x)', 'n t s c Y X', '(n f H W a b) (c y x)', '(n f) (h w) (y x c)'],
    ...['n c f (h y) (w x)', 'n (f h w) c y x', 'n t (h w) (s y x c)', 'n (W b x) (H a y) f c'],
  ])('%s', async (axes) => {
    const input = defineInput({
      sample: { count: 1 },
      patch: { size: P, frames: S, merge: M },
      tensors: { x: { of: 'pixels', axes, dtype: 'uint8' } },
    });
    using inputs = await modelInputs(given, input);
    const groups = (axes.match(/\([^)]*\)|\w/g) ?? []).map((g) =>
      g.replace(/[() ]/g, '').split(''),
    );
    const shape = groups.map((group) => group.reduce((n, axis) => n * (sizes[axis] as number), 1));
    const { shape: own, data } = tensorOf(inputs);
    expect(own).toEqual(shape);
    let wrong = 0;
    const at = shape.map(() => 0);
    for (let i = 0; i < (data?.length ?? 0); i++) {
      let rest = i;
      for (let g = shape.length - 1; g >= 0; g--) {
        at[g] = rest % (shape[g] as number);
        rest = Math.floor(rest / (shape[g] as number));
      }
      if (Number(data?.[i]) !== naive(groups, at)) wrong++;
    }
    expect(wrong).toBe(0);
  });

  test('half floats are rounded values of the float32 tensor', async () => {
    const spec = (dtype: 'float32' | 'float16' | 'bfloat16'): InputSpec => ({
      sample: { count: 1 },
      normalize: 'clip',
      tensors: { x: { of: 'pixels', axes: 'n f c Y X', dtype } },
    });
    using wide = await modelInputs(given, spec('float32'));
    for (const [dtype, close] of [
      ['float16', 1e-3],
      ['bfloat16', 1e-2],
    ] as const) {
      using narrow = await modelInputs(given, spec(dtype));
      const [a, b] = [await tensorOf(wide).toFloat32(), await tensorOf(narrow).toFloat32()];
      const off = Math.max(...a.map((v, i) => Math.abs(v - (b[i] as number))));
      expect(off).toBeLessThan(close);
      expect(off).toBeGreaterThan(0);
    }
  });

  test('positions, indices and masks name the place of each row', async () => {
    const input = defineInput({
      sample: { count: 1 },
      patch: { size: P, frames: S, merge: M },
      tensors: {
        x: { of: 'pixels', axes: '(n t H W a b) (c s y x)', dtype: 'uint8' },
        sampled: { of: 'positions' },
        source: { of: 'positions', time: 'source', dtype: 'int32' },
        spread: { of: 'positions', time: { spread: 64 } },
        indices: { of: 'indices', frames: 64 },
        mask: { of: 'mask', dtype: 'bool' },
        sizes: { of: 'mergeSizes' },
      },
    });
    using inputs = await modelInputs(given[0] as (typeof given)[0], input);
    const pixels = tensorOf(inputs).data as Uint8Array;
    const of = (name: string): number[] => Array.from(tensorOf(inputs, name).data ?? [], Number);
    const rows = ((T + 1) / S) * (H / P) * (W / P);
    expect(tensorOf(inputs, 'sampled').shape).toEqual([rows, 3]);
    const [sampled, source, spread, indices] = ['sampled', 'source', 'spread', 'indices'].map(of);
    for (let r = 0; r < rows; r++) {
      const [t = 0, h = 0, w = 0] = sampled?.slice(3 * r, 3 * r + 3) ?? [];
      expect(pixels[r * 3 * S * P * P]).toBe(byteOf(0, t * S, h * P, w * P, 0));
      expect(source?.slice(3 * r, 3 * r + 3)).toEqual([t * S, h, w]);
      const far = [0, 31, 63][t] as number;
      expect(spread?.slice(3 * r, 3 * r + 3)).toEqual([far, h, w]);
      expect(indices?.[r]).toBe((far * (H / P) + h) * (W / P) + w);
    }
    expect(of('mask')).toEqual(new Array(rows).fill(1));
    expect([of('sizes'), tensorOf(inputs, 'mask').dtype]).toEqual([[M], 'bool']);
  });

  test('videos of two lengths: filled up beside a mask, named without one', async () => {
    const short = hashFrames({ frames: 2, height: H, width: W, seed: 9 });
    const tensors = { x: { of: 'pixels', axes: 'n f c Y X', dtype: 'uint8' } } as const;
    const plain: InputSpec = { sample: { count: 1 }, tensors };
    await expect(modelInputs([given[0] as never, short], plain)).rejects.toThrow(
      /alike in axis f of 'x' .* received "video 1".*which is smaller/,
    );
    const masked: InputSpec = { ...plain, tensors: { ...tensors, m: { of: 'mask', axes: 'n f' } } };
    using inputs = await modelInputs([given[0] as never, short], masked);
    expect(tensorOf(inputs).shape).toEqual([2, T, 3, H, W]);
    expect(Array.from(tensorOf(inputs, 'm').data ?? [], Number)).toEqual([
      1, 1, 1, 1, 1, 1, 1, 0, 0, 0,
    ]);
    const second = (tensorOf(inputs).data as Uint8Array).subarray(T * 3 * H * W);
    expect(second.subarray(2 * 3 * H * W).every((v) => v === 0)).toBe(true);
    expect(second.subarray(0, 2 * 3 * H * W).some((v) => v !== 0)).toBe(true);
  });

  test('sides that patches do not fill are named', async () => {
    const tensors = { x: { of: 'pixels', axes: '(n f) (h w) (y x c)' } } as const;
    const input: InputSpec = { sample: { count: 1 }, patch: { size: 7 }, tensors };
    await expect(modelInputs(given[0] as never, input)).rejects.toThrow(
      /multiples of patch.size \(7\) for size but received \[ 24, 40 \].*video 0/,
    );
  });
});

describe('selected patches', () => {
  const select = { kKeep: 40 } as const;
  const base = {
    sample: { count: 6 },
    size: { exact: [56, 84] },
    resample: 'bicubic',
    normalize: 'clip',
    patch: { size: 14 },
    select,
  } as const;

  test('are those of patchStream, with their places', async () => {
    const input = defineInput({
      ...base,
      tensors: {
        x: { of: 'pixels', axes: 'n k c y x' },
        places: { of: 'positions', dtype: 'int32' },
      },
    });
    using inputs = await modelInputs(video, input, { backend: 'cpu' });
    using stream = await patchStream({
      videoPath: video,
      ...{ sample: base.sample, size: base.size, resample: base.resample, normalize: 'clip' },
      ...{ patchSize: 14, kKeep: 40, outputDtype: 'float32', backend: 'cpu' },
    });
    expect(tensorOf(inputs).shape).toEqual([1, 40, 3, 14, 14]);
    expect(tensorOf(inputs).data).toEqual(stream.patches.data);
    expect(tensorOf(inputs, 'places').data).toEqual(stream.positions.data);
    expect(inputs.videos[0]?.tokens).toBe(40);
  });

  test('fill canvases row by row, zeros behind them', async () => {
    const input = defineInput({
      ...base,
      tensors: {
        x: { of: 'pixels', axes: 'n c F (h y) (w x)' },
        indices: { of: 'indices', axes: 'n (F h w)', frames: 6 },
      },
    });
    using inputs = await modelInputs(video, input, { backend: 'cpu' });
    using stream = await patchStream({
      videoPath: video,
      ...{ sample: base.sample, size: base.size, resample: base.resample, normalize: 'clip' },
      ...{ patchSize: 14, kKeep: 40, outputDtype: 'float32', backend: 'cpu' },
    });
    // 4 × 6 patches a canvas: 40 take two of them.
    const { shape, data } = tensorOf(inputs);
    expect(shape).toEqual([1, 3, 2, 56, 84]);
    const patches = stream.patches.data;
    const canvas = data as Float32Array;
    let wrong = 0;
    for (let k = 0; k < 48; k++) {
      const [f, h, w] = [Math.floor(k / 24), Math.floor((k % 24) / 6), k % 6];
      for (let c = 0; c < 3; c++)
        for (let y = 0; y < 14; y++)
          for (let x = 0; x < 14; x++) {
            const seen = canvas[((c * 2 + f) * 56 + h * 14 + y) * 84 + w * 14 + x];
            const wanted = k < 40 ? patches[((k * 3 + c) * 14 + y) * 14 + x] : 0;
            if (seen !== wanted) wrong++;
          }
    }
    expect(wrong).toBe(0);
    const fields = stream.metadata.map(({ patchLinearIdx }) => patchLinearIdx);
    const indices = Array.from(tensorOf(inputs, 'indices').data ?? [], Number);
    expect(indices.slice(0, 40)).toEqual(fields);
    expect(indices.slice(40)).toEqual(new Array(8).fill(0));
  });
});

test('onevision-encoder-codec: eight frames of patches out of 64, the first frame whole', async () => {
  using inputs = await modelInputs(video, 'onevision-encoder-codec');
  expect(tensorOf(inputs, 'pixel_values').shape).toEqual([1, 3, 8, 224, 224]);
  const indices = Array.from(tensorOf(inputs, 'visible_indices').data ?? [], Number);
  expect(indices.slice(0, 256)).toEqual(Array.from({ length: 256 }, (_, i) => i));
  expect(indices).toEqual([...new Set(indices)].sort((a, b) => a - b));
  expect([indices.length, Math.max(...indices) < 64 * 256]).toEqual([2048, true]);
  expect(inputs.videos[0]?.frames).toHaveLength(64);
});

describe('videos', () => {
  test.each<PresetName>(['videomae', 'siglip', 'qwen3-vl', 'siglip2'])(
    '%s: a video gives what its own frames give',
    async (name) => {
      const input = presets[name];
      using frames = await decodeOnly({ videoPath: video, sample: { count: 3 }, backend: 'cpu' });
      using whole = await modelInputs(video, input, { sample: { count: 3 }, backend: 'cpu' });
      using given = await modelInputs({ frames: frames.frames }, input);
      for (const key of Object.keys(input.tensors)) {
        expect(tensorOf(whole, key).shape).toEqual(tensorOf(given, key).shape);
        const bytes = (of: Inputs) => Buffer.from((tensorOf(of, key).data as Uint8Array).buffer);
        // Not toEqual, which takes minutes for tens of megabytes.
        expect([key, bytes(whole).equals(bytes(given))]).toEqual([key, true]);
      }
      expect(whole.videos[0]?.frames.map(({ id }) => id)).toEqual(frames.sampledFrameIds);
      expect(frames.closed).toBe(false);
    },
  );

  test('times are id / rate, steps the mean of their first and last frame, tokens those of the grid', async () => {
    const rates = { ...presets['qwen3-vl'], size: { exact: [64, 96] } } as InputSpec;
    using inputs = await modelInputs(video, rates, { sample: { indices: [0, 10, 20] } });
    const [one] = inputs.videos;
    using frames = await decodeOnly({ videoPath: video, sample: { indices: [0] } });
    expect(one?.frames.map(({ seconds }) => seconds)).toEqual(
      [0, 10, 20].map((id) => id / frames.fps),
    );
    expect(one?.steps.map(({ seconds }) => seconds)).toEqual([5 / frames.fps, 20 / frames.fps]);
    expect([one?.grid, one?.size, one?.tokens]).toEqual([[2, 4, 6], [64, 96], 12]);
    // The times that Qwen3-VL writes into its prompt for frames 0, 10, 20, 30 at 30 a second.
    const given = hashFrames({ frames: 4, height: 64, width: 96, seed: 1 });
    using timed = await modelInputs(
      { ...given, seconds: [0, 10, 20, 30].map((f) => f / 30) },
      rates,
    );
    expect(timed.videos[0]?.steps.map(({ seconds }) => seconds.toFixed(1))).toEqual(['0.2', '0.8']);
  });

  /** As the model's prompt has it; Python rounds an exact half to even, toFixed to the larger one. */
  const timeIn = (preset: PresetName, s: number): string => {
    const two = (n: number): string => String(Math.floor(n)).padStart(2, '0');
    if (preset === 'gemma-4') return `${two(s / 60)}:${two(s % 60)}`;
    if (preset === 'glm-4v') return String(Math.floor(s));
    return (s % 1 === 0.25 ? s - 0.05 : s).toFixed(1);
  };

  const { samples } = JSON.parse(
    fs.readFileSync(path.join(__dirname, '../parity/inputs.txt'), 'utf8'),
  ) as {
    samples: {
      preset: PresetName;
      config: object;
      frames: number;
      rate: number;
      ids: number[];
      times?: string[];
    }[];
  };

  test('the frames that the classes sample, by fps and by number', async () => {
    const clipOf = (frames: number, rate: number): string => {
      const file = path.join(folder, `${frames}_${rate}.y4m`);
      const frame = Buffer.concat([Buffer.from('FRAME\n'), Buffer.alloc(16 * 16 * 1.5, 90)]);
      const head = Buffer.from(`YUV4MPEG2 W16 H16 F${rate}:1 Ip A1:1 C420jpeg\n`);
      fs.writeFileSync(file, Buffer.concat([head, ...new Array<Buffer>(frames).fill(frame)]));
      return file;
    };
    expect(samples.length).toBeGreaterThan(40);
    for (const { preset, config, frames, rate, ids, times } of samples) {
      const { sample, patch, stepTime } = fromConfig(preset, config);
      // The size and the values of the model cost time and change nothing here.
      const input = defineInput({
        ...{ sample, stepTime },
        ...(patch === undefined ? {} : { patch }),
        tensors: { x: { of: 'pixels', axes: '(n f) c Y X', dtype: 'uint8' } },
      });
      using inputs = await modelInputs(clipOf(frames, rate), input);
      const [one] = inputs.videos;
      // torch.arange sometimes rounds to one number more: that of a frame that no video has.
      const wanted = ids.filter((id) => id < frames);
      const seen = { preset, frames, ids: one?.frames.map(({ id }) => id) };
      expect(seen).toEqual({ preset, frames, ids: wanted });
      if (times === undefined) continue;
      const shown = one?.steps.map(({ seconds }) => timeIn(preset, seconds));
      expect({ preset, frames, times: shown }).toEqual({ preset, frames, times });
    }
  });

  test('what is wrong with a video says which, and nothing stays behind', async () => {
    const before = await buffersInUse();
    const missing = path.join(folder, 'missing.mp4');
    await expect(modelInputs([video, missing], 'clip')).rejects.toThrow(/missing\.mp4/);
    await expect(modelInputs([], 'clip')).rejects.toThrow(/at least one video/);
    const abort = new AbortController();
    abort.abort();
    await expect(modelInputs(video, 'clip', { signal: abort.signal })).rejects.toThrow(/abort/i);
    await expect(modelInputs(video, 'clip', { maxMemoryBytes: 2 ** 20 })).rejects.toThrow(
      /maxMemoryBytes/,
    );
    // Four pictures of 150528 bytes, and the tensor, which is four times as large: neither alone is too much.
    const four = { sample: { count: 4 } } as const;
    const [pictures, tensor] = [4 * 150528, 4 * 602112];
    const tight = { ...four, maxMemoryBytes: pictures + tensor - 1 };
    await expect(modelInputs(video, 'clip', tight)).rejects.toMatchObject({
      code: 'ERR_CPS_OUT_OF_MEMORY',
      message: expect.stringMatching(/2 MB beside 0 MB of decoded pictures/) as string,
    });
    using fits = await modelInputs(video, 'clip', { ...four, maxMemoryBytes: pictures + tensor });
    fits.close();
    expect(nativeStats().liveBuffers).toBe(before);
    const inputs = await modelInputs(video, 'clip');
    inputs.close();
    inputs.close();
    expect(() => inputs.tensors).toThrow(/closed/);
    expect(nativeStats().liveBuffers).toBe(before);
  });

  test.each([
    [{ frames: 5 }, /frames/],
    [{ frames: { data: new Uint8Array(3), shape: [1, 1, 1, 4] } }, /frames.shape/],
    [{ frames: { data: new Uint8Array(3), shape: [1, 2, 1, 3] } }, /6 elements/],
    [{ frames: { data: new Uint8Array(3), shape: [1, 1, 1, 3] }, seconds: [1, 2] }, /seconds/],
    [{ frames: { data: new Uint8Array(3), shape: [1, 1, 1, 3] }, fps: 2 }, /videos.fps/],
    [7, /video/],
    [undefined, /video/],
    [Promise.resolve('a.mp4'), /video/],
  ])('%j is refused as a video', async (wrong, says) => {
    await expect(modelInputs(wrong as never, 'clip')).rejects.toThrow(says);
  });
});

describe('inputStream', () => {
  const frames = { sample: { count: 2 } } as const;
  const missing = path.join(folder, 'missing.mp4');

  test('batches in order, each row with its entry; a failed video is left out where wanted', async () => {
    const entries = [video, { video, label: 3 }, missing, video, video];
    const failed: unknown[] = [];
    const seen: unknown[] = [];
    const onError = (_: unknown, entry: unknown, index: number): void =>
      void failed.push([entry, index]);
    for await (const inputs of inputStream(entries, 'clip', { ...frames, batchSize: 2, onError })) {
      seen.push(inputs.videos.map(({ index, entry }) => [index, entry]));
      expect(tensorOf(inputs, 'pixel_values').shape).toEqual([
        2 * inputs.videos.length,
        3,
        224,
        224,
      ]);
      inputs.close();
    }
    expect(seen).toEqual([
      [
        [0, video],
        [1, { video, label: 3 }],
      ],
      [
        [3, video],
        [4, video],
      ],
    ]);
    expect(failed).toEqual([[missing, 2]]);
    const stream = inputStream(
      function* () {
        yield video;
        yield missing;
      },
      'clip',
      frames,
    );
    (await stream.next()).value?.close();
    await expect(stream.next()).rejects.toThrow(/missing\.mp4/);
  });

  test('leaving the loop and the signal stop the work and free what was decoded', async () => {
    const before = await buffersInUse();
    const many = new Array<string>(20).fill(video);
    for await (const inputs of inputStream(many, 'clip', frames)) {
      inputs.close();
      break;
    }
    const abort = new AbortController();
    const stream = inputStream(many, 'clip', { ...frames, signal: abort.signal });
    (await stream.next()).value?.close();
    abort.abort();
    await expect(stream.next()).rejects.toThrow(/abort/i);
    for (let i = 0; i < 100 && nativeStats().liveBuffers > before; i++) {
      await new Promise((done) => setTimeout(done, 20));
    }
    expect(nativeStats().liveBuffers).toBe(before);
  });

  test('windows cover the video, each with its seconds and its own frames', async () => {
    using all = await decodeOnly({
      videoPath: video,
      sample: { count: { fps: 1000 } },
      width: 8,
      height: 8,
    });
    const { secondsFromStart, totalFrames, durationSec } = all;
    const seen = [];
    const windows = { seconds: 0.5, hop: 0.25 };
    for await (const inputs of inputStream([video], 'clip', { ...frames, windows })) {
      const [one] = inputs.videos;
      seen.push(one?.window);
      const ids = one?.frames.map(({ id }) => id);
      expect(ids).toEqual([one?.window?.from, (one?.window?.to ?? 0) - 1]);
      inputs.close();
    }
    expect(seen.length).toBeGreaterThan(3);
    for (const [i, window] of seen.entries()) {
      expect(window?.index).toBe(i);
      expect(window?.fromSec).toBe(secondsFromStart[window?.from ?? -1]);
      expect(window?.toSec).toBe(secondsFromStart[window?.to ?? -1] ?? durationSec);
    }
    expect([seen[0]?.from, seen.at(-1)?.to]).toEqual([0, totalFrames]);
  });

  test.each([
    [{ batchSize: 0 }, /batchSize/],
    [{ prefetchDepth: 65 }, /prefetchDepth/],
    [{ onError: 'ignore' }, /onError/],
    [{ dropRemainder: 1 }, /dropRemainder/],
    [{ batchsize: 2 }, /unknown|option/],
  ])('option %j is refused at once', (options, says) => {
    expect(() => inputStream([video], 'clip', options as object)).toThrow(says);
  });
});

test('toTransformers: tensors by name, over the same memory, bfloat16 widened', async () => {
  const given = hashFrames({ frames: 2, height: 28, width: 28, seed: 1 });
  const input = defineInput({
    ...presets['qwen2.5-vl'],
    size: { exact: [28, 28] },
    tensors: {
      ...presets['qwen2.5-vl'].tensors,
      pixel_values_videos: { of: 'pixels', axes: '(n t H W a b) (c s y x)', dtype: 'bfloat16' },
    },
  });
  const inputs = await modelInputs(given, input);
  const grid = inputs.tensors['video_grid_thw']?.data as BigInt64Array;
  const tensors = await toTransformers(ort.Tensor, inputs);
  inputs.close();
  expect(Object.keys(tensors)).toEqual(Object.keys(input.tensors));
  expect([tensors['pixel_values_videos']?.type, tensors['pixel_values_videos']?.dims]).toEqual([
    'float32',
    [4, 1176],
  ]);
  expect((tensors['video_grid_thw']?.data as BigInt64Array).buffer).toBe(grid.buffer);
  expect([...(tensors['video_grid_thw']?.data as BigInt64Array)]).toEqual([1n, 2n, 2n]);
});
