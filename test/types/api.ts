/** Types of the public API, checked by tsc (tsconfig.test.json); nothing here ever runs. */
import * as api from '../../src/index.js';
import {
  backendInfo,
  buildInfo,
  warmUp,
  decodeOnly,
  openVideo,
  patchStream,
  probe,
  Tensor,
} from '../../src/index.js';
import type {
  CallReport,
  CodecPatchStreamError,
  DecodedFrames,
  DecodeOnlyConfig,
  DType,
  ErrorCode,
  PatchMetadata,
  PatchStream,
  PatchStreamConfig,
  ResultNote,
  SampleRule,
  SizeRule,
  Video,
  VideoInfo,
} from '../../src/index.js';
import type { SelectSpec } from '../../src/inputs/index.js';
import type { OptionName } from '../../src/options/schema.js';

type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
function expectType<A>(): <B>(...same: Equal<A, B> extends true ? [B] : [never]) => void {
  return () => undefined;
}
const type = <T>(): T => undefined as T;

// --- the interfaces are exactly the schema ------------------------------------------------------
expectType<OptionName>()(type<keyof PatchStreamConfig | keyof DecodeOnlyConfig>());

// --- results ------------------------------------------------------------------------------------
expectType<Promise<PatchStream<'bfloat16'>>>()(patchStream({ videoPath: 'a.mp4' }));
expectType<Promise<DecodedFrames<'uint8', boolean, 'thwc'>>>()(
  decodeOnly({ videoPath: new URL('file:///a.mp4') }),
);

export async function patches(): Promise<void> {
  const stream = await patchStream({ videoPath: new Uint8Array(), outputDtype: 'fp32' });
  expectType<number>()(stream.length);
  expectType<readonly number[]>()(stream.sampledFrameIds);
  expectType<readonly ResultNote[]>()(stream.notes);
  expectType<readonly PatchMetadata[]>()(stream.metadata);
  expectType<Int32Array | undefined>()(stream.metadataTensors.fields.data);
  expectType<Float32Array | undefined>()(stream.metadataTensors.scores.data);
  expectType<Tensor<'int32'>>()(stream.positions);
  expectType<Tensor<'float32'>>()(stream.frameScores);
  expectType<Promise<Float32Array>>()(stream.patches.toFloat32());
  for (const { patch, metadata } of stream) {
    expectType<readonly number[]>()(patch.shape);
    expectType<boolean>()(metadata.isI);
  }
  const { patches: next, metadata } = stream.nextN(4);
  expectType<PatchMetadata[]>()(metadata);
  const { fields, scores } = stream.nextNTensors(4);
  const everyTensor: Tensor[] = [next, fields, scores, stream.patches];
  everyTensor.forEach((tensor) => expectType<DType>()(tensor.dtype));
  expectType<string>()(stream.backend.decode);
  expectType<number | undefined>()(stream.timings['decodeMs']);
  const disposable: Disposable & AsyncDisposable = stream;
  disposable[Symbol.dispose]();
}

export async function frames(): Promise<void> {
  const result = await decodeOnly({ videoPath: new ArrayBuffer(8), width: 64, height: 64 });
  expectType<Tensor<'uint8'>>()(result.frames);
  expectType<Uint8Array | undefined>()(result.frame(0).data);
  expectType<readonly boolean[]>()(result.isKeyFrame);
}

export async function devices(): Promise<void> {
  expectType<boolean>()((await backendInfo()).gpu.decode);
  expectType<boolean>()((await warmUp({ deviceId: 1 })).gpu.process);
  expectType<number>()(buildInfo().threads);
}
expectType<ErrorCode>()(type<CodecPatchStreamError>().code);
expectType<'patchStream' | 'decodeOnly' | 'openVideo'>()(type<CallReport>().api);

