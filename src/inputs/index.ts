/** codec-patch-stream/inputs: a video in, the tensors of a real model out. */
import { classDefaults, fromConfig } from './config.js';
import { defineInput } from './define.js';
import { presetTable } from './presets.js';
import type { PresetName } from './presets.js';
import type { InputSpec } from './types.js';

export { defineInput, fromConfig };
export { checkCanvasOptions, codecCanvases } from './canvases/codec-canvases.js';
export type { CanvasEnergy, CanvasOptions } from './canvases/codec-canvases.js';
export { CodecCanvases } from './canvases/canvases.js';
export type { CanvasGroup, CanvasInputOptions } from './canvases/canvases.js';
export { Inputs, modelInputs } from './model-inputs.js';
export type { InputOptions, InputSource, InputVideo, ModelInput } from './model-inputs.js';
export { toTransformers } from './to-transformers.js';
export type { TensorClass } from './to-transformers.js';
export { inputStream } from './stream.js';
export type {
  InputEntry,
  InputStreamOptions,
  InputWindow,
  OnInputError,
  StreamedVideo,
} from './stream.js';
export type { GivenFrames } from './given-frames.js';
export type { PresetName } from './presets.js';
export type * from './types.js';

/** The inputs of published models: of their checkpoints, or of the class where these differ. */
export const presets: Readonly<Record<PresetName, InputSpec>> = Object.freeze(
  Object.fromEntries(
    Object.entries(presetTable).map(([name, preset]) => [
      name,
      'family' in preset
        ? classDefaults(name as PresetName)
        : defineInput({ ...preset.class, ...('published' in preset ? preset.published : {}) }),
    ]),
  ) as Record<PresetName, InputSpec>,
);
