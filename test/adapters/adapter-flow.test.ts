/**
 * How the adapters call patchStream and decodeOnly: with which options, how many at once, and what
 * becomes of the results. The real addon behind functions that record every call.
 *
 * @jest-environment ./test/helpers/one-realm-environment.cjs
 */
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';
import * as tf from '@tensorflow/tfjs';
import * as ort from 'onnxruntime-node';
import { writeClips } from '../../examples/lib/clips.js';
import type { Clip } from '../../examples/lib/clips.js';
import { feedStream } from '../../adapters/ort/index.js';
import type { Session } from '../../adapters/ort/ort.js';
import { frameDataset, patchDataset } from '../../adapters/tfjs/index.js';
import { nativeStats } from '../../src/index.js';
import { optionNames } from '../../src/options/schema.js';
import type { OptionName } from '../../src/options/schema.js';

interface Result {
  readonly close: () => void;
  readonly patches?: { readonly data?: Float32Array };
}
const calls = {
  configs: [] as Record<string, unknown>[],
  results: 0,
  /** The memory of the patches, if it is to be remembered. */
  buffers: undefined as unknown[] | undefined,
  live: 0,
  maxLive: 0,
  running: 0,
  maxRunning: 0,
  /** Milliseconds by which the results of the first videos come later. */
  delays: [] as number[],
};

jest.mock('../../src/index', () => {
  type Call = (config: Record<string, unknown>) => Promise<Result>;
  const real = jest.requireActual<{ patchStream: Call; decodeOnly: Call }>('../../src/index');
  const recorded =
    (call: Call): Call =>
    async (config) => {
      const delay = calls.delays[calls.configs.push(config) - 1] ?? 0;
      calls.maxLive = Math.max(calls.maxLive, ++calls.live);
      calls.maxRunning = Math.max(calls.maxRunning, ++calls.running);
      try {
        const result = await call(config);
        await new Promise((resolve) => setTimeout(resolve, delay));
        const close = result.close.bind(result);
        calls.results++;
        calls.buffers?.push(result.patches?.data?.buffer);
        return Object.assign(result, { close: () => void (calls.live--, close()) });
      } catch (error) {
        calls.live--;
        throw error;
      } finally {
        calls.running--;
      }
    };
  return {
    ...real,
    patchStream: recorded(real.patchStream),
    decodeOnly: recorded(real.decodeOnly),
  };
});

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'cps-flow-'));
const small = {
  sequenceLength: 4,
  inputSize: 48,
  patchSize: 8,
  kKeep: 16,
  backend: 'cpu',
} as const;
const session: Session = {
  inputNames: ['patches'],
  inputMetadata: [{ name: 'patches', isTensor: true, type: 'float32', shape: ['b', 'k', 192] }],
};
let clips: Clip[];

beforeAll(async () => {
  await tf.setBackend('cpu');
  tf.env().set('IS_TEST', true);
  clips = writeClips(folder, 12, 1, { size: 48, frames: 8 });
});
afterAll(() => fs.rmSync(folder, { recursive: true, force: true }));
beforeEach(() => {
  Object.assign(calls, { configs: [], results: 0, buffers: undefined, delays: [] });
  Object.assign(calls, { live: 0, maxLive: 0, maxRunning: 0 });
});

/** What is not of every video alike, and what contradicts others of them or has a test of its own. */
const LEFT_OUT = [
  'videoPath',
  'signal',
  'sequenceLength',
  'size',
  'resample',
  'augment',
] as const satisfies readonly OptionName[];