// --- results follow the options --------------------------------------------------------------------
export async function following(video: Video, some: DecodeOnlyConfig): Promise<void> {
  const stream = await patchStream({ videoPath: 'a', outputDtype: 'fp32', backend: 'cpu' });
  expectType<PatchStream<'float32', true>>()(stream);
  expectType<Float32Array>()(stream.patches.data);
  expectType<Float32Array>()(stream.nextN(1).patches.at(0).data);
  const anywhere = await patchStream({ videoPath: 'a', outputDtype: 'float16' });
  expectType<Uint16Array | undefined>()(anywhere.patches.data);
  const half = { outputDtype: 'bf16', processBackend: 'cpu', decodeBackend: 'gpu' } as const;
  expectType<Uint16Array>()((await patchStream({ videoPath: 'a', ...half })).patches.data);

  const frames = await decodeOnly({
    ...{ videoPath: 'a', size: { short: 224, crop: 224 }, layout: 'cthw' },
    ...{ outputDtype: 'fp16', normalize: 'clip', backend: 'cpu' },
  } as const);
  expectType<DecodedFrames<'float16', true, 'cthw'>>()(frames);
  expectType<Uint16Array>()(frames.frames.data);
  expectType<'cthw'>()(frames.layout);
  expectType<Uint8Array | undefined>()((await decodeOnly({ videoPath: 'a' })).frames.data);
  expectType<Uint8Array | undefined>()(
    (await decodeOnly({ videoPath: 'a', backend: 'cpu', processBackend: 'auto' })).frames.data,
  );
  expectType<Promise<DecodedFrames>>()(decodeOnly(some));
  const held = await video.frames({ outputDtype: 'fp32', layout: 'tchw', backend: 'cpu' });
  expectType<Float32Array>()(held.frame(0).data);
  expectType<'tchw'>()(held.layout);
  expectType<Uint8Array>()(
    (await video.patches({ outputDtype: 'uint8', backend: 'cpu' })).patches.data,
  );
  const plain: readonly (PatchStream | DecodedFrames)[] = [stream, frames];
  expectType<number>()(plain.length);
}

// --- sizes ---------------------------------------------------------------------------------------------
export const sizes: readonly SizeRule[] = [
  { exact: [224, 224] },
  { short: 224 },
  { short: 224, crop: 224 },
  { long: 576, even: true, pad: true },
  { area: [3136, 602112], multipleOf: 28, of: 'video', branch: 'original' },
  {
    area: [3136, 602112],
    multipleOf: 28,
    maxOverFrames: true,
    cap: { tokens: 128000, share: 0.9 },
  },
];
void decodeOnly({ videoPath: 'a', size: [{ long: 1456 }, { exact: [364, 364] }] });
// @ts-expect-error two forms
export const shortAndLong: SizeRule = { short: 4, long: 4 };
// @ts-expect-error two forms
export const exactAndArea: SizeRule = { exact: [4, 4], area: [1, 2], multipleOf: 1 };
// @ts-expect-error a crop is of a short side
export const croppedLong: SizeRule = { long: 4, crop: 4 };
// @ts-expect-error what of?
export const noMultiple: SizeRule = { area: [1, 2] };
// @ts-expect-error none
export const noSize: SizeRule = {};
void patchStream({ videoPath: 'a', augment: { crop: 'random', flip: 0.5, seed: 1 } });
void patchStream({ videoPath: 'a', augment: { crop: { scale: [0.08, 1], ratio: [0.75, 1.5] } } });
// @ts-expect-error not an order of frames
void decodeOnly({ videoPath: 'a', layout: 'nchw' });
// @ts-expect-error not an order of patches
void patchStream({ videoPath: 'a', layout: 'thwc' });
// @ts-expect-error not a filter
void decodeOnly({ videoPath: 'a', resample: 'cubic' });

// --- undefined is welcome where an option is optional ---------------------------------------------
void patchStream({ videoPath: 'a', kKeep: undefined, signal: undefined });
void patchStream({ videoPath: 'a', normalize: { mean: [1, 2, 3], std: 2 } });
void patchStream({ videoPath: 'a', normalize: 'imagenet', layout: 'nhwc' });

// --- what must not compile -------------------------------------------------------------------------
// @ts-expect-error videoPath is required
void patchStream({});
// @ts-expect-error the Python names are not ours
void patchStream({ videoPath: 'a', k_keep: 4 });
// @ts-expect-error not a dtype
void patchStream({ videoPath: 'a', outputDtype: 'float64' });
// @ts-expect-error an option of patchStream
void decodeOnly({ videoPath: 'a', kKeep: 4 });
// @ts-expect-error an option of decodeOnly
void patchStream({ videoPath: 'a', width: 4 });
// @ts-expect-error not a backend
void decodeOnly({ videoPath: 'a', backend: 'cuda' });
// @ts-expect-error tensors are made by streams
export const made = (): unknown => new Tensor();
// @ts-expect-error named exports only
export const missing: unknown = api.default;
export function readOnly(stream: PatchStream): void {
  // @ts-expect-error results cannot be changed
  stream.fps = 3;
  // @ts-expect-error nor their arrays
  stream.sampledFrameIds.push(1);
}

