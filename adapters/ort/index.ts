/** codec-patch-stream/ort: patches of videos as the feeds of ONNX Runtime sessions. */
export { toOrtTensor } from './to-ort-tensor.js';
export type { ToOrtTensorOptions } from './to-ort-tensor.js';
export { DeviceSession } from './device-session.js';
export type {
  DeviceFeeds,
  DeviceRunOptions,
  DeviceSessionOptions,
  ExecutionProvider,
  OutputPlace,
  OutputsOf,
} from './device-session.js';
export { feeds } from './feeds.js';
export type { FeedsOptions } from './feeds.js';
export { feedStream } from './feed-stream.js';
export type { FedBatch, FedVideo, FeedStreamOptions } from './feed-stream.js';
export { shardFeeds } from './shard-feeds.js';
export type {
  FedSample,
  ShardBatch,
  ShardFeedOptions,
  ShardPatchFeedOptions,
} from './shard-feeds.js';
export type { FedInputs, InputFeedOptions } from './input-feed.js';
export { patchOptions } from './inputs.js';
export type { InputMapping, InputSupply } from './model-feeds.js';
export type { DeviceMapping, Mapping, ModelOptions, Source, Supply } from './inputs.js';
export type { Feeds, Ort, Session, ValueMetadata } from './ort.js';
export type { OnError } from '../common/feed.js';
export type { VideoError } from '../common/errors.js';
export type { Sample, VideoEntry, VideoInput, Videos } from '../common/videos.js';
export type { ShardFacts, ShardKind, ShardOptions } from '../common/shard-feed.js';
export type { ShardEntry, ShardOrderOptions } from '../common/shard-order.js';
export type { ShardPatches } from '../common/shard-patches.js';
export type { ShardPattern } from 'codec-patch-stream/shards';