/** A value of every option that is not its default and fits the clips and the model. */
const values: Record<Exclude<OptionName, (typeof LEFT_OUT)[number]>, unknown> = {
  sample: { count: 3, place: 'middles' },
  backend: 'cpu',
  decodeBackend: 'cpu',
  processBackend: 'cpu',
  deviceId: 1,
  decodeDeviceId: 2,
  processDeviceId: 3,
  decodeMode: 'latency',
  uniformStrategy: 'stream',
  uniformAutoRatio: 12,
  nvdecSessionPoolSize: 1,
  nvdecReuseOpenDecoder: false,
  decodeThreads: 1,
  decodeThreadType: 'slice',
  readerCacheSize: 2,
  readerCacheDir: path.join(folder, 'indexes'),
  colorMatrix: 'bt709',
  damaged: 'nearest',
  maxFramePixels: 48 * 48,
  maxFrames: 8,
  maxMemoryBytes: 2 ** 30,
  timeoutMs: 60_000,
  width: 16,
  height: 24,
  energy: 'adjacent',
  energyScope: 'video',
  intraEnergy: 'texture',
  globalMotion: 'subtract',
  maps: true,
  inputSize: 64,
  minPixels: 32 * 32,
  maxPixels: 64 * 64,
  patchSize: 8,
  kKeep: 16,
  keyFramePatches: 'compete',
  wholeFrames: 'none',
  minPerFrame: 0.01,
  maxPerFrame: 8,
  ignore: [{ x: 0, y: 0, width: 0.1, height: 1 }],
  selectionUnit: 'block2x2',
  staticFallback: true,
  staticAbsThresh: 3,
  staticRelThresh: 0.5,
  staticUniformFrames: 2,
  energyPct: 90,
  outputDtype: 'fp32',
  layout: 'nchw',
  normalize: { scale: 1 / 255, mean: [0.1, 0.2, 0.3], std: 2 },
  prefetchDepth: 2,
};

/** Options that the adapter itself sees to. */
const OWN = ['prefetchDepth'];

/** Options of decodeOnly that frameDataset has in a form of its own. */
const OWN_FORMS = ['outputDtype', 'layout', 'normalize'];

function valuesOf(api: 'patchStream' | 'decodeOnly'): Record<string, unknown> {
  const out = [...LEFT_OUT, ...(api === 'decodeOnly' ? OWN_FORMS : [])];
  const names = optionNames(api).filter((name) => !out.includes(name));
  return Object.fromEntries(names.map((name) => [name, values[name as keyof typeof values]]));
}

type Frames = Parameters<typeof frameDataset>[2];

const readers = {
  patchDataset: (videos: Clip[], options: object) =>
    drain(patchDataset(tf, videos, options).iterator()),
  'patchDataset, patches': (videos: Clip[], options: object) =>
    drain(patchDataset(tf, videos, { unit: 'patch', ...options }).iterator()),
  frameDataset: (videos: Clip[], options: object) =>
    drain(frameDataset(tf, videos, options as Frames).iterator()),
  feedStream: (videos: Clip[], options: object) =>
    drain(Promise.resolve(feedStream(session, videos, { ort, ...options }))),
};

async function drain(source: Promise<{ next(): Promise<IteratorResult<unknown>> }>) {
  const iterator = await source;
  for (let x = await iterator.next(); !x.done; x = await iterator.next()) {
    tf.dispose(x.value as tf.TensorContainer);
  }
}

const patchOptions = (name: string, more: object): object =>
  name === 'frameDataset' ? { sequenceLength: 4, backend: 'cpu', ...more } : { ...small, ...more };

describe('options', () => {
  test.each([
    ['patchDataset', 'patchStream', 0],
    ['feedStream', 'patchStream', 1],
    ['frameDataset', 'decodeOnly', 2],
  ] as const)('%s hands every option of %s on', async (name, api, at) => {
    const options = valuesOf(api);
    expect(Object.values(options)).not.toContain(undefined);
    await readers[name](clips.slice(at, at + 1), { ...options, prefetchDepth: 2 });
    const [config] = calls.configs;
    for (const [option, value] of Object.entries(options)) {
      if (!OWN.includes(option)) expect([option, config?.[option]]).toEqual([option, value]);
    }
    expect(config?.['videoPath']).toBe(clips[at]?.video);
    expect(fs.readdirSync(path.join(folder, 'indexes'))).toHaveLength(1);
    fs.rmSync(path.join(folder, 'indexes'), { recursive: true }); // The next one makes its own.
  });

  test.each(Object.keys(readers) as (keyof typeof readers)[])(
    '%s: limits and time-outs are errors of the video',
    async (name) => {
      const [clip] = clips;
      for (const [more, code] of [
        [{ maxFrames: 7 }, 'ERR_CPS_UNSUPPORTED'],
        [{ maxFramePixels: 99 }, 'ERR_CPS_UNSUPPORTED'],
      ] as const) {
        await expect(readers[name]([clip as Clip], patchOptions(name, more))).rejects.toMatchObject(
          {
            code,
            video: clip?.video,
          },
        );
      }
    },
  );
});

