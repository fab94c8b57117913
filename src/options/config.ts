// Generated from src/options/schema.ts by scripts/gen-options.cjs; do not edit.
import type { VideoSource } from '../native/source.js';
import type { OpenVideo } from '../native/video-handles.js';

import type { OneOf } from './structures.js';

/** One form of Count. */
export interface FpsCount {
  /** Frames per second of video. Number > 0. */
  readonly fps: number;
  /** At least so many. Integer between 1 and 1000000. */
  readonly min?: number | undefined;
  /** At most so many. Integer between 1 and 1000000. */
  readonly max?: number | undefined;
  /**
   * Cut down to a multiple of this; 1 where not even one multiple is left. Integer between 1 and
   * 1000000. Default: 1.
   */
  readonly multipleOf?: number | undefined;
  /** What becomes of a fraction of a frame; 'nearest' rounds halves to even. Default: 'floor'. */
  readonly round?: 'floor' | 'nearest' | undefined;
}

/** One row of a list. */
export interface CountRow {
  /** Number > 0. */
  readonly belowSeconds: number;
  /** Integer between 1 and 1000000. */
  readonly frames: number;
}

/**
 * How many frames: a number; by rate and duration; or by duration, [[10, 8], [30, 16], [60,
 * 32]] for 8 below 10 s, 16 below 30 s, else 32.
 */
export type Count =
  number | readonly (readonly [belowSeconds: number, frames: number])[] | FpsCount;

/**
 * Only frames of this half-open range: seconds since the first frame, or display indices as
 * slice takes them.
 */
export interface SampleRange {
  /** Number >= 0. */
  readonly fromSec?: number | undefined;
  /** Number >= 0. */
  readonly toSec?: number | undefined;
  /** Integer between -9007199254740991 and 9007199254740991. */
  readonly from?: number | undefined;
  /** Integer between -9007199254740991 and 9007199254740991. */
  readonly to?: number | undefined;
}

/** One form of SampleRule. */
export interface CountRule {
  /**
   * How many frames: a number; by rate and duration; or by duration, [[10, 8], [30, 16], [60,
   * 32]] for 8 below 10 s, 16 below 30 s, else 32.
   */
  readonly count: Count;
  /** Where the frames lie among N: docs/sampling.md has each formula. Default: 'ends'. */
  readonly place?:
    'ends' | 'ends-round' | 'linspace' | 'starts' | 'middles' | 'every' | 'times' | undefined;
  /** Only frames with the key flag: one packet is decoded per frame. */
  readonly only?: 'key-frames' | undefined;
  /**
   * Only frames of this half-open range: seconds since the first frame, or display indices as
   * slice takes them.
   */
  readonly range?:
    | OneOf<
        | { readonly fromSec?: number | undefined; readonly toSec?: number | undefined }
        | { readonly from?: number | undefined; readonly to?: number | undefined }
      >
    | undefined;
  /**
   * Seconds that are left out at both ends, where frames are left then; a shorter video is taken
   * whole. With an fps count and its max only where more than max · fps seconds are left. Number
   * >= 0.
   */
  readonly trim?: number | undefined;
  /** Leaves out frames that are there already. Default: false. */
  readonly unique?: boolean | undefined;
  /**
   * Where there are fewer frames than wanted: 'repeat-ids' repeats some as the formula does,
   * 'all' takes each once, 'repeat-last' repeats the last one behind them. Default:
   * 'repeat-ids'.
   */
  readonly short?: 'repeat-ids' | 'all' | 'repeat-last' | 'error' | undefined;
}

/** First frame: its position, 'centre' or 'random'. Default: 'centre'. */
export type ClipStart = number | 'centre' | 'random';

