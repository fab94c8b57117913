/**
 * codec-patch-stream: uniformly sampled frames of a video, and the patches of them that matter.
 */
export { patchStream, PatchStream, FIELD_NAMES } from './patch-stream.js';
export type {
  CollectedPatches,
  MetadataTensors,
  PatchDType,
  PatchMetadata,
  StreamedPatch,
} from './patch-stream.js';
export { decodeOnly, DecodedFrames } from './decoded-frames.js';
export type { ResolvedBackend } from './sample-info.js';
export type { DecodeConfig, DecodeOnlyConfig, PatchStreamConfig } from './config.js';
export { checkDecodeOnlyOptions, checkPatchStreamOptions } from './records.js';
export { Tensor } from './tensor.js';
export type { DType, TensorDataMap } from './tensor.js';
export { AbortError, CodecPatchStreamError, ERROR_CODES } from './errors.js';
export type { ErrorCode, Stage } from './errors.js';
export { NOTE_CODES } from './notes.js';
export type { NoteCode, ReplacedFrame, ResultNote } from './notes.js';
export { backendInfo, nativeStats } from './info.js';
export type { BackendInfo, NativeStats } from './info.js';
export { CHANNEL_NAME } from './profile.js';
export type { CallReport, Timings } from './profile.js';
