/**
 * The one typed contract between TypeScript and the native addon (native/napi). Nothing else in the
 * package talks to the addon. Records are complete: src/options/schema.ts fills every field.
 */
import type { ReplacedFrame, ResultNote } from '../api/notes.js';
import type { Augmentation } from '../api/augmentation.js';
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
  /** Null without option augment. */
  augmentation: Augmentation | null;
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
  /** With option maps. */
  maps?: {
    rows: number;
    cols: number;
    /** int32 [T, rows, cols], where the energy has motion. */
    motion2?: NativeBuffer;
    /** int32 [T, rows, cols]. */
    residual: NativeBuffer;
    /** float32 [T, rows, cols]. */
    energy: NativeBuffer;
  };
  /** After the first-frame rule. */
  isI: boolean[];
  grid: { t: number; h: number; w: number };
  /** Black bars in pixels of the displayed frame; absent unless 'letterbox' is ignored. */
  letterbox?: { top: number; bottom: number; left: number; right: number };
  targetWidth: number;
  targetHeight: number;
}

export interface NativeFramesResult extends NativeSampleInfo {
  /** [T, H, W, 3] or as layout says, in outputDtype. */
  frames: NativeBuffer;
  framesWidth: number;
  framesHeight: number;
}

/** Loops that copy one video's pixels into a tensor (Note [Arranging pixels]). */
export interface NativeArrangePart {
  /** 8-bit RGB, on one device for all parts; the result is there, too. */
  source: NativeBuffer;
  /** Bytes of a frame or a patch. */
  unitBytes: number;
  /** Of the source; below 0: none. */
  units: Int32Array;
  /** Five numbers per loop, outermost first: size, out, unit, inner, whether it is of channels. */
  axes: number[];
  /** Of the first element, in elements. */
  offset: number;
}

export interface NativeArrangement {
  elements: number;
  /** Parts of the tensor are zeros. */
  padded: boolean;
  parts: NativeArrangePart[];
}

export interface NativeArranged extends NativeReport {
  data: NativeBuffer;
}

/** Frames that are there already. */
export interface NativeGivenFrames {
  /** uint8 [count, height, width, 3] from `byteOffset` on, in host memory. */
  source: NativeBuffer;
  byteOffset: number;
  count: number;
  height: number;
  width: number;
}

export interface NativeResized extends NativeReport {
  /** uint8 [count, height, width, 3]. */
  frames: NativeBuffer;
  height: number;
  width: number;
}

export interface NativeOpened extends NativeReport {
  video: NativeVideo;
}

/**
 * Memory that a call reads while it runs: a part of the addon's own, or all of a typed array, which is
 * copied before the call returns.
 */
export interface NativeBytes {
  readonly memory: NativeBuffer | Uint8Array;
  readonly byteOffset: number;
  readonly byteLength: number;
}

/** A part of a block that is put together; `at` is its place there, in ascending order. */
export interface NativePart extends NativeBytes {
  readonly at: number;
}

/** An input or output of a model; `type` is ONNX's number of the element type, 0 for no tensor. */
export interface NativeModelValue {
  readonly name: string;
  readonly type: number;
  /** Open sides by their names, '' for those without one. */
  readonly shape: readonly (number | string)[];
}

export interface NativeModelInput extends NativeBytes {
  readonly name: string;
  readonly type: number;
  readonly dims: readonly number[];
}

export interface NativeModelOutput {
  readonly name: string;
  readonly type: number;
  readonly dims: readonly number[];
  readonly memory: NativeBuffer;
}

export interface NativeSessionConfig {
  readonly providers: readonly {
    readonly name: string;
    readonly options: Readonly<Record<string, string>>;
  }[];
  readonly deviceId: number;
  /** 0: ONNX Runtime's own choice. */
  readonly intraOpNumThreads: number;
}

/** A session of ONNX Runtime. */
export interface NativeSession {
  inputs(): NativeModelValue[];
  outputs(): NativeModelValue[];
  /** Where inputs are read without a copy, and where outputs stay on request. */
  device(): string;
  /** Inputs are in host memory or on device(). Outputs that the model leaves empty are left out. */
  run(
    inputs: readonly NativeModelInput[],
    onDevice: boolean,
    cancel: NativeCancel,
  ): Promise<NativeModelOutput[]>;
  /** Frees it once no run uses it any more. */
  release(): Promise<void>;
}

/** The op by which TensorFlow takes our memory (native/tf/adoption.h). */
export interface NativeAdoption {
  attach(gpu: boolean): { version: string; op: string };
  /** Memory of the addon only, of the host or of GPU 0; gives a token. */
  offer(type: number, dims: readonly number[], bytes: NativeBytes): number;
  withdraw(token: number): void;
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
  /**
   * Empty strings where the GPU can be used for the stage, else what is missing. `open`: and makes it ready for
   * the calls to come.
   */
  askDevice(
    deviceId: number,
    open: boolean,
    cancel: NativeCancel,
  ): Promise<{ decode: string; process: string }>;
  /** Opens a model in the ONNX Runtime that the process has loaded from the file `library`. */
  openSession(
    library: string,
    model: string | Uint8Array,
    config: NativeSessionConfig,
    cancel: NativeCancel,
  ): Promise<NativeSession>;
  /** A block on the device of `parts`, zero where none of them is; in host memory without any. */
  stack(parts: readonly NativePart[], byteLength: number): Promise<NativeBuffer>;
  readonly adoption: NativeAdoption;
  /** Host memory with whatever is in it. */
  allocate(byteLength: number): NativeBuffer;
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
  /** Memory of the addon with a copy of `bytes`. */
  copyIn(bytes: Uint8Array): NativeBuffer;
  /** Of the records those of size, resample and augment count, and the limits. */
  resizeFrames(
    frames: NativeGivenFrames,
    records: DecodeOnlyRecords,
    cancel: NativeCancel,
  ): Promise<NativeResized>;
  /** Of the records those of the frame's values and type count, and the limits. */
  arrange(
    plan: NativeArrangement,
    records: DecodeOnlyRecords,
    cancel: NativeCancel,
  ): Promise<NativeArranged>;
}
