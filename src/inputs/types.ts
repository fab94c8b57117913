/** What a model wants to be fed with, as data. */
import type { DecodeOnlyConfig, PatchStreamConfig, SampleRule } from '../options/config.js';

/** Element types of pixels. */
export type PixelType = 'uint8' | 'float16' | 'bfloat16' | 'float32';
/** Element types of positions, grids and masks. */
export type IndexType = 'bool' | 'uint8' | 'int32' | 'int64' | 'float32';

type OptionOf<K extends keyof DecodeOnlyConfig> = NonNullable<DecodeOnlyConfig[K]>;

/** A rule of option `size`, or one of models that take a number of patches. */
export type InputSize =
  | OptionOf<'size'>
  /** The largest picture with at most so many patches, in proportion (SigLIP 2 NaFlex). */
  | {
      readonly patches: number;
      /** Sides are cut down to multiples of so many pixels, in place of a search (Gemma 4). */
      readonly multipleOf?: number | undefined;
    };

/** Frames as a model's processor picks them by time, where no rule of option `sample` does. */
export type ModelSample =
  /**
   * GLM-4.1V and 4.5V: the frame at or after each 1 / fps second (2), within maxSeconds (300) of them or as
   * many over the whole of a longer video; an even number.
   */
  | {
      readonly as: 'glm-4v';
      readonly fps?: number | undefined;
      readonly maxSeconds?: number | undefined;
    }
  /** GLM-4.6V: the longer the video, the fewer a second, 640 at most; an even number. */
  | { readonly as: 'glm-4.6v'; readonly framesPerStep?: number | undefined };

/** Pixels, laid out as `axes` says: docs/models.md has the letters. */
export interface PixelSpec {
  /** The pixels themselves; exactly one tensor of an input is. */
  readonly of: 'pixels';
  /** One letter per axis, outermost first; parentheses join axes. */
  readonly axes: string;
  /** Default: 'float32'. */
  readonly dtype?: PixelType | undefined;
}

/** What a position may be made of. */
export type Coordinate = 'time' | 'row' | 'column';

/** (time, row, column) of each patch, [..., 3]; `axes` as those of the pixels unless given. */
export interface PositionSpec {
  /** Where each patch is. */
  readonly of: 'positions';
  /** Which of them, in this order: the last axis of the tensor. Default: time, row, column. */
  readonly coordinates?: readonly Coordinate[] | undefined;
  /** What padding has in place of them. Default: 0. */
  readonly fill?: number | undefined;
  /** Default: those of the pixels without what is inside a row. */
  readonly axes?: string | undefined;
  /**
   * What time is: the place in the sample ('sampled', default), the frame of the video ('source'), or
   * the place in the sample spread over 0..spread−1.
   */
  readonly time?: 'sampled' | 'source' | { readonly spread: number } | undefined;
  /** Default: 'int64'. */
  readonly dtype?: 'int32' | 'int64' | undefined;
}

/** (time · rows + row) · columns + column of each patch. */
export interface IndexSpec {
  /** Where each patch is, as one number. */
  readonly of: 'indices';
  /** Default: those of the pixels without what is inside a row. */
  readonly axes?: string | undefined;
  /** Over how many frames the places of the sample are spread. Default: as they are. */
  readonly frames?: number | undefined;
  /** Default: 'int64'. */
  readonly dtype?: 'int32' | 'int64' | undefined;
}

/** (steps, patch rows, patch columns), [videos, 3], or one row (1, rows, columns) for each frame. */
export interface GridSpec {
  /** How many patches there are. */
  readonly of: 'grid';
  /** Default: 'video'. */
  readonly per?: 'video' | 'frame' | undefined;
  /** Default: 'int64'. */
  readonly dtype?: 'int32' | 'int64' | undefined;
}

/** 1 where there is something, 0 in what was padded; `axes` as those of the pixels unless given. */
export interface MaskSpec {
  /** What is there, and what fills it up. */
  readonly of: 'mask';
  /** Default: those of the pixels without what is inside a row. */
  readonly axes?: string | undefined;
  /** Default: 'int64'. */
  readonly dtype?: IndexType | undefined;
}

/** What else goes with the pixels. */
export interface CompanionSpec {
  /**
   * spatialShapes: (patch rows, patch columns) of each frame, int64 [frames, 2]. mergeSizes: the side of
   * merge blocks, int64 [videos]. pixelMask: 1 for each pixel of a frame, int64, the axes of the pixels
   * without channels. changeMask: which merged patches differ from the frame before, bool
   * (VideoLLaMA 3). secondsPerStep: float32 [videos].
   */
  readonly of: 'spatialShapes' | 'mergeSizes' | 'pixelMask' | 'changeMask' | 'secondsPerStep';
  /** Default: as `of` says. */
  readonly dtype?: IndexType | undefined;
}

/** A tensor of an input: what it is of, how it is laid out, its type. */
export type TensorSpec = PixelSpec | PositionSpec | IndexSpec | GridSpec | MaskSpec | CompanionSpec;

/** Options of patchStream that choose patches. */
export type SelectSpec = Pick<
  PatchStreamConfig,
  | 'kKeep'
  | 'keyFramePatches'
  | 'wholeFrames'
  | 'minPerFrame'
  | 'maxPerFrame'
  | 'ignore'
  | 'selectionUnit'
  | 'energy'
  | 'energyPct'
  | 'energyScope'
  | 'intraEnergy'
  | 'globalMotion'
  | 'staticFallback'
  | 'staticAbsThresh'
  | 'staticRelThresh'
  | 'staticUniformFrames'
>;

/** A model's input. defineInput checks it; presets and fromConfig give such descriptions. */
export interface InputSpec {
  /** Which frames, where a call does not say (docs/sampling.md). */
  readonly sample: SampleRule | ModelSample;
  /** The size of the pictures. Default: the video's own. */
  readonly size?: InputSize | undefined;
  /** Default: 'bilinear', antialiased. */
  readonly resample?: OptionOf<'resample'> | undefined;
  /** Default: 'none'. */
  readonly normalize?: OptionOf<'normalize'> | undefined;
  /** Random crop and mirror, as option `augment`. */
  readonly augment?: OptionOf<'augment'> | undefined;
  /** Side of a patch in pixels, frames in a temporal patch (1), side of a merge block in patches (1). */
  readonly patch?:
    | {
        readonly size: number;
        readonly frames?: number | undefined;
        readonly merge?: number | undefined;
      }
    | undefined;
  /** Only the patches that matter, by patchStream's options. */
  readonly select?: SelectSpec | undefined;
  /** Rows of patches are padded with zeros to so many. */
  readonly pad?: { readonly patches?: number | undefined } | undefined;
  /** Places in the prompt for each step, where they do not follow from patches and merge blocks. */
  readonly tokensPerStep?: number | undefined;
  /** The time that the prompt has for a temporal patch: the mean of its frames (default), or its first one's. */
  readonly stepTime?: 'mean' | 'first' | undefined;
  /** By the names that the model has for them. */
  readonly tensors: Readonly<Record<string, TensorSpec>>;
  /** What fromConfig has to say of the files that it read. */
  readonly notes?: readonly string[] | undefined;
}
