/** What a preset is made of. */
import type { InputSpec } from './types.js';

/** How the processor class chooses frames by `fps` and `num_frames` of its file. */
export type ClassSampling =
  'default' | 'qwen2' | 'qwen3' | 'smolvlm' | 'internvl' | 'glm-4v' | 'glm-4.6v';

export interface Preset {
  readonly class: InputSpec;
  readonly published?: Partial<InputSpec>;
  /** Checkpoints differ in what no error would show: a file has to say which it is. */
  readonly family?: true;
  readonly sampling?: ClassSampling;
  /** Processor classes whose files are those of this model, without 'ImageProcessor' and the like. */
  readonly accepts: readonly string[];
  /** What the file calls the side of a patch and of a merge block. */
  readonly patchKeys?: { readonly size: string; readonly merge: string };
  /** What it calls the bounds of merge blocks per frame; sizes and padding follow from these. */
  readonly tokenKeys?: { readonly min?: string; readonly max: string };
  /** The shorter side is always int(crop · 256 / 224). */
  readonly shortOfCrop?: true;
  /** The file of images has other sizes; it is none of videos. */
  readonly needsVideoFile?: true;
  /** Of two files that differ the one of images is right. */
  readonly imageFileWins?: true;
  /** The checkpoints whose constants `published` (or `class`) has. */
  readonly checkpoints: string;
}