/** One form of SampleRule. */
export interface ClipRule {
  /** Number of frames. Integer between 1 and 1000000. */
  readonly clip: number;
  /** Frames from one to the next. Integer between 1 and 1000000. Default: 1. */
  readonly stride?: number | undefined;
  /** First frame: its position, 'centre' or 'random'. Default: 'centre'. */
  readonly start?: ClipStart | undefined;
  /**
   * Of start 'random': the same seed gives the same start, on every machine. Default: 0. Finite
   * number.
   */
  readonly seed?: number | undefined;
  /** Only frames with the key flag: one packet is decoded per frame. */
  readonly only?: 'key-frames' | undefined;
  /**
   * Only frames of this half-open range: seconds since the first frame, or display indices as
   * slice takes them.
   */
  readonly range?:
    | OneOf<
        | { readonly fromSec?: number | undefined; readonly toSec?: number | undefined }
        | { readonly from?: number | undefined; readonly to?: number | undefined }
      >
    | undefined;
  /**
   * Seconds that are left out at both ends, where frames are left then; a shorter video is taken
   * whole. With an fps count and its max only where more than max · fps seconds are left. Number
   * >= 0.
   */
  readonly trim?: number | undefined;
  /** Leaves out frames that are there already. Default: false. */
  readonly unique?: boolean | undefined;
  /**
   * Where the clip reaches beyond the last frame: 'repeat-last' repeats the last one that is
   * there, 'all' leaves the rest out. Default: 'repeat-last'.
   */
  readonly short?: 'repeat-ids' | 'all' | 'repeat-last' | 'error' | undefined;
}

/** One form of SampleRule. */
export interface IndicesRule {
  /** Display indices, in any order, repeats allowed; negative ones count from the end. */
  readonly indices: ArrayLike<number>;
}

/** One form of SampleRule. */
export interface TimesRule {
  /** Seconds since the first frame, in any order: the frame that is on screen then. */
  readonly timesSec: ArrayLike<number>;
}

/**
 * Which frames, and in which order: a number of them spread over the video, by fps, a clip,
 * indices, times, key frames. docs/sampling.md shows every form. The result has the order and
 * the repeats of the rule.
 */
export type SampleRule = OneOf<CountRule | ClipRule | IndicesRule | TimesRule>;

/** [height, width], whatever the proportions. */
export interface HeightWidth {
  /** Integer between 1 and 16384. */
  readonly height: number;
  /** Integer between 1 and 16384. */
  readonly width: number;
}

/** One form of SizeRule. */
export interface ExactSize {
  /** [height, width], whatever the proportions. */
  readonly exact: readonly [height: number, width: number];
}

/** One form of SizeRule. */
export interface ShortSize {
  /**
   * The shorter side; the other one keeps the proportions, cut down. Integer between 1 and
   * 16384.
   */
  readonly short: number;
  /**
   * Side of the square that is cut out of the middle; black where the picture is smaller.
   * Integer between 1 and 16384.
   */
  readonly crop?: number | undefined;
}

/** One form of SizeRule. */
export interface LongSize {
  /** The longer side; the other one keeps the proportions, cut down. Integer between 1 and 16384. */
  readonly long: number;
  /** An odd other side becomes one larger. Default: false. */
  readonly even?: boolean | undefined;
  /** Stands in the middle of a black square of side `long`. Default: false. */
  readonly pad?: boolean | undefined;
}

/** [min, max] pixels; the proportions are kept as far as multipleOf allows. */
export interface AreaBounds {
  /** Integer between 1 and 2147483647. */
  readonly min: number;
  /** Integer between 1 and 2147483647. */
  readonly max: number;
}

/** A budget of tokens that the frames share. */
export interface SizeCap {
  /** Tokens of multipleOf² pixels. Integer between 1 and 2147483647. */
  readonly tokens: number;
  /** The part of them to be used. Number between 5e-324 and 1. Default: 1. */
  readonly share?: number | undefined;
}

/** One form of SizeRule. */
export interface AreaSize {
  /** [min, max] pixels; the proportions are kept as far as multipleOf allows. */
  readonly area: readonly [min: number, max: number];
  /** Both sides are multiples of this. Integer between 1 and 1024. */
  readonly multipleOf: number;
  /**
   * Whether the bounds are of a frame or of all sampled frames together ('video'). Default:
   * 'frame'.
   */
  readonly of?: 'frame' | 'video' | undefined;
  /** Frames in a temporal patch, of 'video' and of cap. Integer between 1 and 1024. Default: 2. */
  readonly framesPerStep?: number | undefined;
  /**
   * Which area is compared with the bounds: that of the rounded sides, or the picture's own
   * ('original'). 'factor-first' rounds tiny sides up to multipleOf first. Default: 'rounded'.
   */
  readonly branch?: 'rounded' | 'original' | 'factor-first' | undefined;
  /** The upper bound is divided by the frames. Default: false. */
  readonly maxOverFrames?: boolean | undefined;
  /** A budget of tokens that the frames share. */
  readonly cap?: SizeCap | undefined;
}

