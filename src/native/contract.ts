/**
 * The one typed contract between TypeScript and the native addon (native/napi). Nothing else in the
 * package talks to the addon. Records are complete: src/options/schema.ts fills every field.
 */
import type { ReplacedFrame, ResultNote } from '../api/notes.js';
import type { RecordName } from '../options/kinds.js';
import type { DecodeOnlyRecords, PatchStreamRecords } from '../options/record-types.js';
import type { NativeInput, NativeVideo } from './video.js';

/** Memory owned by the addon. An ArrayBuffer over it is made on first use and then lives by GC. */
export interface NativeBuffer {
  readonly byteLength: number;
  /** 'cpu' or 'cuda:N'. */
  readonly device: string;
  /** Host memory only; the same ArrayBuffer each time. Throws on device memory or after release. */
  arrayBuffer(): ArrayBuffer;
  /**
   * Host memory only: copies target.byteLength bytes from `byteOffset` on, without an ArrayBuffer
   * over the memory. Throws on device memory, after release or past the end.
   */
  copyTo(target: Uint8Array, byteOffset: number): void;
  /** Device memory: downloads through pinned staging. Host memory: the same as arrayBuffer(). */
  toHost(): Promise<ArrayBuffer>;
  /** The address as an opaque number for adapters that share memory; 0 after release. */
  readonly address: bigint;
  /** Drops the addon's hold. Frees at once unless an ArrayBuffer was handed out (then GC frees). */
  release(): void;
}

/** Stops the call it was passed to (at once if it still waits for a thread); afterwards no-ops. */
export interface NativeCancel {
  /** The call rejects with ABORT_ERR. */
  cancel(): void;
  /** The call rejects with ERR_CPS_TIMEOUT. */
  timeOut(): void;
}

/** What every call gives besides its result. */
export interface NativeReport {
  backend: { decode: string; process: string };
  /** By code. */
  notes: ResultNote[];
  timings: Record<string, number>;
}

export interface NativeSampleInfo extends NativeReport {
  sampledFrameIds: number[];
  timestampsSec: number[];
  /** When each sampled frame is shown, since the first frame of the video. */
  secondsFromStart: Float64Array;
  /** The container's key flag of each sampled frame. */
  isKeyFrame: boolean[];
  fps: number;
  durationSec: number;
  /** Display size, rotation applied. */
  width: number;
  height: number;
  totalFrames: number;
  codec: string;
  format: string;
  /** Why 'auto' did not take the GPU; empty when it did or none was asked for. */
  fallbackReason: string;
  replacedFrames: ReplacedFrame[];
  skippedFrameIds: number[];
}

export interface NativePatchResult extends NativeSampleInfo {
  /** [count, 3, P, P] or [count, P, P, 3] in outputDtype. */
  patches: NativeBuffer;
  count: number;
  /** int32 [count, 6]. */
  fields: NativeBuffer;
  /** float32 [count]. */
  scores: NativeBuffer;
  /** float32 [T, rows, cols]. */
  frameScores: NativeBuffer;
  /** After the first-frame rule. */
  isI: boolean[];
  grid: { t: number; h: number; w: number };
  /** Black bars in pixels of the displayed frame; absent unless 'letterbox' is ignored. */
  letterbox?: { top: number; bottom: number; left: number; right: number };
  targetWidth: number;
  targetHeight: number;
}

export interface NativeFramesResult extends NativeSampleInfo {
  /** uint8 [T, H, W, 3]. */
  frames: NativeBuffer;
  framesWidth: number;
  framesHeight: number;
}

export interface NativeOpened extends NativeReport {
  video: NativeVideo;
}

export interface NativeBinding {
  /** Field names the addon reads of each record, for the test against src/options/schema.ts. */
  readonly recordFields: Readonly<Record<RecordName, readonly string[]>>;
  readonly errorCodes: readonly string[];
  readonly noteCodes: readonly string[];
  readonly build: {
    readonly version: string;
    readonly ffmpeg: string;
    readonly cuda: string | null;
    /** The widest SIMD variant this processor runs, e.g. 'avx2'. */
    readonly simd: string;
  };
  /** Live native objects of this addon instance and of the process, for leak tests. */
  stats(): { liveBuffers: number; liveBytes: number; callsInFlight: number; threads: number };
  /** Empty string when the GPU can be used for the stage, else what is missing. */
  whyNotGpu(stage: 'decode' | 'process', deviceId: number): string;
  /** For calls from now on, in the whole process; 0: what the machine gives. */
  setThreads(threads: number): void;
  createCancel(): NativeCancel;
  patchStream(
    input: NativeInput,
    records: PatchStreamRecords,
    cancel: NativeCancel,
  ): Promise<NativePatchResult>;
  /** Of the records those count that opening needs. */
  openVideo(
    input: NativeInput,
    records: DecodeOnlyRecords,
    cancel: NativeCancel,
  ): Promise<NativeOpened>;
  decodeOnly(
    input: NativeInput,
    records: DecodeOnlyRecords,
    cancel: NativeCancel,
  ): Promise<NativeFramesResult>;
}
