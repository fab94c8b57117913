import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { decodeOnly, patchStream } from '../../src/index.js';
import type { DecodeConfig } from '../../src/index.js';
import { native } from '../../src/native/binding.js';
import { CodecPatchStreamError } from '../../src/support/errors.js';
import { NORMALIZE_PRESETS } from '../../src/options/kinds.js';
import { OPTIONS, optionNames, specOf } from '../../src/options/schema.js';
import type { OptionName } from '../../src/options/schema.js';
import { describeOptions } from '../../src/options/describe.js';
import {
  checkDecodeOnlyOptions,
  checkPatchStreamOptions,
  parseDecodeOnly,
  parsePatchStream,
} from '../../src/options/records.js';
import { repoRoot } from '../helpers/fixtures.js';

const VIDEO = '/videos/some.mp4';

const patchCall = (options: Record<string, unknown>) =>
  parsePatchStream({ videoPath: VIDEO, ...options }).records;
const frameCall = (options: Record<string, unknown>) =>
  parseDecodeOnly({ videoPath: VIDEO, ...options }).records;

function refusal(run: () => unknown): CodecPatchStreamError {
  try {
    run();
  } catch (error) {
    expect(error).toBeInstanceOf(CodecPatchStreamError);
    expect(error).toMatchObject({ code: 'ERR_CPS_INVALID_ARGUMENT', stage: 'options' });
    return error as CodecPatchStreamError;
  }
  throw new Error('nothing was thrown');
}

// Values that are wrong for each option: of a wrong type first, then out of range.
const notInteger = ['8', 1.5, NaN, Infinity, null, true, [8], {}];
const notNumber = ['8', NaN, Infinity, -Infinity, null, true, [8], {}];
const notBoolean = ['true', 0, 1, null, {}];
const notBackend = ['GPU', 'cuda', '', 0, null, ['gpu'], 'toString', '__proto__'];
const device = [...notInteger, -1, 1024];
const pixels = [...notInteger, 0, 2 ** 31];

const WRONG: Record<OptionName, unknown[]> = {
  videoPath: [
    '',
    7,
    null,
    {},
    [VIDEO],
    'a\0b',
    'http://host/x.mp4',
    'rtsp://host/x',
    new Int8Array(4),
  ],
  sequenceLength: [...notInteger, 0, -1, 1_000_001],
  sample: [16, 'ends', null, {}, [16], { count: 1, clip: 1 }, { place: 'ends' }],
  signal: [true, {}, null, 'abort', { aborted: false }],
  backend: notBackend,
  decodeBackend: notBackend,
  processBackend: notBackend,
  deviceId: device,
  decodeDeviceId: device,
  processDeviceId: device,
  decodeMode: ['fast', 1, null],
  uniformStrategy: ['Seek', 1, null],
  uniformAutoRatio: [...notNumber, 0, -1],
  nvdecSessionPoolSize: [...notInteger, -1, 65],
  nvdecReuseOpenDecoder: notBoolean,
  decodeThreads: [...notInteger, -1, 1025],
  decodeThreadType: ['frames', 1, null],
  readerCacheSize: [...notInteger, 2 ** 31, -(2 ** 31)],
  readerCacheDir: ['', 7, null, {}, 'a\0b'],
  colorMatrix: ['bt.709', 709, null],
  damaged: ['ignore', true, null],
  size: [224, 'short', null, [], new Array(4).fill({ short: 9 })],
  resample: ['cubic', 3, null],
  augment: ['flip', true, null, []],
  width: [...notInteger, 0, 16385],
  height: [...notInteger, 0, 16385],
  energy: ['motion', 1, null],
  energyScope: ['all', 1, null],
  intraEnergy: ['flat', 0, null],
  globalMotion: ['remove', true, null],
  maps: ['yes', 1, null],
  inputSize: [...notInteger, 0, 16385],
  minPixels: pixels,
  maxPixels: pixels,
  patchSize: [...notInteger, 0, 1025],
  kKeep: ['8', null, true, [8], {}, { frame: 8 }],
  keyFramePatches: ['first', true, null],
  wholeFrames: ['last', 1, true, null],
  minPerFrame: [...notNumber, -1, 1.5, 2 ** 31],
  maxPerFrame: [...notNumber, 0, -0.5, 2.5, 2 ** 31],
  ignore: [1, true, null, {}, { x: 0, y: 0, width: 1, height: 1 }],
  selectionUnit: ['block', 4, null],
  staticFallback: notBoolean,
  staticAbsThresh: notNumber,
  staticRelThresh: notNumber,
  staticUniformFrames: [...notInteger, -1, 1_000_001],
  energyPct: notNumber,
  outputDtype: ['float64', 'BF16', 16, null],
  layout: ['NCHW', 1, null],
  normalize: ['ImageNet', 1, null, [1], true],
  prefetchDepth: [...notInteger, 0, 65],
  maxFramePixels: pixels,
  maxFrames: pixels,
  maxMemoryBytes: [...notInteger, 0, 2 ** 53],
  timeoutMs: [...notInteger, -1, 2 ** 31],
};

