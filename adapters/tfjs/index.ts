/** codec-patch-stream/tfjs: patches and frames of videos as tensors and datasets of TensorFlow.js. */
export { tfMemory } from './adopt.js';
export type { Memory, TfMemory } from './adopt.js';
export { toTensor } from './to-tensor.js';
export type { ToTensorOptions, ToTensorSource } from './to-tensor.js';
export { patchDataset } from './patch-dataset.js';
export type {
  ClipXs,
  Element,
  InputShapes,
  Labelled,
  PatchDataset,
  PatchDatasetOptions,
  PatchXs,
  Unit,
} from './patch-dataset.js';
export { frameDataset } from './frame-dataset.js';
export type { FrameDatasetOptions } from './frame-dataset.js';
export { inputDataset } from './input-dataset.js';
export type { InputDatasetOptions, InputElement, InputRow } from './input-dataset.js';
export { shardDataset } from './shard-dataset.js';
export type { ShardDatasetOptions, ShardPatchDataset, ShardPatchOptions } from './shard-dataset.js';
export type { Label } from './labels.js';
export type { Tf } from './tf.js';
export type { OnError } from '../common/feed.js';
export type { VideoError } from '../common/errors.js';
export type { Sample, VideoEntry, VideoInput, Videos } from '../common/videos.js';
export type { ShardKind, ShardOptions } from '../common/shard-feed.js';
export type { ShardEntry, ShardOrderOptions } from '../common/shard-order.js';
export type { ShardPattern } from 'codec-patch-stream/shards';