/** One form of SizeRule. */
export interface PatchesSize {
  /**
   * The largest picture of the proportions that has no more patches (SigLIP 2 NaFlex). Integer
   * between 1 and 1000000.
   */
  readonly patches: number;
  /** Side of a patch; both sides are multiples of it. Integer between 1 and 1024. */
  readonly patchSize: number;
}

/** One row of a list. */
export type SizeRule = OneOf<ExactSize | ShortSize | LongSize | AreaSize | PatchesSize>;

/** [least, largest] share of the picture's area, each between 0.0001 and 1. */
export interface CropScale {
  /** Number between 0.0001 and 1. */
  readonly min: number;
  /** Number between 0.0001 and 1. */
  readonly max: number;
}

/** [least, largest] width / height, each between 0.01 and 100. Default: [3/4, 4/3]. */
export interface CropRatio {
  /** Number between 0.01 and 100. */
  readonly min: number;
  /** Number between 0.01 and 100. */
  readonly max: number;
}

/** One form of AugmentCrop. */
export interface ResizedCrop {
  /** [least, largest] share of the picture's area, each between 0.0001 and 1. */
  readonly scale: readonly [min: number, max: number];
  /** [least, largest] width / height, each between 0.01 and 100. Default: [3/4, 4/3]. */
  readonly ratio?: readonly [min: number, max: number] | undefined;
}

/**
 * 'random' places the crop of size anywhere; { scale, ratio? } cuts a part out of the picture
 * before size, as torchvision's RandomResizedCrop does.
 */
export type AugmentCrop = 'random' | ResizedCrop;

/**
 * Random crop and mirror of what a viewer sees. Drawn once per video, the same for all its
 * frames; `augmentation` of the result says what. Datasets draw for each epoch, pass and video
 * by the order's seed.
 */
export interface AugmentRule {
  /**
   * 'random' places the crop of size anywhere; { scale, ratio? } cuts a part out of the picture
   * before size, as torchvision's RandomResizedCrop does.
   */
  readonly crop?: AugmentCrop | undefined;
  /**
   * Probability that the pictures are mirrored, left to right. Number between 0 and 1. Default:
   * 0.
   */
  readonly flip?: number | undefined;
  /** The same seed draws the same, on every machine. Default: 0. Finite number. */
  readonly seed?: number | undefined;
}

/** One form of PatchBudget. */
export interface FramesBudget {
  /** As many patches as so many frames have, rounded down. Number > 0. */
  readonly frames: number;
}

/** One form of PatchBudget. */
export interface RateBudget {
  /**
   * Patches per second of the video (of the rule's range where it has one), rounded down. Number
   * > 0.
   */
  readonly perSecond: number;
  /** At least so many. Integer between 1 and 2147483647. */
  readonly min?: number | undefined;
  /** At most so many. Integer between 1 and 2147483647. */
  readonly max?: number | undefined;
}

/**
 * Number of patches to keep; all of them if there are fewer. { frames: 8 }: as many as eight
 * frames have. { perSecond, min?, max? }: by the duration. With selectionUnit 'block2x2' a
 * number must be a multiple of 4; the other forms are rounded down to one.
 */
export type PatchBudget = number | OneOf<FramesBudget | RateBudget>;

/** A part of the displayed frame, in 0..1 of its sides. */
export interface Rectangle {
  /** Left edge. Number between 0 and 1. */
  readonly x: number;
  /** Upper edge. Number between 0 and 1. */
  readonly y: number;
  /** Number between 0.000001 and 1. */
  readonly width: number;
  /** Number between 0.000001 and 1. */
  readonly height: number;
}

/** A rectangle, or the bars that are found. */
export type IgnoredPart = 'letterbox' | Rectangle;

/**
 * Parts of the frame that give no patches: rectangles in 0..1 of the displayed frame, and
 * 'letterbox', the black bars that all sampled frames have (the result's `letterbox` says how
 * large). A patch of which these cover more than half is left out.
 */
export type Ignore = 'letterbox' | readonly IgnoredPart[];

