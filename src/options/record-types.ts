// Generated from src/options/schema.ts by scripts/gen-options.cjs; do not edit.

import type { NormalizeRecord } from './kinds.js';

export interface FpsCountRecord {
  readonly fps: number;
  readonly min: number | null;
  readonly max: number | null;
  readonly multipleOf: number;
  readonly round: 'floor' | 'nearest';
}

export interface CountRowRecord {
  readonly belowSeconds: number;
  readonly frames: number;
}

export type CountRecord =
  | { readonly kind: 'frames'; readonly value: number }
  | { readonly kind: 'fps'; readonly value: FpsCountRecord }
  | { readonly kind: 'table'; readonly value: readonly CountRowRecord[] };

export interface SampleRangeRecord {
  readonly fromSec: number | null;
  readonly toSec: number | null;
  readonly from: number | null;
  readonly to: number | null;
}

export interface CountRuleRecord {
  readonly count: CountRecord;
  readonly place: 'ends' | 'ends-round' | 'linspace' | 'starts' | 'middles' | 'every' | 'times';
  readonly only: 'key-frames' | null;
  readonly range: SampleRangeRecord | null;
  readonly trim: number | null;
  readonly unique: boolean;
  readonly short: 'repeat-ids' | 'all' | 'repeat-last' | 'error';
}

export type ClipStartRecord =
  | { readonly kind: 'position'; readonly value: number }
  | { readonly kind: 'place'; readonly value: 'centre' | 'random' };

export interface ClipRuleRecord {
  readonly clip: number;
  readonly stride: number;
  readonly start: ClipStartRecord;
  readonly seed: number;
  readonly only: 'key-frames' | null;
  readonly range: SampleRangeRecord | null;
  readonly trim: number | null;
  readonly unique: boolean;
  readonly short: 'repeat-ids' | 'all' | 'repeat-last' | 'error';
}

export interface IndicesRuleRecord {
  readonly indices: readonly number[];
}

export interface TimesRuleRecord {
  readonly timesSec: readonly number[];
}

export type SampleRuleRecord =
  | { readonly kind: 'count'; readonly value: CountRuleRecord }
  | { readonly kind: 'clip'; readonly value: ClipRuleRecord }
  | { readonly kind: 'indices'; readonly value: IndicesRuleRecord }
  | { readonly kind: 'timesSec'; readonly value: TimesRuleRecord };

export interface HeightWidthRecord {
  readonly height: number;
  readonly width: number;
}

export interface ExactSizeRecord {
  readonly exact: HeightWidthRecord;
}

export interface ShortSizeRecord {
  readonly short: number;
  readonly crop: number;
}

export interface LongSizeRecord {
  readonly long: number;
  readonly even: boolean;
  readonly pad: boolean;
}

export interface AreaBoundsRecord {
  readonly min: number;
  readonly max: number;
}

export interface SizeCapRecord {
  readonly tokens: number;
  readonly share: number;
}

export interface AreaSizeRecord {
  readonly area: AreaBoundsRecord;
  readonly multipleOf: number;
  readonly of: 'frame' | 'video';
  readonly framesPerStep: number;
  readonly branch: 'rounded' | 'original' | 'factor-first';
  readonly maxOverFrames: boolean;
  readonly cap: SizeCapRecord | null;
}

export interface PatchesSizeRecord {
  readonly patches: number;
  readonly patchSize: number;
}

export type SizeRuleRecord =
  | { readonly kind: 'exact'; readonly value: ExactSizeRecord }
  | { readonly kind: 'short'; readonly value: ShortSizeRecord }
  | { readonly kind: 'long'; readonly value: LongSizeRecord }
  | { readonly kind: 'area'; readonly value: AreaSizeRecord }
  | { readonly kind: 'patches'; readonly value: PatchesSizeRecord };

export interface CropScaleRecord {
  readonly min: number;
  readonly max: number;
}

export interface CropRatioRecord {
  readonly min: number;
  readonly max: number;
}

export interface ResizedCropRecord {
  readonly scale: CropScaleRecord;
  readonly ratio: CropRatioRecord;
}

export type AugmentCropRecord =
  | { readonly kind: 'place'; readonly value: 'random' }
  | { readonly kind: 'scale'; readonly value: ResizedCropRecord };

export interface AugmentRuleRecord {
  readonly crop: AugmentCropRecord | null;
  readonly flip: number;
  readonly seed: readonly number[];
}

export interface FramesBudgetRecord {
  readonly frames: number;
}

export interface RateBudgetRecord {
  readonly perSecond: number;
  readonly min: number | null;
  readonly max: number | null;
}

export type PatchBudgetRecord =
  | { readonly kind: 'patches'; readonly value: number }
  | { readonly kind: 'frames'; readonly value: FramesBudgetRecord }
  | { readonly kind: 'perSecond'; readonly value: RateBudgetRecord };