describe('how many at once', () => {
  test.each([
    ['patchDataset', 1],
    ['patchDataset, patches', 1],
    ['frameDataset', 1],
    // The streams of a batch live until its feeds are made of them.
    ['feedStream', 4],
  ] as const)('%s: at most prefetchDepth videos live', async (name, inUse) => {
    const order = patchOptions(name, { batchSize: 4, prefetchDepth: 3, concurrency: 2 });
    await readers[name](clips, order);
    expect(calls.results).toBe(12);
    expect(calls.maxLive).toBe(3 + inUse - 1);
    expect(calls.maxRunning).toBe(2);
    expect(calls.live).toBe(0);
  });

  test('the order is that of the videos, whichever is decoded first', async () => {
    calls.delays = [60, 0, 30];
    const seen: number[] = [];
    for await (const { videos } of feedStream(session, clips, {
      ...small,
      ort,
      prefetchDepth: 6,
    })) {
      seen.push(...videos.map(({ index }) => index));
    }
    expect(seen).toEqual([...clips.keys()]);
  });
});

describe('what becomes of the results', () => {
  test('what was decoded ahead for somebody who stopped asking is closed', async () => {
    const flow = { prefetchDepth: 6 };
    const left = [
      await patchDataset(tf, clips, { ...small, ...flow }).iterator(),
      await frameDataset(tf, clips, { sequenceLength: 4, ...flow }).iterator(),
      feedStream(session, clips, { ...small, ...flow, ort }),
    ];
    for (const iterator of left) {
      const element = await iterator.next();
      tf.dispose(element.value as tf.TensorContainer);
    }
    expect(calls.maxLive).toBeGreaterThan(6);
    await new Promise((resolve) => setTimeout(resolve, 800));
    expect(calls.live).toBe(0);
    expect(left).toHaveLength(3); // Nothing was garbage.
  });

  test('feedStream: after an error or an abort in mid-batch no stream stays open', async () => {
    const missing = { video: path.join(folder, 'missing.mp4'), label: 0 };
    const options = { ...small, ort, batchSize: 8, prefetchDepth: 2 };
    const failed = feedStream(session, [...clips.slice(0, 5), missing, ...clips.slice(5)], options);
    await expect(failed.next()).rejects.toThrow('missing.mp4');
    await new Promise((resolve) => setTimeout(resolve, 800));
    expect(calls.live).toBe(0);
    expect(nativeStats().callsInFlight).toBe(0);
    // If somebody asks after all, the batch goes on where it was.
    const indices = async (): Promise<number[]> =>
      ((await failed.next()).value as { videos: { index: number }[] }).videos.map((v) => v.index);
    expect(await indices()).toEqual([0, 1, 2, 3, 4, 6, 7, 8]);
    expect(await indices()).toEqual([9, 10, 11, 12]);
    expect((await failed.next()).done).toBe(true);
    expect(calls.live).toBe(0);

    const controller = new AbortController();
    const videos = function* (): Generator<Clip> {
      for (const [i, clip] of clips.entries()) {
        if (i === 6) controller.abort();
        yield clip;
      }
    };
    const aborted = feedStream(session, videos, { ...options, signal: controller.signal });
    await expect(aborted.next()).rejects.toMatchObject({ name: 'AbortError' });
    await new Promise((resolve) => setTimeout(resolve, 100));
    expect(calls.live).toBe(0);
    expect((await aborted.next()).done).toBe(true);
  });

  test('one whole clip a batch is the native memory itself, for tfjs and for ONNX Runtime', async () => {
    const one = clips.slice(0, 1);
    const buffers = (calls.buffers = [] as unknown[]);
    const iterator = await patchDataset(tf, one, small).iterator();
    const { xs } = (await iterator.next()).value as { xs: { patches: tf.Tensor } };
    const { feeds } = (await feedStream(session, one, { ...small, ort }).next()).value as {
      feeds: Record<string, ort.Tensor>;
    };
    expect(buffers).toEqual([expect.any(ArrayBuffer), expect.any(ArrayBuffer)]);
    expect((xs.patches.dataSync() as Float32Array).buffer).toBe(buffers[0]);
    expect((feeds['patches']?.data as Float32Array).buffer).toBe(buffers[1]);
    tf.dispose(xs);
  });
});
