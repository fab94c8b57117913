/**
 * Which of a checkpoint's files says what. A model has up to three: preprocessor_config.json (images,
 * and videos where there is no other), video_preprocessor_config.json, and processor_config.json,
 * which may have the two others inside.
 */
import { invalid } from '../support/is.js';
import { isObject } from './define.js';

export type Json = Readonly<Record<string, unknown>>;

/** What the files say, by what they are about; keys that are null are left out. */
export interface ConfigFiles {
  readonly image?: Json;
  readonly video?: Json;
  /** processor_config.json itself. */
  readonly processor?: Json;
}

const isThere = (value: unknown): boolean => value !== null && value !== undefined;

const withoutNulls = (file: Json): Json =>
  Object.fromEntries(Object.entries(file).filter(([, value]) => isThere(value)));

/** Keys that only a file about pixels has. */
const PIXEL_KEYS = [
  ...['size', 'image_mean', 'image_std', 'resample', 'crop_size', 'do_resize', 'do_normalize'],
  ...['do_rescale', 'rescale_factor', 'do_center_crop', 'min_pixels', 'max_pixels'],
  ...['max_num_patches', 'video_sampling', 'max_image_size', 'num_frames', 'fps'],
];

/** Keys of processor_config.json, which is about prompts. */
const PROCESSOR_KEYS = [
  ...['processor_class', 'image_seq_len', 'image_token', 'video_token', 'num_image_tokens'],
];

const has = (file: Json, keys: readonly string[]): boolean => keys.some((key) => key in file);

/** The name of the class that a file is for. */
export function classOf(file: Json): string | undefined {
  for (const key of ['video_processor_type', 'image_processor_type', 'feature_extractor_type']) {
    const name = file[key];
    if (name === undefined) continue;
    if (typeof name !== 'string') throw invalid(key, 'the name of a class', name);
    return name;
  }
  return undefined;
}

/** Its name without what all of them have in common: 'VideoMAEFeatureExtractor' is 'videomae'. */
export const plainClass = (name: string): string =>
  name
    .replace(/(Fast|Pil)$/, '')
    .replace(/(VideoProcessor|ImageProcessor|FeatureExtractor|Processor)$/, '')
    .toLowerCase();

/** Sorts `files`; throws where one is no file of a processor, or two are of one kind. */
export function sortFiles(files: readonly unknown[]): ConfigFiles {
  const found: { image?: Json; video?: Json; processor?: Json } = {};
  const put = (kind: keyof ConfigFiles, file: unknown, name: string): void => {
    if (!isObject(file)) throw invalid(name, 'an object', file);
    if (found[kind]) throw invalid('json', `one file of ${kind}s`, file);
    found[kind] = withoutNulls(file);
  };
  for (const file of files) {
    if (!isObject(file)) throw invalid('json', 'the parsed JSON of a processor', file);
    const nested = file.video_processor ?? file.image_processor;
    if (isThere(nested)) {
      const { video_processor: video, image_processor: image } = file;
      if (isThere(video)) put('video', video, 'video_processor');
      if (isThere(image)) put('image', image, 'image_processor');
      put('processor', file, 'json');
    } else if (isThere(file.video_processor_type)) {
      put('video', file, 'json');
    } else {
      const ofPixels = classOf(withoutNulls(file)) !== undefined || has(file, PIXEL_KEYS);
      put(ofPixels || !has(file, PROCESSOR_KEYS) ? 'image' : 'processor', file, 'json');
    }
  }
  return found;
}

/** Keys that say nothing about the tensors of a video here. */
const SILENT = new Set([
  ...['processor_class', 'image_processor_type', 'video_processor_type', 'feature_extractor_type'],
  ...['auto_map', 'transformers_version', '_commit_hash', '_name_or_path', '_valid_processor_keys'],
  ...['do_convert_rgb', 'do_pad', 'pad_size', 'data_format', 'input_data_format', 'device'],
  ...['return_tensors', 'return_metadata', 'disable_grouping', 'default_to_square'],
  ...['do_sample_frames', 'video_metadata', 'size_divisor', 'do_zero_centering', 'initial_shift'],
  // Of images alone.
  ...['image_grid_pinpoints', 'do_image_splitting', 'crop_to_patches', 'min_patches'],
  ...['max_patches', 'use_thumbnail', 'vision_aspect_ratio', 'use_token_compression'],
  ...['min_tiles', 'max_tiles', 'max_pixels_tolerance', 'return_row_col_info', 'tile_size'],
]);

/** Keys that fromConfig reads. */
const READ = new Set([
  ...['size', 'crop_size', 'resample', 'image_mean', 'image_std', 'rescale_factor', 'offset'],
  ...['do_resize', 'do_center_crop', 'do_rescale', 'do_normalize', 'patch_size'],
  ...['temporal_patch_size', 'merge_size', 'min_pixels', 'max_pixels', 'fps', 'num_frames'],
  ...['min_frames', 'max_frames', 'video_sampling', 'max_image_size', 'max_num_patches'],
  ...['cap_pixels_per_frame', 'max_video_tokens', 'max_duration', 'max_soft_tokens'],
  ...['pooling_kernel_size', 'encoder_patch_size', 'downsample_factor', 'min_image_tokens'],
  ...['max_image_tokens'],
]);

/** One note for all keys that nothing here knows. */
export function unknownKeys(file: Json): string[] {
  const unknown = Object.keys(file).filter((key) => !SILENT.has(key) && !READ.has(key));
  if (unknown.length === 0) return [];
  return [`Keys of the file that say nothing here were ignored: ${unknown.sort().join(', ')}.`];
}
