/** codec-patch-stream/shards: what `codec-patch-stream extract` has written, read back as tensors. */
export { openShards, Shards } from './shards.js';
export type { ShardSample } from './shards.js';
export type { ShardManifest, ShardPattern, ShardTensor } from './pattern.js';
export { concat } from './concat.js';