/** Options that decodeOnly and patchStream share. */
export interface DecodeConfig {
  /**
   * The video: a local path (relative to the working directory at the call), a file: URL, the
   * bytes of the whole file (copied before the call returns), a Blob or File (read as needed), a
   * source of your own ({ size, read }, docs/sources.md), or an open Video. Only local files and
   * memory are ever opened.
   */
  readonly videoPath: string | URL | Uint8Array | ArrayBuffer | Blob | VideoSource | OpenVideo;
  /** Rejects with an AbortError and stops the work within the decoding of one packet. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Device of both stages. 'auto' takes the GPU where it works for this video, else the CPU
   * (`fallbackReason` says why); 'gpu' and 'cpu' take that device or fail with
   * ERR_CPS_BACKEND_UNAVAILABLE. Default: 'auto'.
   */
  readonly backend?: 'auto' | 'gpu' | 'cpu' | undefined;
  /** The same for decoding alone. Default: backend. */
  readonly decodeBackend?: 'auto' | 'gpu' | 'cpu' | undefined;
  /**
   * The same for everything after decoding alone; 'auto' is the device on which the frames were
   * decoded. Default: backend.
   */
  readonly processBackend?: 'auto' | 'gpu' | 'cpu' | undefined;
  /** CUDA device of both stages. Integer between 0 and 1023. Default: 0. */
  readonly deviceId?: number | undefined;
  /** CUDA device that decodes. Integer between 0 and 1023. Default: deviceId. */
  readonly decodeDeviceId?: number | undefined;
  /** CUDA device of everything after decoding. Integer between 0 and 1023. Default: deviceId. */
  readonly processDeviceId?: number | undefined;
  /**
   * 'throughput' keeps opened decoders for the next calls, and calls at the same time share the
   * decoder threads evenly; 'latency' opens its own and runs such calls one after the other,
   * each with all threads; 'auto' is 'throughput'. Default: 'throughput'.
   */
  readonly decodeMode?: 'throughput' | 'latency' | 'auto' | undefined;
  /**
   * 'seek' jumps to key frames, 'stream' reads on; 'auto' takes what decodes fewer packets, from
   * the frame index. The frames are the same with each. Default: 'auto'.
   */
  readonly uniformStrategy?: 'auto' | 'seek' | 'stream' | undefined;
  /**
   * When given, uniformStrategy 'auto' streams exactly when totalFrames <= ratio × distinct
   * frames sampled, and seeks otherwise (the Python original: 12). Number > 0.
   */
  readonly uniformAutoRatio?: number | undefined;
  /**
   * NVDEC sessions kept open per device in throughput mode, and the most that decode one long
   * video at the same time (as many as the GPU has engines). Integer between 0 and 64. Default:
   * 2.
   */
  readonly nvdecSessionPoolSize?: number | undefined;
  /**
   * Reconfigures an open NVDEC decoder for the next video where the hardware can. Default: true
   * in throughput mode.
   */
  readonly nvdecReuseOpenDecoder?: boolean | undefined;
  /**
   * Threads that decode this video; 0 takes them from the process-wide budget. Integer between 0
   * and 1024. Default: 0.
   */
  readonly decodeThreads?: number | undefined;
  /** How FFmpeg's decoder may use several threads. Default: 'auto'. */
  readonly decodeThreadType?: 'auto' | 'frame' | 'slice' | undefined;
  /**
   * Frame indexes kept in memory for later calls (least recently used goes first; key: path,
   * size, modification time). Zero or less: none. Integer between -2147483647 and 2147483647.
   * Default: 8.
   */
  readonly readerCacheSize?: number | undefined;
  /**
   * A folder (made when missing) where frame indexes are kept for the next process, one small
   * file per video; 'beside' keeps them beside the videos as VIDEO.cpsindex. An index counts
   * only for the same path, size and modification time, and only where its file belongs to you,
   * to root or to the owner of the video. If the folder cannot be used, the call goes on without
   * it, with the note 'index-not-kept'.
   */
  readonly readerCacheDir?: string | undefined;
  /**
   * Matrix of the YUV to RGB conversion; 'auto' reads the stream's tags (BT.601 limited where
   * untagged). Default: 'auto'.
   */
  readonly colorMatrix?: 'auto' | 'bt601' | 'bt709' | 'bt2020' | undefined;
  /**
   * What happens to sampled frames that cannot be decoded (damaged, cut off). 'error': the call
   * rejects with ERR_CPS_CORRUPT; 'nearest': the nearest frame that can be decoded stands in its
   * place (of two the earlier; `sampledFrameIds` names it, `replacedFrames` what was wanted);
   * 'skip': it is left out and T shrinks (`skippedFrameIds`). With the latter two, the readable
   * part of a truncated MP4 can be used. Energy 'block' compares each frame with the one before
   * it in the result. If no frame can be decoded, the call fails. Damage that a decoder does not
   * notice stays unnoticed. NVDEC gives up at damage: 'auto' goes to the CPU then. Default:
   * 'error'.
   */
  readonly damaged?: 'error' | 'skip' | 'nearest' | undefined;
  /**
   * Number T of uniformly sampled frames, short for sample: { count: T }. Of N frames, sample i
   * is the one with display index floor(i·(N−1)/(T−1)); a video with fewer frames repeats some.
   * Not beside sample. Integer between 1 and 1000000. Default: 16.
   */
  readonly sequenceLength?: number | undefined;
  /**
   * Which frames, and in which order: a number of them spread over the video, by fps, a clip,
   * indices, times, key frames. docs/sampling.md shows every form. The result has the order and
   * the repeats of the rule. Default: { count: 16 }.
   */
  readonly sample?: SampleRule | undefined;
  /**
   * Videos with more pixels per frame are refused with ERR_CPS_UNSUPPORTED. Integer between 1
   * and 2147483647. Default: 268435456.
   */
  readonly maxFramePixels?: number | undefined;
  /**
   * Videos with more frames are refused with ERR_CPS_UNSUPPORTED. Integer between 1 and
   * 2147483647. Default: 10000000.
   */
  readonly maxFrames?: number | undefined;
  /**
   * Memory that one call may take: for the frames it keeps, its result, and what the frame index
   * takes beyond 16 MiB (some 200,000 frames). Checked before allocation; a call that needs more
   * fails with ERR_CPS_OUT_OF_MEMORY. Integer between 1048576 and 9007199254740991. Default: 4
   * GiB.
   */
  readonly maxMemoryBytes?: number | undefined;
  /**
   * Milliseconds that a call may take, the wait for a thread included. Then it is stopped and
   * rejects with ERR_CPS_TIMEOUT. 0: no limit. Integer between 0 and 2147483647. Default: 0.
   */
  readonly timeoutMs?: number | undefined;
}