describe('wrong values', () => {
  const cases = (Object.keys(OPTIONS) as OptionName[]).flatMap((name) =>
    (['decodeOnly', 'patchStream'] as const)
      .filter((api) => optionNames(api).includes(name))
      .flatMap((api) => WRONG[name].map((value) => ({ name, api, value }))),
  );

  test.each(cases)('$api refuses $name = $value', ({ name, api, value }) => {
    const error = refusal(() => (api === 'patchStream' ? patchCall : frameCall)({ [name]: value }));
    expect(error.message).toContain(`for ${name} but received`);
    expect(error.message).toContain(`Expected ${specOf(name, api).expected}`);
  });

  test('the message shows the value and its type', () => {
    const message = (value: unknown) => refusal(() => patchCall({ patchSize: value })).message;
    const start = 'Expected integer between 1 and 1024 for patchSize but received';
    expect(message(0)).toBe(`${start} 0 of type number`);
    expect(message('12')).toBe(`${start} "12" of type string`);
    expect(message(null)).toBe(`${start} null`);
    expect(message(10n)).toBe(`${start} 10n of type bigint`);
    expect(message({ a: 1 })).toBe(`${start} { a: 1 } of type object`);
    expect(message(Symbol('k'))).toBe(`${start} Symbol(k) of type symbol`);
    expect(message(() => 1)).toBe(`${start} a function`);
    expect(message('x'.repeat(10_000)).length).toBeLessThan(200);
    expect(message(new Array(10_000).fill('y'.repeat(1000))).length).toBeLessThan(200);
  });

  test('printing a received value runs none of its code', () => {
    const ran: string[] = [];
    const trap = {
      get a() {
        ran.push('getter');
        return 1;
      },
      toString: () => ran.push('toString'),
      toJSON: () => ran.push('toJSON'),
      [Symbol.for('nodejs.util.inspect.custom')]: () => ran.push('inspect'),
    };
    refusal(() => patchCall({ kKeep: trap }));
    expect(ran).toEqual([]);
  });

  test.each([undefined, null, 'a.mp4', 3, [], () => 1])('refuses the config %p', (config) => {
    const error = refusal(() => parsePatchStream(config as never));
    expect(error.message).toContain('for config but received');
  });

  test('videoPath is required', () => {
    expect(refusal(() => parseDecodeOnly({} as never)).message).toMatch(
      /^Expected path .* for videoPath but received undefined$/,
    );
  });

  test('the public functions reject, they never throw', async () => {
    for (const api of [patchStream, decodeOnly]) {
      const call: (config: DecodeConfig) => Promise<unknown> = api;
      const promise = call({ videoPath: VIDEO, sequenceLength: 0 });
      await expect(promise).rejects.toMatchObject({ code: 'ERR_CPS_INVALID_ARGUMENT' });
    }
  });
});

describe('unknown keys', () => {
  test.each([
    ['video_path', 'videoPath'],
    ['k_keep', 'kKeep'],
    ['K_KEEP', 'kKeep'],
    ['outputDType', 'outputDtype'],
    ['sequencelength', 'sequenceLength'],
    ['patch_sise', 'patchSize'],
    ['uniform_auto_ratio', 'uniformAutoRatio'],
  ])('%s: did you mean %s?', (key, known) => {
    const { message } = refusal(() => patchCall({ [key]: 1 }));
    expect(message).toContain(`unknown key "${key}"`);
    expect(message).toContain(`did you mean ${known}?`);
  });

  test('no suggestion where nothing is near', () => {
    expect(refusal(() => patchCall({ fluxCapacitor: 1 })).message).not.toContain('did you mean');
  });

  test('an option of the other function is named as such', () => {
    expect(refusal(() => frameCall({ kKeep: 4 })).message).toContain('an option of patchStream');
    expect(refusal(() => patchCall({ width: 4 })).message).toContain('an option of decodeOnly');
  });

  test('even with the value undefined', () => {
    refusal(() => patchCall({ lable: undefined }));
  });
});

