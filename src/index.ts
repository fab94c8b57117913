/**
 * codec-patch-stream: uniformly sampled frames of a video, and the patches of them that matter.
 */
export { patchStream, PatchStream, FIELD_NAMES } from './api/patch-stream.js';
export type {
  CollectedPatches,
  Letterbox,
  MetadataTensors,
  PatchDType,
  PatchMetadata,
  StreamedPatch,
} from './api/patch-stream.js';
export { decodeOnly, DecodedFrames } from './api/decoded-frames.js';
export type { FrameDType, FrameLayout } from './api/decoded-frames.js';
export type { Augmentation } from './api/augmentation.js';
export type { ResolvedBackend } from './api/sample-info.js';
// Options and all that their values consist of.
export type * from './options/config.js';
export { describeOptions } from './options/describe.js';
export type { OptionInfo } from './options/describe.js';
export { checkDecodeOnlyOptions, checkPatchStreamOptions } from './options/records.js';
export type { OneOf } from './options/structures.js';
export { openVideo, probe, Video } from './api/video.js';
export type { FrameOptions, OpenOptions, PatchOptions, VideoInput } from './api/video.js';
export type { VideoSource } from './native/source.js';
export type { VideoColor, VideoInfo } from './api/video-info.js';
export type { OpenVideo } from './native/video-handles.js';
export type { FrameWindows, PatchWindows, Windows, WindowSpan } from './api/windows.js';
export { reseed } from './api/sample-rule.js';
export { seededRandom } from './support/random.js';
export type { Rng } from './support/random.js';
export { Tensor } from './api/tensor.js';
export { stack } from './api/stack.js';
export type { StackOptions } from './api/stack.js';
export { tensorflowMemory } from './api/tensorflow-memory.js';
export type { Filled, TensorflowMemory } from './api/tensorflow-memory.js';
export { deviceSessions } from './api/device-sessions.js';
export type {
  DeviceSessions,
  ElementType,
  ModelInput,
  ModelOutput,
  ModelValue,
  OpenSession,
  SessionConfig,
} from './api/device-sessions.js';
export type { DType, TensorData, TensorDataMap } from './api/tensor.js';
export { AbortError, CodecPatchStreamError, ERROR_CODES } from './support/errors.js';
export type { ErrorCode, Stage } from './support/errors.js';
export { NOTE_CODES } from './api/notes.js';
export type { NoteCode, ReplacedFrame, ResultNote } from './api/notes.js';
export { backendInfo, buildInfo, nativeStats, setThreads, threads, warmUp } from './api/info.js';
export type { BackendInfo, BuildInfo, NativeStats, WarmUpOptions } from './api/info.js';
export { CHANNEL_NAME } from './api/profile.js';
export type { CallReport, Timings } from './api/profile.js';