/** Options of patchStream. */
export interface PatchStreamConfig extends DecodeConfig {
  /**
   * Size of the pictures, as a viewer sees them: one rule, or up to three one after the other;
   * docs/pixels.md shows each. Both sides must become multiples of patchSize, of twice that with
   * selectionUnit 'block2x2'. Not beside inputSize, minPixels, maxPixels. Default: the area of
   * inputSize².
   */
  readonly size?: SizeRule | readonly SizeRule[] | undefined;
  /**
   * How pictures are resized. 'bilinear', 'bicubic', 'lanczos' and 'area' (the mean) look at all
   * pixels when they shrink, as Pillow and torchvision's resize(antialias=True) do: of the
   * latter's uint8 pictures the same bits. 'bilinear-plain' looks at four. Default:
   * 'bilinear-plain'.
   */
  readonly resample?: 'bilinear-plain' | 'bilinear' | 'bicubic' | 'lanczos' | 'area' | undefined;
  /**
   * Random crop and mirror of what a viewer sees. Drawn once per video, the same for all its
   * frames; `augmentation` of the result says what. Datasets draw for each epoch, pass and video
   * by the order's seed.
   */
  readonly augment?: AugmentRule | undefined;
  /**
   * Element type of the patches; rounded to nearest even. 'uint8' (halves up) only with
   * normalize 'none'. Default: 'bf16'.
   */
  readonly outputDtype?:
    'bfloat16' | 'float16' | 'float32' | 'uint8' | 'bf16' | 'fp16' | 'fp32' | undefined;
  /** Order within a patch: 'nchw' [3, P, P], 'nhwc' [P, P, 3]. Default: 'nchw'. */
  readonly layout?: 'nchw' | 'nhwc' | undefined;
  /**
   * value = (rgb · scale − offset − mean) / std for rgb in 0..255, in float32 before the cast.
   * 'unit': 0..1; 'signed': −1..1; 'imagenet', 'clip': the usual constants. In the object form
   * scale defaults to 1, offset and mean to 0, std to 1; every value must be finite in float32.
   * 8-bit pixels are normalised as model processors do it: (rgb − mean/scale) / (std/scale)
   * without an offset. Default: 'none'.
   */
  readonly normalize?:
    | 'none'
    | 'unit'
    | 'signed'
    | 'imagenet'
    | 'clip'
    | {
        scale?: number;
        offset?: number;
        mean?: number | readonly number[];
        std?: number | readonly number[];
      }
    | undefined;
  /**
   * Number of patches to keep; all of them if there are fewer. { frames: 8 }: as many as eight
   * frames have. { perSecond, min?, max? }: by the duration. With selectionUnit 'block2x2' a
   * number must be a multiple of 4; the other forms are rounded down to one. Default: 2048.
   */
  readonly kKeep?: PatchBudget | undefined;
  /**
   * 'before-others': patches of key frames come before all others. 'compete': by score like any
   * other. 'none': key frames give no patches. 'auto': 'compete' when kKeep is less than two
   * frames' patches, else 'before-others' (with energy 'reference' always). docs/selection.md
   * shows each. Default: 'auto'.
   */
  readonly keyFramePatches?: 'auto' | 'before-others' | 'compete' | 'none' | undefined;
  /** 'first': all patches of the first sampled frame come before anything else. Default: 'none'. */
  readonly wholeFrames?: 'none' | 'first' | undefined;
  /**
   * Each sampled frame gives at least so many, its best ones: below 1 a share of a frame's
   * patches, rounded down; from 1 on a number (with blocks a multiple of 4). Number between 0
   * and 2147483647, an integer from 1 on. Default: 0.
   */
  readonly minPerFrame?: number | undefined;
  /**
   * No sampled frame, key frames included, gives more; counted as minPerFrame is. Number above 0
   * and at most 2147483647, an integer from 1 on.
   */
  readonly maxPerFrame?: number | undefined;
  /**
   * Parts of the frame that give no patches: rectangles in 0..1 of the displayed frame, and
   * 'letterbox', the black bars that all sampled frames have (the result's `letterbox` says how
   * large). A patch of which these cover more than half is left out.
   */
  readonly ignore?: Ignore | undefined;
  /** Whether patches compete one by one or as blocks of 2×2. Default: 'patch'. */
  readonly selectionUnit?: 'patch' | 'block2x2' | undefined;
  /** Spreads the selection over a few whole frames when hardly anything moves. Default: false. */
  readonly staticFallback?: boolean | undefined;
  /**
   * The video is static when the 95th percentile of mean scores is below this (divided by 255
   * above 1, then clamped to [0, 1]). Finite number. Default: 2.
   */
  readonly staticAbsThresh?: number | undefined;
  /**
   * Or below twice that, with a spread (p95 − p50) / p95 below this. Finite number. Default:
   * 0.15.
   */
  readonly staticRelThresh?: number | undefined;
  /**
   * Number of frames that a static video is spread over; 0 switches the fallback off. Integer
   * between 0 and 1000000. Default: 4.
   */
  readonly staticUniformFrames?: number | undefined;
  /**
   * How motion and residual are measured. 'block': block matching with the sampled frame before;
   * 'adjacent': block matching down to single pixels with the frame that is shown just before,
   * which is decoded as well; 'accumulated': every change since the sampled frame before, so
   * that all frames in between are decoded; 'codec': the stream's own motion vectors, in streams
   * whose pictures refer only to the one before (docs/energies.md); 'reference': the arithmetic
   * of the Python original, for models prepared with it. Default: 'block'.
   */
  readonly energy?: 'block' | 'adjacent' | 'accumulated' | 'codec' | 'reference' | undefined;
  /**
   * Motion and residual are divided by percentiles: 'frame', each frame's own; 'video', those of
   * all sampled frames together, so that still frames get no share of their own. Not with energy
   * 'reference'. Default: 'frame'.
   */
  readonly energyScope?: 'frame' | 'video' | undefined;
  /**
   * How frames score that have no frame before them: 'zero', or 'texture', by how much
   * neighbouring cells differ. Not with energy 'reference'. Default: 'zero'.
   */
  readonly intraEnergy?: 'zero' | 'texture' | undefined;
  /**
   * 'subtract' subtracts the displacement that most blocks share (the camera's) from all of
   * them. Not with energies 'reference' and 'accumulated'. Default: 'keep'.
   */
  readonly globalMotion?: 'keep' | 'subtract' | undefined;
  /**
   * Also gives what the energy saw in each frame, cell by cell, as `energyMaps`. Not with energy
   * 'reference'. Default: false.
   */
  readonly maps?: boolean | undefined;
  /**
   * Side in pixels of the square whose area frames are scaled to, keeping their shape. Integer
   * between 1 and 16384. Default: 224.
   */
  readonly inputSize?: number | undefined;
  /**
   * Frames with fewer pixels are scaled up to this area. An error above a given maxPixels; above
   * the default of maxPixels, maxPixels wins. Integer between 1 and 2147483647. Default:
   * inputSize².
   */
  readonly minPixels?: number | undefined;
  /**
   * Frames with more pixels are scaled down to this area. Below the default of minPixels,
   * maxPixels wins. Integer between 1 and 2147483647. Default: inputSize².
   */
  readonly maxPixels?: number | undefined;
  /**
   * Side P of a patch in pixels; both sides of a scaled frame are multiples of 2·P (with size:
   * of P). Integer between 1 and 1024. Default: 14.
   */
  readonly patchSize?: number | undefined;
  /**
   * Percentile that motion and residual are divided by; clamped to [1, 100]. Finite number.
   * Default: 95.
   */
  readonly energyPct?: number | undefined;
  /**
   * Videos that the datasets of the adapters decode ahead. No effect on a single call. Integer
   * between 1 and 64. Default: 3.
   */
  readonly prefetchDepth?: number | undefined;
}