describe('combinations', () => {
  test('minPixels above maxPixels', () => {
    const { message } = refusal(() => patchCall({ minPixels: 200, maxPixels: 100 }));
    expect(message).toBe(
      'Expected integer <= maxPixels (100) for minPixels but received 200 of type number',
    );
  });

  test('where only one is given, maxPixels wins', () => {
    expect(patchCall({ minPixels: 100_000 }).patch).toMatchObject({
      minPixels: 224 * 224,
      maxPixels: 224 * 224,
    });
    expect(patchCall({ maxPixels: 20_000 }).patch).toMatchObject({
      minPixels: 20_000,
      maxPixels: 20_000,
    });
    expect(patchCall({ minPixels: 100 }).patch).toMatchObject({
      minPixels: 100,
      maxPixels: 224 * 224,
    });
  });

  test('kKeep that is no number of blocks', () => {
    const { message } = refusal(() => patchCall({ kKeep: 10, selectionUnit: 'block2x2' }));
    expect(message).toContain('for kKeep but received 10');
    expect(message).toContain('multiple of 4');
    expect(patchCall({ kKeep: 12, selectionUnit: 'block2x2' }).patch.kKeep.value).toBe(12);
  });

  test('kKeep in every form', () => {
    const budget = (kKeep: unknown) => patchCall({ kKeep }).patch.kKeep;
    expect(budget(7)).toEqual({ kind: 'patches', value: 7 });
    expect(budget({ frames: 1.5 })).toEqual({ kind: 'frames', value: { frames: 1.5 } });
    expect(budget({ perSecond: 20, max: 64 })).toEqual({
      kind: 'perSecond',
      value: { perSecond: 20, min: null, max: 64 },
    });
    const refused = (kKeep: unknown) => refusal(() => patchCall({ kKeep })).message;
    expect(refused(0)).toMatch(
      /^Expected integer between 1 and 2147483647 for kKeep but received 0/,
    );
    expect(refused(1.5)).toMatch(/for kKeep but received 1.5/);
    expect(refused({ frames: 0 })).toMatch(/^Expected number > 0 for kKeep.frames but received 0/);
    expect(refused({ frames: 2, perSecond: 8 })).toMatch(/frames and perSecond at once/);
    expect(refused({ frames: 2, max: 8 })).toMatch(/kKeep.max/);
    expect(refused({ perSecond: 8, min: 9, max: 8 })).toMatch(
      /^Expected integer <= max \(8\) for kKeep.min but received 9/,
    );
  });

  test('bounds per frame', () => {
    const blocks = { selectionUnit: 'block2x2', kKeep: 64 };
    for (const name of ['minPerFrame', 'maxPerFrame'] as const) {
      expect(patchCall({ [name]: 0.25 }).patch[name]).toBe(0.25);
      expect(patchCall({ [name]: 6 }).patch[name]).toBe(6);
      const { message } = refusal(() => patchCall({ ...blocks, [name]: 6 }));
      expect(message).toMatch(`a multiple of 4 (selectionUnit is 'block2x2') for ${name}`);
    }
    for (const [minPerFrame, maxPerFrame] of [
      [6, 4],
      [0.5, 0.25],
    ]) {
      const { message } = refusal(() => patchCall({ minPerFrame, maxPerFrame }));
      expect(message).toMatch(`Expected number <= maxPerFrame (${maxPerFrame}) for minPerFrame`);
    }
  });

  test('ignored parts', () => {
    const rectangle = { x: 0, y: 0.75, width: 1, height: 0.25 };
    expect(patchCall({ ignore: 'letterbox' }).patch.ignore.kind).toBe('letterbox');
    expect(patchCall({ ignore: ['letterbox', rectangle] }).patch.ignore.value).toEqual([
      { kind: 'letterbox', value: 'letterbox' },
      { kind: 'width', value: rectangle },
    ]);
    const refused = (ignore: unknown) => refusal(() => patchCall({ ignore })).message;
    expect(refused(['bars'])).toMatch(/^Expected one of 'letterbox' for ignore\[0\]/);
    expect(refused([{ ...rectangle, height: 0.3 }])).toMatch(/ignore\[0\] .*reaches out of it/);
    expect(refused([{ ...rectangle, x: -0.1 }])).toMatch(/ignore\[0\]\.x but received -0.1/);
    expect(refused([{ x: 0, y: 0, width: 1 }])).toMatch(/ignore\[0\]\.height/);
  });

  test('width without height, and the other way round', () => {
    expect(refusal(() => frameCall({ width: 64 })).message).toContain('for height but received');
    expect(refusal(() => frameCall({ height: 64 })).message).toContain('for width but received');
    expect(frameCall({ width: 64, height: 48 }).frame).toMatchObject({ width: 64, height: 48 });
  });

  const crop = { crop: { scale: [0.5, 1] } };
  test.each([
    [{ size: { short: 9 }, width: 9, height: 9 }, 'no value beside size for width'],
    [{ size: { short: 9 }, height: 9 }, 'no value beside size for height'],
    [{ resample: 'bicubic' }, 'no value without size (or width and height) for resample'],
    [
      { normalize: 'clip' },
      "'none' (outputDtype is 'uint8' unless given) for normalize but received",
    ],
    [
      { normalize: { offset: 1 }, outputDtype: 'uint8' },
      "Expected 'none' (outputDtype is 'uint8') for normalize",
    ],
    [{ augment: crop }, 'Expected a size (augment has crop) for size but received undefined'],
    [{ augment: { crop: 'random' } }, "Expected { short, crop } (augment has crop 'random')"],
    [{ augment: { crop: 'random' }, size: { long: 9 } }, "augment has crop 'random') for size"],
    [{ layout: 'nchw' }, "one of 'thwc', 'tchw', 'cthw' for layout"],
  ])('decodeOnly %j', (options, message) => {
    expect(refusal(() => frameCall(options)).message).toContain(message);
  });

  test.each([
    [{ size: { short: 28 }, inputSize: 224 }, 'no value beside size for inputSize but received'],
    [{ size: { short: 28 }, minPixels: 224 }, 'no value beside size for minPixels but received'],
    [{ size: { short: 28 }, maxPixels: 224 }, 'no value beside size for maxPixels but received'],
    [{ energy: 'reference', augment: {} }, "no value (energy is 'reference') for augment"],
    [
      { energy: 'reference', size: { short: 28, crop: 28 } },
      "one rule without crop and pad (energy is 'reference') for size",
    ],
    [{ energy: 'reference', size: [{ long: 28 }, { exact: [28, 28] }] }, "'reference') for size"],
    [{ augment: { crop: 'random' } }, "Expected { short, crop } (augment has crop 'random')"],
    [{ layout: 'thwc' }, "one of 'nchw', 'nhwc' for layout"],
  ])('patchStream %j', (options, message) => {
    expect(refusal(() => patchCall(options)).message).toContain(message);
  });

  test.each([
    [{ size: {} }, 'Expected { exact: [h, w] }, { short, crop? }'],
    [{ size: { short: 4, long: 4 } }, 'which has short and long at once'],
    [{ size: { exact: [4] } }, 'Expected [height, width] for size.exact but received'],
    [{ size: { exact: [4, 0] } }, 'Expected integer between 1 and 16384 for size.exact.width'],
    [{ size: { short: 0 } }, 'for size.short but received 0'],
    [{ size: { short: 4, pad: true } }, 'for size.pad but received true'],
    [{ size: [{ short: 4 }, { exact: 4 }] }, 'for size[1].exact but received 4'],
    [
      { size: { area: [4, 3], multipleOf: 1 } },
      'Expected [min, max] with min <= max for size.area',
    ],
    [{ size: { area: [3, 4] } }, 'for size.multipleOf but received undefined'],
    [
      { size: { area: [3, 4], multipleOf: 1, maxOverFrames: true, cap: { tokens: 4 } } },
      'Expected maxOverFrames or cap, not both for size.cap',
    ],
    [
      { size: { area: [3, 4], multipleOf: 1, maxOverFrames: true, of: 'video' } },
      "(of is 'video') for size.maxOverFrames",
    ],
    [{ augment: { flip: 2 } }, 'Expected number between 0 and 1 for augment.flip but received 2'],
    [{ augment: { crop: 'centre' } }, "Expected one of 'random' for augment.crop"],
    [{ augment: { crop: 0.5 } }, "Expected 'random' or { scale: [min, max]"],
    [{ augment: { crop: { scale: [1, 0.5] } } }, 'min <= max for augment.crop.scale'],
    [{ augment: { crop: { scale: [0.5, 1], ratio: [2, 1] } } }, 'for augment.crop.ratio'],
    [{ augment: { seed: NaN } }, 'Expected finite number for augment.seed but received NaN'],
  ])('both calls %j', (options, message) => {
    for (const call of [patchCall, frameCall]) {
      expect(refusal(() => call(options)).message).toContain(message);
    }
  });

  test('augment: a seed stands for its own random numbers, as many as the addon takes', () => {
    const draws = (seed: number) => frameCall({ augment: { seed } }).frame.augment?.seed ?? [];
    expect(draws(0)).toEqual(frameCall({ augment: {} }).frame.augment?.seed);
    expect(draws(1)).toHaveLength(41);
    expect(draws(1)).not.toEqual(draws(2));
    const all = Array.from({ length: 200 }, (_, seed) => draws(seed)).flat();
    expect(all.every((v) => v >= 0 && v < 1)).toBe(true);
    expect(all.reduce((a, b) => a + b, 0) / all.length).toBeCloseTo(0.5, 1);
    expect(new Set(all).size).toBeGreaterThan(all.length * 0.99);
  });

  test.each([
    [{ mean: [1, 2] }, 'normalize.mean'],
    [{ mean: [1, 2, NaN] }, 'normalize.mean'],
    [{ std: 0 }, 'normalize.std'],
    [{ std: [1, 0, 1] }, 'normalize.std'],
    [{ scale: '1' }, 'normalize.scale'],
    [{ scael: 1 }, 'normalize.scael'],
    // Numbers, but not in float32, in which the values are computed.
    [{ std: 1e-320 }, 'normalize.std'],
    [{ std: [1, 1, 1e-37] }, 'normalize.std'],
    [{ std: 1e39 }, 'normalize.std'],
    [{ mean: -1e39 }, 'normalize.mean'],
    [{ scale: 3e38 }, 'normalize.scale'],
  ])('normalize %j', (normalize, name) => {
    expect(refusal(() => patchCall({ normalize })).message).toContain(`for ${name} but received`);
  });
});