// --- sampling rules ----------------------------------------------------------------------------------
export const rules: readonly SampleRule[] = [
  { count: 8 },
  { count: { fps: 2, min: 4, max: 768, multipleOf: 2 }, place: 'starts', short: 'all' },
  { count: [[10, 8], [30, 16]], only: 'key-frames', trim: 1, unique: true }, // prettier-ignore
  { count: 8, range: { fromSec: 1, toSec: 2 } },
  { clip: 16, stride: 4, start: 'random', seed: 1, range: { from: -9 } },
  { indices: [0, -1] },
  { indices: new Int32Array() },
  { timesSec: new Float64Array() },
];
// @ts-expect-error two forms
export const countAndClip: SampleRule = { count: 8, clip: 16 };
// @ts-expect-error two forms
export const countAndIndices: SampleRule = { count: 8, indices: [0] };
// @ts-expect-error two forms
export const countAndTimes: SampleRule = { count: 8, timesSec: [0] };
// @ts-expect-error two forms
export const clipAndIndices: SampleRule = { clip: 8, indices: [0] };
// @ts-expect-error two forms
export const clipAndTimes: SampleRule = { clip: 8, timesSec: [0] };
// @ts-expect-error two forms
export const indicesAndTimes: SampleRule = { indices: [0], timesSec: [0] };
// @ts-expect-error none
export const noForm: SampleRule = {};
// @ts-expect-error a place is of a count
export const placedClip: SampleRule = { clip: 8, place: 'ends' };
// @ts-expect-error a stride is of a clip
export const countWithStride: SampleRule = { count: 8, stride: 2 };
// @ts-expect-error a start is of a clip
export const countWithStart: SampleRule = { count: 8, start: 0 };
// @ts-expect-error a seed is of a clip
export const countWithSeed: SampleRule = { count: 8, seed: 0 };
// @ts-expect-error indices are complete
export const indicesAmong: SampleRule = { indices: [0], only: 'key-frames' };
// @ts-expect-error times are complete
export const timesAmong: SampleRule = { timesSec: [0], range: { from: 1 } };
// @ts-expect-error seconds or indices
export const mixedRange: SampleRule = { count: 8, range: { fromSec: 1, to: 2 } };
// @ts-expect-error not a place
export const noPlace: SampleRule = { count: 8, place: 'end' };

export async function videos(video: Video): Promise<void> {
  expectType<Promise<Video>>()(openVideo('a.mp4'));
  expectType<Promise<VideoInfo>>()(probe(new Uint8Array()));
  expectType<Promise<DecodedFrames<'uint8', boolean, 'thwc'>>>()(
    video.frames({ sample: { indices: video.keyFrameIndices } }),
  );
  expectType<Promise<PatchStream<'bfloat16'>>>()(
    patchStream({ videoPath: video, sample: { count: 4 } }),
  );
  for await (const frames of video.windows({ frames: 4 }, { of: 'frames' })) {
    expectType<DecodedFrames<'uint8', boolean, 'thwc'>>()(frames);
  }
  const planes = { of: 'frames', layout: 'tchw', outputDtype: 'fp32', backend: 'cpu' } as const;
  for await (const frames of video.windows({ frames: 4 }, planes)) {
    expectType<Float32Array>()(frames.frames.data);
    expectType<'tchw'>()(frames.layout);
  }
  for await (const stream of video.windows({ seconds: 4, hop: 1 }, { of: 'patches', kKeep: 4 })) {
    expectType<PatchStream<'bfloat16'>>()(stream);
  }
  const bytes = { of: 'patches', outputDtype: 'uint8', backend: 'cpu' } as const;
  for await (const stream of video.windows({ frames: 4 }, bytes)) {
    expectType<Uint8Array>()(stream.patches.data);
  }
  // @ts-expect-error one unit
  video.windows({ frames: 4, seconds: 1 }, { of: 'frames' });
  // @ts-expect-error of what
  video.windows({ frames: 4 }, {});
  // @ts-expect-error an option of patches
  video.windows({ frames: 4 }, { of: 'frames', kKeep: 4 });
}

// --- inputs of models ---------------------------------------------------------------------------
export const select: SelectSpec = {
  ...{ kKeep: 64, energy: 'block', energyPct: 95, energyScope: 'video' },
  ...{ intraEnergy: 'texture', globalMotion: 'subtract', staticFallback: true },
};