export interface RectangleRecord {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export type IgnoredPartRecord =
  | { readonly kind: 'letterbox'; readonly value: 'letterbox' }
  | { readonly kind: 'width'; readonly value: RectangleRecord };

export type IgnoreRecord =
  | { readonly kind: 'letterbox'; readonly value: 'letterbox' }
  | { readonly kind: 'parts'; readonly value: readonly IgnoredPartRecord[] };

/** What opening and decoding a video needs. struct SourceOptions of the addon. */
export interface SourceRecord {
  readonly decodeMode: 'throughput' | 'latency';
  readonly uniformStrategy: 'auto' | 'seek' | 'stream';
  readonly uniformAutoRatio: number | null;
  readonly decodeThreads: number;
  readonly decodeThreadType: 'auto' | 'frame' | 'slice';
  readonly readerCacheSize: number;
  readonly readerCacheDir: string;
  readonly colorMatrix: 'auto' | 'bt601' | 'bt709' | 'bt2020';
  readonly damaged: 'error' | 'skip' | 'nearest';
  readonly maxFramePixels: number;
  readonly maxFrames: number;
  readonly maxMemoryBytes: number;
}

/** Which frames are wanted. struct SamplingOptions of the addon. */
export interface SamplingRecord {
  readonly sample: SampleRuleRecord;
}

/** Where decoding and all after it run. struct DevicesOptions of the addon. */
export interface DevicesRecord {
  readonly decodeBackend: 'auto' | 'gpu' | 'cpu';
  readonly processBackend: 'auto' | 'gpu' | 'cpu';
  readonly decodeDeviceId: number;
  readonly processDeviceId: number;
  readonly nvdecSessionPoolSize: number;
  readonly nvdecReuseOpenDecoder: boolean;
}

/** What holds for a call as a whole. struct CallOptions of the addon. */
export interface CallRecord {
  readonly timeoutMs: number;
}

/** What becomes of the frames in patchStream. struct PatchOptions of the addon. */
export interface PatchRecord {
  readonly size: readonly SizeRuleRecord[] | null;
  readonly resample: 'bilinear-plain' | 'bilinear' | 'bicubic' | 'lanczos' | 'area';
  readonly augment: AugmentRuleRecord | null;
  readonly outputDtype: 'bfloat16' | 'float16' | 'float32' | 'uint8';
  readonly layout: 'nchw' | 'nhwc';
  readonly normalize: NormalizeRecord;
  readonly kKeep: PatchBudgetRecord;
  readonly keyFramePatches: 'auto' | 'before-others' | 'compete' | 'none';
  readonly wholeFrames: 'none' | 'first';
  readonly minPerFrame: number;
  readonly maxPerFrame: number | null;
  readonly ignore: IgnoreRecord;
  readonly selectionUnit: 'patch' | 'block2x2';
  readonly staticFallback: boolean;
  readonly staticAbsThresh: number;
  readonly staticRelThresh: number;
  readonly staticUniformFrames: number;
  readonly energy: 'block' | 'adjacent' | 'accumulated' | 'codec' | 'reference';
  readonly energyScope: 'frame' | 'video';
  readonly intraEnergy: 'zero' | 'texture';
  readonly globalMotion: 'keep' | 'subtract';
  readonly maps: boolean;
  readonly minPixels: number;
  readonly maxPixels: number;
  readonly patchSize: number;
  readonly energyPct: number;
}

/** What becomes of the frames in decodeOnly. struct FrameOptions of the addon. */
export interface FrameRecord {
  readonly size: readonly SizeRuleRecord[] | null;
  readonly resample: 'bilinear-plain' | 'bilinear' | 'bicubic' | 'lanczos' | 'area';
  readonly augment: AugmentRuleRecord | null;
  readonly outputDtype: 'uint8' | 'float16' | 'bfloat16' | 'float32';
  readonly layout: 'thwc' | 'tchw' | 'cthw';
  readonly normalize: NormalizeRecord;
  readonly width: number;
  readonly height: number;
}

export interface RecordTypes {
  readonly source: SourceRecord;
  readonly sampling: SamplingRecord;
  readonly devices: DevicesRecord;
  readonly call: CallRecord;
  readonly patch: PatchRecord;
  readonly frame: FrameRecord;
}

/** The records of a call of decodeOnly. */
export type DecodeOnlyRecords = Pick<
  RecordTypes,
  'source' | 'sampling' | 'devices' | 'call' | 'frame'
>;

/** The records of a call of patchStream. */
export type PatchStreamRecords = Pick<
  RecordTypes,
  'source' | 'sampling' | 'devices' | 'call' | 'patch'
>;