/** Options of decodeOnly. */
export interface DecodeOnlyConfig extends DecodeConfig {
  /**
   * Size of the pictures, as a viewer sees them: one rule, or up to three one after the other;
   * docs/pixels.md shows each. Default: the video's.
   */
  readonly size?: SizeRule | readonly SizeRule[] | undefined;
  /**
   * How pictures are resized. 'bilinear', 'bicubic', 'lanczos' and 'area' (the mean) look at all
   * pixels when they shrink, as Pillow and torchvision's resize(antialias=True) do: of the
   * latter's uint8 pictures the same bits. 'bilinear-plain' looks at four. Default: with size
   * 'bilinear', else 'bilinear-plain'.
   */
  readonly resample?: 'bilinear-plain' | 'bilinear' | 'bicubic' | 'lanczos' | 'area' | undefined;
  /**
   * Random crop and mirror of what a viewer sees. Drawn once per video, the same for all its
   * frames; `augmentation` of the result says what. Datasets draw for each epoch, pass and video
   * by the order's seed.
   */
  readonly augment?: AugmentRule | undefined;
  /**
   * Element type of the frames; rounded to nearest even. 'uint8' only with normalize 'none'.
   * Default: 'uint8'.
   */
  readonly outputDtype?:
    'uint8' | 'float16' | 'bfloat16' | 'float32' | 'bf16' | 'fp16' | 'fp32' | undefined;
  /**
   * Order of the axes: 'thwc' [T, H, W, 3], 'tchw' [T, 3, H, W], 'cthw' [3, T, H, W]. Default:
   * 'thwc'.
   */
  readonly layout?: 'thwc' | 'tchw' | 'cthw' | undefined;
  /**
   * value = (rgb · scale − offset − mean) / std for rgb in 0..255, in float32 before the cast.
   * 'unit': 0..1; 'signed': −1..1; 'imagenet', 'clip': the usual constants. In the object form
   * scale defaults to 1, offset and mean to 0, std to 1; every value must be finite in float32.
   * 8-bit pixels are normalised as model processors do it: (rgb − mean/scale) / (std/scale)
   * without an offset. Default: 'none'.
   */
  readonly normalize?:
    | 'none'
    | 'unit'
    | 'signed'
    | 'imagenet'
    | 'clip'
    | {
        scale?: number;
        offset?: number;
        mean?: number | readonly number[];
        std?: number | readonly number[];
      }
    | undefined;
  /**
   * Width of the frames in pixels, with height short for size: { exact: [height, width] } and
   * resample 'bilinear-plain'. Give both, or neither; not beside size. Integer between 1 and
   * 16384. Default: the video's.
   */
  readonly width?: number | undefined;
  /**
   * Height of the frames in pixels; see width. Integer between 1 and 16384. Default: the
   * video's.
   */
  readonly height?: number | undefined;
}
