/** Videos as the addon has and takes them: a part of the contract (contract.ts). */
import type { VideoInfo } from '../api/video-info.js';
import type { NativeSource } from './source.js';

/** A video that the addon holds open with its index, or a part of one. */
export interface NativeVideo {
  info(): VideoInfo;
  /** [N] in display order, as all of these. */
  timestampsSec(): Float64Array;
  secondsFromStart(): Float64Array;
  keyFrameIndices(): Int32Array;
  packetBytes(): Int32Array;
  /** The same video for calls that each ask for later frames than the one before: the next goes on. */
  reader(): NativeVideo;
  /** Frames [from, to) as a video of their own to sample from. */
  part(from: number, to: number): NativeVideo;
  /** Lets go of it; calls that run keep what they need. */
  release(): void;
}

/**
 * A video as the addon takes it: a path, the whole file (copied before the call returns), what a
 * caller's function reads, or one that is open.
 */
export type NativeInput = string | Uint8Array | NativeSource | NativeVideo;