describe('records', () => {
  test('readerCacheDir is an absolute folder, or beside the video', () => {
    expect(patchCall({ readerCacheDir: 'cache' }).source.readerCacheDir).toBe(resolve('cache'));
    expect(patchCall({ readerCacheDir: 'beside' }).source.readerCacheDir).toBe('beside');
  });

  test('defaults', () => {
    const { input, signal, records } = parsePatchStream({ videoPath: VIDEO });
    const { source, sampling, devices, call, patch } = records;
    expect(input).toBe(VIDEO);
    expect(signal).toBeUndefined();
    const count = { kind: 'frames', value: 16 };
    const among = { only: null, range: null, trim: null, unique: false, short: 'repeat-ids' };
    expect(sampling).toEqual({
      sample: { kind: 'count', value: { count, place: 'ends', ...among } },
    });
    expect(devices).toEqual({
      decodeBackend: 'auto',
      processBackend: 'auto',
      decodeDeviceId: 0,
      processDeviceId: 0,
      nvdecSessionPoolSize: 2,
      nvdecReuseOpenDecoder: true,
    });
    expect(call).toEqual({ timeoutMs: 0 });
    expect(source).toEqual({
      decodeMode: 'throughput',
      uniformStrategy: 'auto',
      uniformAutoRatio: null,
      decodeThreads: 0,
      decodeThreadType: 'auto',
      readerCacheSize: 8,
      readerCacheDir: '',
      colorMatrix: 'auto',
      damaged: 'error',
      maxFramePixels: 268435456,
      maxFrames: 10_000_000,
      maxMemoryBytes: 4 * 1024 ** 3,
    });
    expect(patch).toEqual({
      energy: 'block',
      energyScope: 'frame',
      intraEnergy: 'zero',
      globalMotion: 'keep',
      maps: false,
      minPixels: 50176,
      maxPixels: 50176,
      patchSize: 14,
      kKeep: { kind: 'patches', value: 2048 },
      keyFramePatches: 'auto',
      wholeFrames: 'none',
      minPerFrame: 0,
      maxPerFrame: null,
      ignore: { kind: 'parts', value: [] },
      selectionUnit: 'patch',
      staticFallback: false,
      staticAbsThresh: 2,
      staticRelThresh: 0.15,
      staticUniformFrames: 4,
      energyPct: 95,
      outputDtype: 'bfloat16',
      layout: 'nchw',
      normalize: { scale: 1, offset: null, mean: [0, 0, 0], std: [1, 1, 1] },
      size: null,
      resample: 'bilinear-plain',
      augment: null,
    });
    expect(frameCall({}).frame).toEqual({
      width: 0,
      height: 0,
      outputDtype: 'uint8',
      layout: 'thwc',
      normalize: { scale: 1, offset: null, mean: [0, 0, 0], std: [1, 1, 1] },
      size: null,
      resample: 'bilinear-plain',
      augment: null,
    });
  });

  test('are frozen, normalize included', () => {
    const { patch, ...others } = patchCall({ normalize: { mean: 3 } });
    expect([patch, ...Object.values(others)].every((r) => Object.isFrozen(r))).toBe(true);
    expect(Object.isFrozen(patch.normalize) && Object.isFrozen(patch.normalize.mean)).toBe(true);
    expect(Object.isFrozen(frameCall({}).frame)).toBe(true);
  });

  test('undefined counts as not given', () => {
    const all = Object.fromEntries(optionNames('patchStream').map((name) => [name, undefined]));
    expect(patchCall({ ...all, videoPath: VIDEO })).toEqual(patchCall({}));
  });

  test('have the fields that the addon reads', () => {
    const records = { ...patchCall({}), ...frameCall({}) };
    expect(Object.keys(native().recordFields).sort()).toEqual(Object.keys(records).sort());
    for (const [name, record] of Object.entries(records)) {
      const fields = native().recordFields[name as keyof typeof records];
      expect([...fields].sort()).toEqual(Object.keys(record).sort());
    }
  });

  test('backend and deviceId reach both stages, an option of one stage wins', () => {
    expect(patchCall({ backend: 'gpu', deviceId: 2 }).devices).toMatchObject({
      decodeBackend: 'gpu',
      processBackend: 'gpu',
      decodeDeviceId: 2,
      processDeviceId: 2,
    });
    const mixed = { backend: 'cpu', processBackend: 'gpu', deviceId: 1, processDeviceId: 3 };
    expect(patchCall(mixed).devices).toMatchObject({
      decodeBackend: 'cpu',
      processBackend: 'gpu',
      decodeDeviceId: 1,
      processDeviceId: 3,
    });
    expect(patchCall({ backend: 'cpu', decodeBackend: 'auto' }).devices.decodeBackend).toBe('auto');
  });

  test('decodeMode decides about nvdecReuseOpenDecoder unless that is given', () => {
    const reuse = (options: object) => patchCall({ ...options }).devices.nvdecReuseOpenDecoder;
    expect(reuse({ decodeMode: 'auto' })).toBe(true);
    expect(reuse({ decodeMode: 'latency' })).toBe(false);
    expect(reuse({ decodeMode: 'latency', nvdecReuseOpenDecoder: true })).toBe(true);
    expect(reuse({ nvdecReuseOpenDecoder: false })).toBe(false);
    expect(patchCall({ decodeMode: 'auto' }).source.decodeMode).toBe('throughput');
  });

  test('energyPct is clamped', () => {
    const pct = (energyPct: number) => patchCall({ energyPct }).patch.energyPct;
    expect([pct(-5), pct(0.5), pct(50.5), pct(1000)]).toEqual([1, 1, 50.5, 100]);
  });

  test('dtype aliases', () => {
    const dtype = (outputDtype: string) => patchCall({ outputDtype }).patch.outputDtype;
    expect(['bf16', 'bfloat16'].map(dtype)).toEqual(['bfloat16', 'bfloat16']);
    expect(['fp16', 'float16'].map(dtype)).toEqual(['float16', 'float16']);
    expect(['fp32', 'float32'].map(dtype)).toEqual(['float32', 'float32']);
  });

  test('inputSize sets both areas', () => {
    expect(patchCall({ inputSize: 100 }).patch).toMatchObject({ minPixels: 1e4, maxPixels: 1e4 });
  });

  test('normalize: names, scalars and defaults', () => {
    const normalize = (value: unknown) => patchCall({ normalize: value }).patch.normalize;
    for (const [name, record] of Object.entries(NORMALIZE_PRESETS)) {
      expect(normalize(name)).toEqual(record);
    }
    expect(normalize({})).toEqual(NORMALIZE_PRESETS.none);
    expect(normalize({ offset: 1 })).toEqual({ ...NORMALIZE_PRESETS.none, offset: 1 });
    expect(normalize({ std: 1e-30 })).toMatchObject({ std: [1e-30, 1e-30, 1e-30] });
    expect(normalize({ scale: 1 / 255 })).toEqual(NORMALIZE_PRESETS.unit);
    expect(normalize({ mean: 127.5, std: [1, 2, 3] })).toEqual({
      scale: 1,
      offset: null,
      mean: [127.5, 127.5, 127.5],
      std: [1, 2, 3],
    });
    // The published constants: torchvision's ImageNet weights, openai/CLIP.
    expect(NORMALIZE_PRESETS.imagenet.mean).toEqual([0.485, 0.456, 0.406]);
    expect(NORMALIZE_PRESETS.clip.std).toEqual([0.26862954, 0.26130258, 0.27577711]);
  });
});

