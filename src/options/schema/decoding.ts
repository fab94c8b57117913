/** Options of what is decoded, where and how. */
import {
  BOTH,
  boolean,
  folderOr,
  INT32_MAX,
  integer,
  number,
  oneOf,
  parseSignal,
  parseVideo,
  VIDEO_EXPECTED,
} from '../kinds.js';
import type { NativeInput } from '../../native/video.js';
import type { OptionSpec } from '../kinds.js';

const BACKENDS = ['auto', 'gpu', 'cpu'] as const;
const BACKEND = { enum: 'Backend' } as const;

export const DECODING = {
  // --- what to decode ---------------------------------------------------------------------------
  videoPath: {
    apis: BOTH,
    type: 'string | URL | Uint8Array | ArrayBuffer | Blob | VideoSource | OpenVideo',
    expected: VIDEO_EXPECTED,
    default: undefined,
    defaultText: 'required',
    doc:
      'The video: a local path (relative to the working directory at the call), a file: URL, the ' +
      'bytes of the whole file (copied before the call returns), a Blob or File (read as needed), a ' +
      'source of your own ({ size, read }, docs/sources.md), or an open Video. Only local files and ' +
      'memory are ever opened.',
    parse: parseVideo,
  } as OptionSpec<NativeInput>,
  signal: {
    apis: BOTH,
    type: 'AbortSignal',
    expected: 'AbortSignal',
    default: undefined,
    defaultText: 'none',
    doc: 'Rejects with an AbortError and stops the work within the decoding of one packet.',
    parse: parseSignal,
  } as OptionSpec<AbortSignal>,

  // --- devices ----------------------------------------------------------------------------------
  backend: oneOf(BACKENDS, {
    apis: BOTH,
    default: 'auto',
    doc:
      "Device of both stages. 'auto' takes the GPU where it works for this video, else the CPU " +
      "(`fallbackReason` says why); 'gpu' and 'cpu' take that device or fail with " +
      'ERR_CPS_BACKEND_UNAVAILABLE.',
  }),
  decodeBackend: oneOf(BACKENDS, {
    apis: BOTH,
    record: 'devices',
    field: BACKEND,
    defaultText: 'backend',
    doc: 'The same for decoding alone.',
  }),
  processBackend: oneOf(BACKENDS, {
    apis: BOTH,
    record: 'devices',
    field: BACKEND,
    defaultText: 'backend',
    doc: "The same for everything after decoding alone; 'auto' is the device on which the frames were decoded.",
  }),
  deviceId: integer({
    apis: BOTH,
    default: 0,
    min: 0,
    max: 1023,
    doc: 'CUDA device of both stages.',
  }),
  decodeDeviceId: integer({
    apis: BOTH,
    record: 'devices',
    min: 0,
    max: 1023,
    defaultText: 'deviceId',
    doc: 'CUDA device that decodes.',
  }),
  processDeviceId: integer({
    apis: BOTH,
    record: 'devices',
    min: 0,
    max: 1023,
    defaultText: 'deviceId',
    doc: 'CUDA device of everything after decoding.',
  }),

  // --- decoding ---------------------------------------------------------------------------------
  decodeMode: oneOf(['throughput', 'latency', 'auto'], {
    apis: BOTH,
    record: 'source',
    field: { enum: 'DecodeMode', values: ['throughput', 'latency'] },
    default: 'throughput',
    doc:
      "'throughput' keeps opened decoders for the next calls, and calls at the same time share the " +
      "decoder threads evenly; 'latency' opens its own and runs such calls one after the other, " +
      "each with all threads; 'auto' is 'throughput'.",
    impact:
      'throughput: more videos per second, decoders stay open for the next call; latency: of ' +
      'several waiting calls the first ones are over sooner, and no decoder is kept.',
  }),
  uniformStrategy: oneOf(['auto', 'seek', 'stream'], {
    apis: BOTH,
    record: 'source',
    field: { enum: 'UniformStrategy' },
    default: 'auto',
    doc:
      "'seek' jumps to key frames, 'stream' reads on; 'auto' takes what decodes fewer packets, " +
      'from the frame index. The frames are the same with each.',
    impact: 'Speed only.',
  }),
  uniformAutoRatio: number({
    apis: BOTH,
    record: 'source',
    field: { absent: null },
    min: Number.MIN_VALUE,
    defaultText: 'none',
    doc:
      "When given, uniformStrategy 'auto' streams exactly when totalFrames <= ratio × distinct " +
      'frames sampled, and seeks otherwise (the Python original: 12).',
    impact: 'Speed only.',
  }),
  nvdecSessionPoolSize: integer({
    apis: BOTH,
    record: 'devices',
    default: 2,
    min: 0,
    max: 64,
    doc:
      'NVDEC sessions kept open per device in throughput mode, and the most that decode one long video at ' +
      'the same time (as many as the GPU has engines).',
    impact:
      'More sessions: more videos decoded at once, more GPU memory. Not measured on a GPU yet.',
  }),
  nvdecReuseOpenDecoder: boolean({
    apis: BOTH,
    record: 'devices',
    defaultText: 'true in throughput mode',
    doc: 'Reconfigures an open NVDEC decoder for the next video where the hardware can.',
    impact: 'Saves the creation of a decoder. Not measured on a GPU yet.',
  }),
  decodeThreads: integer({
    apis: BOTH,
    record: 'source',
    default: 0,
    min: 0,
    max: 1024,
    doc: 'Threads that decode this video; 0 takes them from the process-wide budget.',
  }),
  decodeThreadType: oneOf(['auto', 'frame', 'slice'], {
    apis: BOTH,
    record: 'source',
    field: { enum: 'ThreadType' },
    default: 'auto',
    doc: "How FFmpeg's decoder may use several threads.",
    impact: 'frame: more throughput; slice: less delay, where the stream has slices.',
  }),
  readerCacheSize: integer({
    apis: BOTH,
    record: 'source',
    default: 8,
    min: -INT32_MAX,
    max: INT32_MAX,
    doc:
      'Frame indexes kept in memory for later calls (least recently used goes first; key: path, ' +
      'size, modification time). Zero or less: none.',
    impact: 'A hit saves one pass over the file; an index costs a few bytes per frame.',
  }),
  readerCacheDir: folderOr('beside', {
    apis: BOTH,
    record: 'source',
    default: '',
    defaultText: 'none',
    doc:
      'A folder (made when missing) where frame indexes are kept for the next process, one small ' +
      "file per video; 'beside' keeps them beside the videos as VIDEO.cpsindex. An index counts " +
      'only for the same path, size and modification time, and only where its file belongs to you, ' +
      'to root or to the owner of the video. If the folder cannot be used, the call goes on without it, ' +
      "with the note 'index-not-kept'.",
    impact:
      'The first call of a process on a known file skips the pass over it; most for transport ' +
      'streams, AVI, raw streams and VP9, least for MP4, whose own tables say nearly everything.',
  }),
  colorMatrix: oneOf(['auto', 'bt601', 'bt709', 'bt2020'], {
    apis: BOTH,
    record: 'source',
    field: { enum: 'ColorMatrixOption' },
    default: 'auto',
    doc:
      "Matrix of the YUV to RGB conversion; 'auto' reads the stream's tags (BT.601 limited where " +
      'untagged).',
  }),
  damaged: oneOf(['error', 'skip', 'nearest'], {
    apis: BOTH,
    record: 'source',
    field: { enum: 'Damaged' },
    default: 'error',
    doc:
      "What happens to sampled frames that cannot be decoded (damaged, cut off). 'error': the call " +
      "rejects with ERR_CPS_CORRUPT; 'nearest': the nearest frame that can be decoded stands in its " +
      'place (of two the earlier; `sampledFrameIds` names it, `replacedFrames` what was wanted); ' +
      "'skip': it is left out and T shrinks (`skippedFrameIds`). With the latter two, the readable " +
      "part of a truncated MP4 can be used. Energy 'block' compares each frame with the one before it in the " +
      'result. If no frame can be decoded, the call fails. Damage that a decoder does not notice stays ' +
      "unnoticed. NVDEC gives up at damage: 'auto' goes to the CPU then.",
    impact: 'None for files without damage; around damage frames are decoded again.',
  }),
} as const;