describe('videoPath', () => {
  const input = (videoPath: unknown) => parseDecodeOnly({ videoPath: videoPath as string }).input;

  test('paths and file: URLs', () => {
    expect(input('a b/ü%d.mp4')).toBe(`${process.cwd()}/a b/ü%d.mp4`);
    expect(input('file:///a%20b/%C3%BC.mp4')).toBe('/a b/ü.mp4');
    expect(input(pathToFileURL('/a b/ü%d.mp4'))).toBe('/a b/ü%d.mp4');
    expect(input('./http://odd-but-local')).toBe(`${process.cwd()}/./http://odd-but-local`);
  });

  test('bytes are passed on without a copy', () => {
    const bytes = Buffer.from('abcdef').subarray(1, 4);
    expect(input(bytes)).toBe(bytes);
    const whole = input(new Uint8Array([1, 2, 3]).buffer);
    expect(whole).toEqual(new Uint8Array([1, 2, 3]));
  });

  test('URLs of other protocols are refused by name', () => {
    expect(refusal(() => input(new URL('https://host/x.mp4'))).message).toContain(
      '"https://host/x.mp4"',
    );
    const remote = refusal(() => input('file://server/share.mp4'));
    expect(remote.message).toContain('"file://server/share.mp4"');
    expect(remote.cause).toMatchObject({ code: 'ERR_INVALID_FILE_URL_HOST' });
  });
});

describe('generated files', () => {
  test('docs/options.md and src/options/config.ts are up to date', () => {
    const script = join(repoRoot, 'scripts/gen-options.cjs');
    const run = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
    expect(run.stderr).toBe('');
    expect(run.status).toBe(0);
  });

  test('docs/options.md names every option', () => {
    const doc = readFileSync(join(repoRoot, 'docs/options.md'), 'utf8');
    for (const name of Object.keys(OPTIONS)) expect(doc).toContain(`\n| \`${name}\` |`);
  });
});

describe('describeOptions', () => {
  test.each(['patchStream', 'decodeOnly'] as const)(
    '%s: what it says is what is checked',
    (api) => {
      const check = api === 'patchStream' ? checkPatchStreamOptions : checkDecodeOnlyOptions;
      const options = describeOptions(api);
      expect(options.map(({ name }) => name)).toEqual(optionNames(api));
      for (const { name, kind, choices, expected, doc } of options) {
        expect([name, doc.length > 10, expected.length > 3]).toEqual([name, true, true]);
        for (const choice of choices ?? []) {
          // Some choices need another option beside them; none is unknown.
          expect(() => check({ [name]: choice })).not.toThrow(
            new RegExp(`one of .* for ${name} but`),
          );
        }
        const wrong = {
          boolean: 'yes',
          integer: 0.5,
          number: 'one',
          choice: 'none of them',
          string: 7,
          other: () => 0,
        };
        expect(() => check({ [name]: wrong[kind] as never })).toThrow(`for ${name} but received`);
      }
    },
  );
});
